"""What the heads propose before any threshold, and that decoding it gives what the readers alone once gave."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ietool.core.candidate_files import read_candidates, write_candidates
from ietool.core.candidates import PRODUCT, Candidates, Floor, merged, union
from ietool.core.pools import finished
from ietool.core.predicting import Predictor
from ietool.tasks.qa import QaTask
from ietool.tasks.qa.data.question import Passage, Question
from ietool.tasks.qa.features.labels import LABELS
from ietool.tasks.qa.heads.decoder import SPANS
from ietool.tasks.qa.heads.voting import Answered, submitted, vote
from tests.apart import check_apart
from tests.tasks.qa.heads.conftest import HEADS, MakeReader
from tests.tasks.qa.made import WEATHER, fact

heads = pytest.mark.parametrize("head", HEADS)

THRESHOLDS: tuple[tuple[str, ...], ...] = (
    (),
    ("decode.voting=false", "decode.no_answer=0.02", "decode.none=无"),
    ("decode.longest=5", "decode.nbest=30"),
    ("decode.start=0.02", "decode.end=0.03"),
    ("decode.start=0.06", "decode.nbest=30"),
)


def questions() -> list[Question]:
    """Some with many windows, which repeat one another where they overlap."""
    found = [Question(str(n), fact(n)[0], (Passage(fact(n)[1]), Passage(WEATHER)), kind="YES_NO") for n in range(6)]
    long = Passage("".join(fact(n)[1] for n in range(8)))
    more = [Question("long", fact(1)[0], (long, Passage(" "), long), kind="YES_NO"), Question("none", "谁？", ())]
    return [*found, *more, Question("blank", "谁？", (Passage(" "),), kind="YES_NO")]


def settings_for(head: str, thresholds: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(t for t in thresholds if head != "mlm" or not t.startswith(("decode.start", "decode.end")))


def decoded(recipe: Any, reader: Any, floor: Floor, decode: Any = None) -> list[Answered]:
    decoder = QaTask().decoder(recipe, Path())
    return [decoder.decode(q, found, decode or recipe.decode) for q, found in reader.propose(questions(), floor=floor)]


# -- as before there were candidates


def as_once(reader: Any, question: Question, decode: Any, *, labels: bool) -> Answered:
    """What the predictor of old made of the windows of a question: of each the best spans above the thresholds, each
    with its product; labels weighed by the best of them."""
    spans: dict[int, list[tuple[int, int, float]]] = {}
    shares = np.zeros(len(LABELS))
    for passage, window in reader.windows(question):
        with torch.inference_mode():
            if reader.layout.parts == ("answer",):
                (said,) = finished(reader.found([window], Floor()))
                found = [
                    (*span, value) for span, (value,) in zip(said.spans.tolist(), said.parts.tolist(), strict=True)
                ]
            else:
                read = reader.read([window])
                p, size = read.p[0].tolist(), read.p.shape[1]
                a, b = read.starts[0].tolist(), read.ends[0].tolist()
                found = [
                    (window.start + a[i], window.start + b[j], float(np.float32(p[i][0]) * np.float32(p[j][1])))
                    for i in range(size) for j in range(i, size)
                    if np.float32(p[i][0]) > np.float32(decode.start) and np.float32(p[j][1]) > np.float32(decode.end)
                    and 0 < b[j] - a[i] <= decode.longest
                ]  # fmt: skip
                found = sorted((one for one in found if one[2] > 0), key=lambda one: -one[2])[:SPANS]
                if read.labels is not None:
                    shares += read.labels[0].numpy() * max((value for *_, value in found), default=0.0)
        spans.setdefault(passage, []).extend(found)
    candidates = vote([p.text for p in question.passages], spans, voting=decode.voting, rule=decode.vote)[
        : max(SPANS, decode.nbest)
    ]
    answer = submitted(candidates, decode)
    label = LABELS[int(shares.argmax())] if labels and question.kind == "YES_NO" and answer else ""
    return Answered(
        question.question_id, question.text, tuple(candidates), answer, form=question.form,
        kind=question.kind, label=label, nbest=decode.nbest,
    )  # fmt: skip


@heads
@pytest.mark.parametrize("thresholds", THRESHOLDS)
@pytest.mark.parametrize("labels", [False, True])
def test_predictions_are_those_of_the_windows_best_spans(
    head: str, thresholds: tuple[str, ...], labels: bool, make_reader: MakeReader
) -> None:
    recipe, reader = make_reader(head, *settings_for(head, thresholds), "decode.batch_size=1", labels=labels)
    predictor: Predictor[Question, Answered] = Predictor(reader, QaTask().decoder(recipe, Path()), recipe.decode)
    made = list(predictor.predict(questions()))
    for question, found in zip(questions(), made, strict=True):
        once = as_once(reader, question, recipe.decode, labels=labels and head != "mlm")
        assert [(c.answer, c.passage, c.start) for c in found.candidates] == [
            (c.answer, c.passage, c.start) for c in once.candidates
        ]
        for ours, theirs in zip(found.candidates, once.candidates, strict=True):
            assert ours.score == pytest.approx(theirs.score, rel=1e-6)
        assert replace(found, candidates=()) == replace(once, candidates=())
    assert any(one.candidates for one in made)


# -- lower floors


@pytest.mark.parametrize(("head", "labels"), [("reader", True), ("span", True), ("span", False), ("mlm", False)])
def test_a_device_of_its_own_says_the_same(
    head: str, labels: bool, make_reader: MakeReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    some = questions()[4:]
    assert check_apart(lambda: make_reader(head, labels=labels)[1], some, Floor(0.01), monkeypatch, 4096) > 10


@heads
@pytest.mark.parametrize("thresholds", THRESHOLDS)
@pytest.mark.parametrize("floor", [Floor(), Floor(0.01), Floor(parts={"start": 0.005, "end": 0.0, "answer": 0.0})])
def test_a_lower_floor_changes_nothing(
    head: str, thresholds: tuple[str, ...], floor: Floor, make_reader: MakeReader
) -> None:
    recipe, reader = make_reader(head, *settings_for(head, thresholds), labels=head != "mlm")
    decoder = QaTask().decoder(recipe, Path())
    own = decoder.floor(recipe.decode)
    if any(floor.of(name) > own.of(name) for name in reader.layout.parts):
        floor = own
    predicted = list(Predictor(reader, decoder, recipe.decode).predict(questions()))
    assert decoded(recipe, reader, floor) == predicted
    for (_, found), answered in zip(reader.propose(questions(), floor=floor), predicted, strict=True):
        assert (found.parts > np.array([floor.of(name) for name in reader.layout.parts], np.float32)).all()
        assert len(np.unique(found.rows, axis=0)) == len(found) >= len(answered.candidates[:SPANS])


def test_spans_that_weaker_ones_leave_no_place_are_proposed_all_the_same(make_reader: MakeReader) -> None:
    """Of a lower floor twenty spans are above those that the recipe's thresholds let through."""
    recipe, reader = make_reader("reader", "decode.start=0.3", "decode.end=0.3")
    p = torch.full((1, 30, 2), 0.0)
    p[0, :25, 0], p[0, 27, 0] = 0.29, 0.31  # many starts just below
    p[0, 25, 1], p[0, 28, 1] = 0.9, 0.31  # none of which goes with the only end above

    def read(windows: Any) -> Any:
        from ietool.tasks.qa.heads.endpoint_reader import Read

        at = torch.arange(31)[None]
        return Read(p, at[:, :-1], at[:, 1:], None)

    reader.read, reader.longest = read, 30
    one = Question("1", "谁？", (Passage("云" * 30),))
    decoder = QaTask().decoder(recipe, Path())
    answers = {}
    for floor in (Floor(), Floor(0.2), decoder.floor(recipe.decode)):
        ((_, found),) = reader.propose([one], floor=floor)
        answers[str(floor)] = decoder.decode(one, found, recipe.decode)
    assert len({a.candidates for a in answers.values()}) == 1
    assert [(c.start, c.end) for c in answers[str(Floor())].candidates] == [(27, 29)]
    assert len(next(reader.propose([one], floor=Floor()))[1]) == SPANS + 1


