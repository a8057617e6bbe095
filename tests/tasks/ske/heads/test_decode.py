"""Batched two-stage decoding against the literal one-at-a-time loop, and what texts may look like."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ietool.core.candidates import Floor
from ietool.core.pools import Reading
from ietool.errors import UserError
from ietool.recipe_io import save_recipe
from ietool.tasks.ske.data.example import Example
from ietool.tasks.ske.features.featurizer import SCHEMA
from ietool.tasks.ske.features.prior import NAMES, ROWS
from ietool.tasks.ske.heads.assembly import ExtractedTriple, Extraction, whole_names
from ietool.tasks.ske.heads.decoder import CUT_OBJECT
from ietool.tasks.ske.heads.reader import Found
from ietool.tasks.ske.recipe import SkeRecipe
from ietool.text.encoding import CHARACTERS
from ietool.text.spans import nearest_spans
from ietool.text.windows import windows
from tests.tasks.ske.made import (
    Opened,
    asked,
    head_of_corpus,
    loud_model,
    open_predictor,
    prepare_small,
    read_otherwise,
    rows_of,
    small_recipe,
    texts_of,
    uncapped,
)
from tests.tasks.ske.reference_decode import ReferencePredictor

any_character = st.sampled_from("《》ＡａA１, \n\t山水人的İ🙂是\u3000。") | st.characters(exclude_categories=["Cs"])
marks = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 7)), max_size=20, unique=True).map(sorted)


@settings(deadline=None)
@given(marks, marks, st.integers(8, 12))
def test_nearest_spans_is_the_loop(starts: list[tuple[int, int]], ends: list[tuple[int, int]], length: int) -> None:
    expected = []
    for i, (group, start) in enumerate(starts):
        for j, (other, end) in enumerate(ends):
            if other == group and end >= start:
                expected.append((i, j, group))
                break
    s, e = (np.array(x, np.int64).reshape(-1, 2) for x in (starts, ends))
    found = nearest_spans(s[:, 1], e[:, 1], s[:, 0], e[:, 0], length)
    assert list(zip(*(column.tolist() for column in found), strict=True)) == expected


@pytest.fixture(scope="module", params=[True, False], ids=["priors", "no priors"])
def predictor(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Opened:
    folder = tmp_path_factory.mktemp("decode")
    recipe = small_recipe(f"model.priors={str(request.param).lower()}", "model.part_of_speech=true")
    prepared = prepare_small(recipe, head_of_corpus(folder), folder)
    # Seeds whose weights find neither nothing nor everything. In double precision, since weights this wild carry what
    # the order of additions rounds off, which differs with the batch, up to the fourth digit.
    model = loud_model(recipe, prepared, seed=2 if request.param else 6).double()
    return uncapped(open_predictor(recipe, model, prepared))


def recipe_of(predictor: Opened) -> SkeRecipe:
    """The recipe that it was made with."""
    reader: Any = predictor.reader
    return small_recipe(f"model.priors={str(reader.priors).lower()}", "model.part_of_speech=true")


@pytest.fixture(scope="module")
def texts() -> list[str]:
    from ietool import paths

    return texts_of(paths.shipped_data("ske") / "train.jsonl")[:40]


def same(found: list[Extraction], expected: list[Extraction]) -> int:
    """Assert that texts, triples, offsets and probabilities are equal; returns the number of triples."""
    assert [e.text for e in found] == [e.text for e in expected]
    for ours, theirs in zip(found, expected, strict=True):
        ours_by, theirs_by = ({t.triple: t for t in e.triples} for e in (ours, theirs))
        assert ours_by.keys() == theirs_by.keys()
        assert len(ours_by) == len(ours.triples)
        for triple, t in ours_by.items():
            other = theirs_by[triple]
            assert (t.subject, t.slots) == (other.subject, other.slots)
            assert t.probability == pytest.approx(other.probability, abs=1e-4)
    return sum(len(e.triples) for e in found)


def test_batched_finds_what_the_loop_finds(predictor: Opened, texts: list[str]) -> None:
    examples = [Example(text) for text in texts]
    count = same(list(predictor.predict(examples)), list(ReferencePredictor(predictor).predict(examples)))
    assert count > 100  # else the comparison says nothing


def test_batch_size_and_pool_do_not_matter(predictor: Opened, texts: list[str]) -> None:
    examples = [Example(text) for text in texts[:20]]
    other = read_otherwise(predictor, pool=2, batch_size=3)
    assert same(list(predictor.predict(examples)), list(other.predict(examples))) > 20


def test_priors_reach_the_decoder(predictor: Opened, texts: list[str]) -> None:
    reader: Any = predictor.reader
    if not reader.priors:
        pytest.skip("without priors")
    blind = reader.featurizer.prior
    try:
        reader.featurizer.prior = None
        without = list(predictor.predict([Example(text) for text in texts]))
    finally:
        reader.featurizer.prior = blind
    assert without != list(predictor.predict([Example(text) for text in texts]))


def check_spans(found: Extraction) -> None:
    """Every span is a slice of the text as given, and the string of its triple."""
    for t in found.triples:
        assert t.subject is not None
        assert found.text[t.subject.start : t.subject.end] == t.subject.text == t.triple.subject
        assert all(found.text[span.start : span.end] == span.text for _, span in t.slots)
        assert {(slot, span.text) for slot, span in t.slots} == set(t.triple.object)
        assert 0 <= t.probability <= 1


def _touches(t: ExtractedTriple, length: int) -> bool:
    assert t.subject is not None
    return any(span.start == 0 or span.end == length for span in (t.subject, t.slots[0][1]))


def test_a_name_cut_by_a_window_is_not_found_beside_the_whole(
    predictor: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader: Any = predictor.reader
    name = "云州大学出版社"
    text = "水" * (reader.size - 4) + "山" + name + "水" * reader.size
    label = next(n for n, (_, slot) in enumerate(reader.featurizer.schema.labels) if slot == "@value")
    encode, read = reader.featurizer.encode_all, []

    def encoded(texts: Sequence[str], known: object) -> object:
        read.append(texts)
        return encode(texts, known)

    def stub(features: object, floor: object) -> Reading[Found]:
        """Of each window what it has of the name, as the object of 山."""
        yield
        at, rows = [], []
        for number, part in enumerate(read[-1]):
            size = next((n for n in range(len(name), 2, -1) if name[:n] in part), 0)
            place = part.find("山")
            if size and place >= 0:
                at.append(number)
                rows.append((place, place + 1, label, place + 1, place + 1 + size))
        parts = np.tile(np.array([0.9, 0.9, 0, 0.9, 0.9, 0], np.float32), (len(at), 1))
        return Found(np.array(at), np.array(rows).reshape(-1, 5), parts, np.zeros(len(read[-1]), np.int64))

    monkeypatch.setattr(reader.featurizer, "encode_all", encoded)
    monkeypatch.setattr(reader, "found", stub)
    ((_, candidates),) = reader.propose([Example(text)], floor=Floor())
    assert candidates.rows[:, 4].tolist().count(reader.size) == 1 and len(candidates) == 2  # its first half, and whole
    assert sorted(candidates.rows[:, 5].tolist()) == [0, CUT_OBJECT]
    (found,) = predictor.predict([Example(text)])
    assert [t.slots[0][1].text for t in found.triples] == [name]


def test_halves_of_names() -> None:
    rows = [(0, 1, 2, 10, 13, 0.9), (0, 1, 2, 10, 17, 0.8), (5, 6, 2, 10, 13, 0.7), (0, 1, 3, 10, 13, 0.6)]
    assert whole_names(rows, {(row, 3) for row in rows}) == rows[1:]  # other subjects, other labels stay
    assert whole_names(rows, {(rows[0], 0)}) == rows  # its subject was cut, not its object
    assert whole_names(rows, set()) == rows
    turned = [(c, d, label, a, b, p) for a, b, label, c, d, p in rows]
    assert whole_names(turned, {(row, 0) for row in turned}) == turned[1:]


def test_other_rules_than_those_of_the_run(predictor: Opened, tmp_path: Path) -> None:
    """What prediction asks for takes the place of what the run carries; what is not there is told."""
    reader: Any = predictor.reader
    recipe = recipe_of(predictor)
    run = prepare_small(recipe, head_of_corpus(tmp_path), tmp_path)
    recipe.decode.rules, recipe.decode.apply_rules = "ske", True
    save_recipe(recipe, run / "recipe.yaml")
    (run / "rules.yaml").write_text("rules:\n- {kind: distinct, predicates: ['*']}\n", encoding="utf-8")
    decoder: Any = open_predictor(recipe, reader.model, run).decoder
    rules = decoder.rules_of(recipe.decode)
    assert rules is not None and len(rules.rules) == 1
    assert decoder.rules_of(recipe.decode.model_copy(update={"apply_rules": False})) is None
    recipe.decode.rules = str(tmp_path / "none.yaml")
    with pytest.raises(UserError, match="no rule file"):
        open_predictor(recipe, reader.model, run)


def test_long_texts_are_windowed_and_merged(predictor: Opened, texts: list[str]) -> None:
    """What is found in a window alone is found in the long text, at the offset of the window."""
    reader: Any = predictor.reader
    long = "".join(texts[:12])
    cuts = windows(long, reader.size, reader.overlap)
    assert len(cuts) > 5
    (whole,) = predictor.predict([Example(long)])
    check_spans(whole)
    triples = {(t.triple.subject, t.triple.predicate, t.triple.object[0]) for t in whole.triples}
    places = {(t.subject.start, t.subject.end) for t in whole.triples if t.subject}
    parts = predictor.predict([Example(long[start:end]) for start, end in cuts])
    for (start, end), part in zip(cuts, parts, strict=True):
        # The first slot alone: the others may have a nearer filler in the whole. And names that the window may have cut
        # in two may be longer there.
        inner = [t for t in part.triples if not _touches(t, end - start)]
        assert {(t.triple.subject, t.triple.predicate, t.triple.object[0]) for t in inner} <= triples
        places -= {(t.subject.start + start, t.subject.end + start) for t in part.triples if t.subject}
    assert not places  # and nothing stands where no window has it
    seen = {(t.subject.start, t.subject.end) for t in whole.triples if t.subject}
    # Beyond the first windows too.
    assert max(at[0] for at in seen) > len(long) - 2 * reader.size
    assert same([whole], list(ReferencePredictor(predictor).predict([Example(long)]))) > 20


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text(any_character, max_size=70), max_size=5))
def test_any_text(predictor: Opened, found: list[str]) -> None:
    """Case, width, blanks, line ends and characters of two UTF-16 units come back as they were."""
    examples = [Example(text) for text in found]
    predictions = list(predictor.predict(examples))
    for prediction in predictions:
        check_spans(prediction)
    same(predictions, list(ReferencePredictor(predictor).predict(examples)))


def test_case_and_width_are_kept(predictor: Opened, texts: list[str]) -> None:
    reader: Any = predictor.reader
    text = texts[0].replace("，", "ＡBc，")
    lower = text.replace("ＡBc", "ａbc")
    (found,), (folded,) = predictor.predict([Example(text)]), predictor.predict([Example(lower)])
    assert found.triples
    check_spans(found)
    # The model reads both as the same, so it finds the same places.
    if not reader.priors:
        assert {t.subject and t.subject.start for t in found.triples} == {
            t.subject and t.subject.start for t in folded.triples
        }


def test_nothing_from_nothing(predictor: Opened) -> None:
    assert list(predictor.predict([])) == []
    assert list(predictor.predict([Example("")])) == [Extraction("", ())]
    found = list(predictor.predict([Example(""), Example("山"), Example("")]))
    assert [e.text for e in found] == ["", "山", ""]


def test_twenty_thousand_characters(predictor: Opened, texts: list[str]) -> None:
    """Also where the text repeats itself, so that each name stands there thousands of times."""
    patient = read_otherwise(asked(predictor, subject_start=0.9999, object_start=0.999), size=320, overlap=96)
    text = (texts[0] * 800)[:20_000]
    began = time.process_time()
    (found,) = patient.predict([Example(text)])
    assert time.process_time() - began < 30  # four times what it takes on a quiet core
    assert found.text == text
    check_spans(found)


def test_many_subjects_are_done_in_parts(predictor: Opened, texts: list[str]) -> None:
    """The scores of all pairs at once would not fit; in parts they are the same."""
    reader: Any = predictor.reader
    features = [reader.featurizer.encode(text) for text in texts[:6]]
    whole = rows_of(predictor, features)
    objects, calls = reader.model.objects, []

    def counted(encoded: dict[str, torch.Tensor], sentence: torch.Tensor, *rest: torch.Tensor) -> object:
        calls.append(len(sentence))
        return objects(encoded, sentence, *rest)

    features = features * 8
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reader.model, "objects", counted)
        patch.setattr("ietool.tasks.ske.heads.stages.reader.SCORES", 40 * 2 * 48 * reader.labels)
        many = rows_of(predictor, features)
    assert len(calls) > 1 and max(calls) <= 40
    assert [len(rows) for rows in many] == [len(rows) for rows in whole] * 8


@pytest.mark.parametrize("name", [CHARACTERS, SCHEMA])
def test_files_of_another_model_are_refused(predictor: Opened, tmp_path: Path, name: str) -> None:
    reader: Any = predictor.reader
    recipe = recipe_of(predictor)
    other = prepare_small(recipe, head_of_corpus(tmp_path, train=30), tmp_path)
    if name == SCHEMA:
        reader.featurizer.reader.vocabulary.save(other / CHARACTERS)
        lines = (other / SCHEMA).read_text(encoding="utf-8").replace('"@value"', '"more": [], "@value"', 1)
        (other / SCHEMA).write_text(lines, encoding="utf-8")
    with pytest.raises(UserError, match=f"{name}: does not fit"):
        open_predictor(recipe, reader.model, other)


@pytest.mark.parametrize("content", [None, b"", b"{\xff"])
@pytest.mark.parametrize("name", [CHARACTERS, SCHEMA, NAMES, ROWS])
def test_files_that_are_missing_or_damaged(predictor: Opened, tmp_path: Path, name: str, content: bytes | None) -> None:
    reader: Any = predictor.reader
    recipe = recipe_of(predictor)
    if name in (NAMES, ROWS) and not reader.priors:
        pytest.skip("a run without priors has no such file")
    damaged = prepare_small(recipe, head_of_corpus(tmp_path, train=30), tmp_path)
    if content is None:
        (damaged / name).unlink()
    else:
        (damaged / name).write_bytes(content)
    with pytest.raises(UserError) as caught:
        open_predictor(recipe, reader.model, damaged)
    told = str(caught.value)
    assert str(damaged / name) in told and " → " in told and "Errno" not in told
    assert "is missing" in told or content is not None
