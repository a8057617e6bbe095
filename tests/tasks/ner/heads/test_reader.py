"""Reading texts with a model: batches against one text at a time, windows, and what texts may look like."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ietool.core.candidates import Floor
from ietool.core.pools import Reading, finished
from ietool.core.predicting import Predictor
from ietool.core.span_reader import Spans
from ietool.errors import UserError
from ietool.tasks.ner.data.example import Example
from ietool.tasks.ner.data.reading import read_inputs
from ietool.tasks.ner.features.featurizer import LABELS, Labels
from ietool.tasks.ner.heads.crf.model import CRFModel
from ietool.tasks.ner.heads.crf.reader import CRFReader
from ietool.tasks.ner.heads.decoder import Recognised
from ietool.tasks.ner.heads.reader import Encoded, NerReader
from ietool.text.windows import windows
from tests.tasks.ner.made import TASK, Made, encoder_folder, examples, logsumexp, prepare_examples, small_recipe

Pair = Predictor[Example, Recognised]

any_character = st.sampled_from("林满AdaＡ１, \n\t云州的İ🙂是\u3000。\u200b") | st.characters(exclude_categories=["Cs"])


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return encoder_folder(tmp_path_factory.mktemp("tiny") / "e", positions=30)


@pytest.fixture(scope="module", params=["dgcnn-crf", "dgcnn-bio", "dgcnn-gp", "bert-crf", "bert-gp"])
def predictor(request: pytest.FixtureRequest, bert: Path, tmp_path_factory: pytest.TempPathFactory) -> Pair:
    encoder, head = request.param.split("-")
    name = "ner-globalpointer" if head == "gp" else "ner-crf"
    more = ["model.head.tags=bio"] if head == "bio" else []
    chosen = bert if encoder == "bert" else "characters"
    return Made(tmp_path_factory.mktemp("p"), name, f"model.encoder={chosen}", *more).predictor


def reader_of(predictor: Pair) -> NerReader[CRFModel]:
    reader = predictor.reader
    assert isinstance(reader, NerReader)
    return reader


def places(found: Recognised) -> list[tuple[int, int, str]]:
    return [(e.start, e.end, e.type) for e in found.entities]


def same(found: Sequence[Recognised], wanted: Sequence[Recognised]) -> int:
    """Assert that they are equal; the number of entities."""
    assert [places(x) for x in found] == [places(x) for x in wanted]
    for one, other in zip(found, wanted, strict=True):
        assert [e.probability for e in one.entities] == pytest.approx([e.probability for e in other.entities], abs=1e-4)
    return sum(len(x.entities) for x in found)


def check(found: Recognised) -> None:
    """Spans are slices of the text as given; probabilities are some."""
    for e in found.entities:
        assert found.example.text[e.start : e.end] == e.text and 0 <= e.start < e.end <= len(found.example.text)
        assert 0 <= e.probability <= 1
    assert places(found) == sorted(set(places(found)))


# -- the best path in units, against a walk over all paths


def walked(reader: CRFReader, emissions: list[list[float]], forced: dict[int, set[int]]) -> tuple[float, float]:
    """(log of the sum over all paths, score of the best) with the tags of some units ``forced`` into a set."""
    crf = reader.model.crf
    tags = range(len(crf.start))
    begin, follow, finish = crf.begin.tolist(), crf.follow.tolist(), crf.finish.tolist()
    start, steps, end = ((p.detach() * crf.scale).tolist() for p in (crf.start, crf.transitions, crf.end))
    never = -math.inf

    def total(values: list[float]) -> float:
        finite = [v for v in values if v > never]
        return logsumexp(finite) if finite else never

    rows = []
    for combine in (total, max):
        row = [start[k] + emissions[0][k] if begin[k] and k in forced.get(0, tags) else never for k in tags]
        for t in range(1, len(emissions)):
            row = [
                combine([row[a] + steps[a][b] if follow[a][b] else never for a in tags]) + emissions[t][b]
                if b in forced.get(t, tags)
                else never
                for b in tags
            ]
        rows.append(combine([row[k] + end[k] if finish[k] else never for k in tags]))
    return rows[0], rows[1]


def test_the_best_path_and_its_probabilities(predictor: Pair) -> None:
    reader = predictor.reader
    if not isinstance(reader, CRFReader):
        pytest.skip("no CRF")
    tags, count = reader.tagset, 0
    for example in examples(6, seed=3):
        (piece,) = reader.featurizer.pieces([example.text])
        inside = piece.units.inside.nonzero()[0].tolist()
        ids = torch.from_numpy(piece.units.ids)[None].long()
        words, pos = (torch.from_numpy(x)[None].long() for x in (piece.units.words, piece.units.tags))
        with torch.inference_mode():
            h = reader.model.encode(ids, torch.tensor([len(piece.units)]), words, pos)[0]
            emissions = reader.model.out(h[inside]).tolist()
            found = finished(reader.found(reader.encode([piece]), Floor(parts={"path": 0.0})))
        # The entities state a path of the best score …
        place = {unit: k for k, unit in enumerate(inside)}
        rows = [(place[a], place[b - 1] + 1, kind) for a, b, kind in found.rows.tolist()]
        path = tags.encode(rows, len(inside)).tolist()
        everything, best = walked(reader, emissions, {})
        assert walked(reader, emissions, {t: {tag} for t, tag in enumerate(path)})[1] == pytest.approx(best, abs=1e-4)
        # … and each is as probable as all paths together that have it.
        for (first, behind, kind), probability in zip(rows, found.parts[:, 0].tolist(), strict=True):
            forced = {t: {path[t]} for t in range(first, behind)}
            if tags.scheme == "bio" and behind < len(path):
                forced[behind] = set(range(len(tags))) - {tags.number("I", kind)}
            share = math.exp(walked(reader, emissions, forced)[0] - everything)
            assert probability == pytest.approx(share, abs=1e-5)
            count += 1
    assert count > 10


# -- batches


def test_a_batch_finds_what_single_texts_have(predictor: Pair) -> None:
    inputs = [Example(e.text) for e in examples(30, seed=4)] + [Example(""), Example(" \n"), Example("雨")]
    together = list(predictor.predict(inputs))
    assert same(together, [next(predictor.predict([x])) for x in inputs]) > 40
    assert [x.example for x in together] == inputs
    for found in together:
        check(found)
    assert 0 < predictor.highest_probability <= 1


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text(any_character, max_size=70), max_size=4))
def test_any_text(predictor: Pair, texts: list[str]) -> None:
    """Long ones included: windows are cut and merged. Special tokens are never in an entity."""
    inputs = [Example(text) for text in texts]
    found = list(predictor.predict(inputs))
    reader = reader_of(predictor)
    for x in found:
        check(x)
        if isinstance(reader, CRFReader):
            assert all(a.end <= b.start for a, b in zip(x.entities, x.entities[1:], strict=False))
    same(found, [next(predictor.predict([x])) for x in inputs])
    if pieces := reader.featurizer.pieces(texts):
        with torch.inference_mode():
            spans = finished(reader.found(reader.encode(pieces), Floor(0.01)))
        for n, (first, behind, _) in zip(spans.text.tolist(), spans.rows.tolist(), strict=True):
            assert pieces[n].units.inside[first:behind].all()


def test_a_high_threshold_silences(predictor: Pair) -> None:
    inputs = [Example(e.text) for e in examples(10, seed=4)]
    all_ = list(predictor.predict(inputs))
    strict = predictor.settings.model_copy(update={"threshold": 0.7})
    some = list(Predictor(predictor.reader, predictor.decoder, strict).predict(inputs))
    for one, other in zip(all_, some, strict=True):
        assert set(places(other)) <= set(places(one))
        assert all(e.probability >= 0.7 for e in other.entities)
    assert sum(len(x.entities) for x in some) < sum(len(x.entities) for x in all_)


# -- windows


@pytest.mark.parametrize("shift", range(12))
def test_entities_on_the_border_of_windows_are_whole(
    tmp_path: Path, shift: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a reader that finds every 林满 whole in a window, and where the window ends within one, what it has of it."""
    predictor = Made(tmp_path, "ner-crf").predictor
    reader = reader_of(predictor)
    text = "云" * shift + "林满在云" * 30
    ids = {int(reader.featurizer.reader.units(c).ids[0]): c for c in "林满在云"}

    def found(encoded: Encoded, floor: Floor) -> Reading[Spans]:
        yield
        some = []
        for n, (own, within) in enumerate(zip(encoded.h.tolist(), encoded.within, strict=True)):
            text = "".join(ids[int(at)] for at in own[: int(within.sum())])
            some += [
                (n, at, min(at + 2, len(text)), 0) for at in range(len(text)) if text[at : at + 2] in ("林满", "林")
            ]
            some += [(n, 0, 1, 0)] * text.startswith("满")
        rows = np.array(some, np.int64).reshape(-1, 4)
        parts = np.array([(0.9, 1.0)] * len(rows), np.float32).reshape(-1, 2)
        return Spans(rows[:, 0], rows[:, 1:], parts, np.zeros(len(encoded.h), np.int64))

    monkeypatch.setattr(reader, "found", found)
    monkeypatch.setattr(reader.model, "encode", lambda ids, *_: ids)
    (recognised,) = predictor.predict([Example(text)])
    wanted = [at for at in range(len(text)) if text.startswith("林满", at)]
    assert [(e.start, e.end) for e in recognised.entities] == [(at, at + 2) for at in wanted]