@heads
def test_settings_may_be_raised_afterwards(head: str, make_reader: MakeReader) -> None:
    recipe, reader = make_reader(head, "decode.nbest=1000")
    everything = decoded(recipe, reader, Floor())
    decode = recipe.decode.model_copy(update={"longest": 3, "no_answer": 0.01, "none": "无"})
    raised = decoded(recipe, reader, Floor(), decode)
    for found, before in zip(raised, everything, strict=True):
        assert all(c.end - c.start <= 3 for c in found.candidates)
        assert {c.answer for c in found.candidates} <= {c.answer for c in before.candidates}
        sure = bool(found.candidates) and found.candidates[0].probability >= 0.01
        assert (found.answer == "无") is not sure


@heads
def test_the_product_has_a_floor_too(head: str, make_reader: MakeReader) -> None:
    _, reader = make_reader(head)
    every = [found for _, found in reader.propose(questions(), floor=Floor())]
    least = float(np.median(np.concatenate([reader.layout.probability(found.parts) for found in every])))
    some = [found for _, found in reader.propose(questions(), floor=Floor(parts={PRODUCT: least}))]
    for one, other in zip(some, every, strict=True):
        kept = reader.layout.probability(other.parts) > least
        np.testing.assert_array_equal(one.rows, other.rows[kept])
    assert 0 < sum(map(len, some)) < sum(map(len, every))