def test_a_long_text_has_what_its_middle_has_alone(predictor: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the first window too, and at the right place."""
    monkeypatch.setattr(reader_of(predictor), "most", 1 << 20)  # random weights find more than a text may have
    text = "".join(e.text for e in examples(12, seed=6))
    (found,) = predictor.predict([Example(text)])
    check(found)
    featurizer = reader_of(predictor).featurizer
    cuts = windows(text, featurizer.window, featurizer.overlap)
    assert len(cuts) > 5
    alone = [next(predictor.predict([Example(text[start:end])])) for start, end in cuts]
    everywhere = {(start + a, start + b, k) for (start, _), x in zip(cuts, alone, strict=True) for a, b, k in places(x)}
    assert set(places(found)) <= everywhere
    assert max(start for start, _, _ in places(found)) > len(text) - 40


# -- tokens of a file


def test_a_file_of_tokens_gets_one_tag_a_token(predictor: Pair) -> None:
    words = ["Ada", "Lin", "在", "云州", "2024", "年", "说", "大学", "下雨", "了"]
    lines = [("f", n, word) for n, word in enumerate(words * 3, 1)]
    (example,) = read_inputs(lines)
    (found,) = predictor.predict([example])
    check(found)
    starts, ends = {a for a, _ in example.tokens}, {b for _, b in example.tokens}
    assert all(e.start in starts and e.end in ends for e in found.entities)
    assert all(a.end <= b.start for a, b in zip(found.entities, found.entities[1:], strict=False))


# -- damage


def test_what_does_not_fit_the_model_is_told(tmp_path: Path, bert: Path) -> None:
    made = Made(tmp_path, "ner-crf")
    recipe, model, prepared = made.recipe, made.model, made.folder

    def refused(recipe: object, match: str) -> None:
        with pytest.raises(UserError, match=match):
            TASK.predictor(recipe, model, prepared)  # type: ignore[arg-type]

    refused(small_recipe("ner-crf", "model.head.tags=bio"), r"recipe.yaml: does not fit the model beside it → train")
    with pytest.raises(UserError, match=r"recipe.yaml: does not fit"):
        CRFReader(small_recipe("ner-globalpointer"), made.model, prepared)  # type: ignore[arg-type]
    # Vocabulary of another run, and the tokenizer of another encoder.
    other = prepare_examples(recipe, tmp_path / "other", examples(4), examples(3)).folder
    kept = (prepared / "characters.txt").read_bytes()
    (prepared / "characters.txt").write_bytes((other / "characters.txt").read_bytes())
    refused(recipe, r"characters.txt: does not fit the model beside it")
    (prepared / "characters.txt").write_bytes(kept)
    (prepared / "words.txt").write_text("林满\n", encoding="utf-8")
    refused(recipe, r"words.txt: does not fit the model beside it")
    (prepared / "words.txt").unlink()
    tokens = small_recipe("ner-crf", f"model.encoder={bert}")
    with pytest.raises(UserError, match=r"tokenizer_config.json: does not fit the model beside it"):
        TASK.reader(recipe, model, prepare_examples(tokens, tmp_path / "bert", examples(4), examples(3)).folder)
    Labels(("甲", "乙", "丙"), "cluener").save(prepared)
    refused(recipe, rf"{LABELS}: does not fit the model")
    for text in ("", "[]", '{"types": [1]}', '{"types": "ab"}'):
        (prepared / LABELS).write_text(text, encoding="utf-8")
        with pytest.raises(UserError, match=rf"{LABELS}: is no list of types"):
            Labels.load(prepared)
    (prepared / LABELS).unlink()
    with pytest.raises(UserError, match=rf"{LABELS}: is missing"):
        Labels.load(prepared)


def test_a_model_of_another_head_is_told(tmp_path: Path) -> None:
    crf, pointer = Made(tmp_path / "c", "ner-crf"), Made(tmp_path / "g", "ner-globalpointer")
    for made, other in ((crf, pointer), (pointer, crf)):
        with pytest.raises(UserError, match=r"recipe.yaml: does not fit the model beside it → train again"):
            TASK.predictor(other.recipe, made.model, made.folder)