# -- the same rows by another model


@heads
def test_rows_are_scored_as_they_were_proposed(head: str, make_reader: MakeReader) -> None:
    _, reader = make_reader(head, labels=head != "mlm")
    proposed = list(reader.propose(questions(), floor=Floor()))
    scored = list(reader.score(proposed))
    assert [q.question_id for q, _ in scored] == [q.question_id for q, _ in proposed]
    for (question, one), (_, other) in zip(proposed, scored, strict=True):
        np.testing.assert_array_equal(other.rows, one.rows)
        np.testing.assert_allclose(other.whole, one.whole, rtol=1e-5)
        ours, theirs = (reader.layout.probability(found.parts) for found in (one, other))
        windows = list(reader.windows(question))
        for row, a, b in zip(one.rows.tolist(), ours, theirs, strict=True):
            inside = [w for p, w in windows if p == row[0] and w.start <= row[1] and row[2] <= w.end]
            # Of a span in several windows the one counts that finds it most probable, even if it did not propose it.
            assert b == pytest.approx(a, rel=1e-4) if len(inside) == 1 else b >= a * (1 - 1e-4)


@heads
def test_of_what_no_window_shows_nothing_is_said(head: str, make_reader: MakeReader) -> None:
    recipe, reader = make_reader(head)
    question = questions()[6]
    rows = np.array([[0, 0, 150], [1, 0, 1], [9, 0, 2], [0, 3, 5]], np.int32)
    given = Candidates(rows, np.zeros((4, len(reader.layout.parts)), np.float32), reader.nothing)
    ((_, found),) = reader.score([(question, given)])
    assert (found.parts[:3] == 0).all() and (found.parts[3] > 0).all()
    assert QaTask().decoder(recipe, Path()).decode(question, found, recipe.decode).candidates[0].start == 3


@heads
def test_models_are_averaged_on_disk(head: str, make_reader: MakeReader, tmp_path: Path) -> None:
    recipe, reader = make_reader(head)
    asked = questions()[:7]
    proposed = [found for _, found in reader.propose(asked, floor=Floor())]
    assert write_candidates(tmp_path, reader.layout, Floor(), proposed) == 7
    kept = read_candidates(tmp_path)
    assert kept.layout == reader.layout
    decoder = QaTask().decoder(recipe, Path())
    for question, one, other in zip(asked, kept, proposed, strict=True):
        given = replace(one, rows=union([one, other]), parts=np.zeros_like(one.parts))
        (_, again), (_, twice) = (next(reader.score([(question, given)])) for _ in range(2))
        mean = merged([again, twice])
        assert mean.models == 2
        np.testing.assert_allclose(mean.parts, again.parts, rtol=1e-6)
        answered = decoder.decode(question, mean, recipe.decode)
        assert answered.answer == decoder.decode(question, again, recipe.decode).answer


@heads
def test_decoding_needs_no_torch(head: str) -> None:
    told = f"""
import sys
from pathlib import Path
from ietool.recipe_io import load_recipe
from ietool.tasks.qa import QaTask
recipe = load_recipe({"qa" if head == "reader" else f"qa-{head}"!r})
QaTask().decoder(recipe, Path())
assert not {{"torch", "transformers"}} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", told], check=True)
