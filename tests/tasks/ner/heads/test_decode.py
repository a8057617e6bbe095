"""Batched decoding against one text at a time and loops over all paths; windows; what texts may look like."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ietool.tasks.ner.heads.opening import open_predictor
from ietool.tasks.ner.heads.predictor import NerPredictor, Recognised
from torch import nn

from ietool.errors import UserError
from ietool.tasks.ner.data.reading import Example
from ietool.tasks.ner.features.featurizer import LABELS, Labels, Piece
from ietool.tasks.ner.heads.merging import UnitRow, owned, widened, without_overlaps
from ietool.text.windows import windows
from tests.tasks.ner.heads.test_model import Made, logsumexp, span_scores
from tests.tasks.ner.made import encoder_folder, examples, loud_model, prepare_examples, small_recipe

any_character = st.sampled_from("林满AdaＡ１, \n\t云州的İ🙂是\u3000。\u200b") | st.characters(exclude_categories=["Cs"])


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return encoder_folder(tmp_path_factory.mktemp("tiny") / "e", positions=30)


@pytest.fixture(scope="module", params=["dgcnn-crf", "dgcnn-bio", "dgcnn-gp", "bert-crf", "bert-gp"])
def predictor(request: pytest.FixtureRequest, bert: Path, tmp_path_factory: pytest.TempPathFactory) -> NerPredictor:
    encoder, head = request.param.split("-")
    name = "ner-globalpointer" if head == "gp" else "ner-crf"
    more = ["model.tags=bio"] if head == "bio" else []
    recipe = small_recipe(name, f"model.encoder={bert if encoder == 'bert' else encoder}", *more)
    some = examples(20, nested=head == "gp")
    prepared = prepare_examples(recipe, tmp_path_factory.mktemp("p"), some, some[:3]).folder
    return open_predictor(recipe, loud_model(recipe, prepared), prepared)


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


# -- heads against loops


def walked(predictor: NerPredictor, emissions: list[list[float]], forced: dict[int, set[int]]) -> tuple[float, float]:
    """(log of the sum over all paths, score of the best) with the tags of some units ``forced`` into a set."""
    crf = predictor.model.crf
    assert crf is not None
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


def test_the_best_path_and_its_probabilities(predictor: NerPredictor) -> None:
    if predictor.tagset is None:
        pytest.skip("no CRF")
    tags, count = predictor.tagset, 0
    out = predictor.model.out
    assert isinstance(out, nn.Linear)
    for example in examples(6, seed=3):
        (piece,) = predictor.featurizer.pieces([example.text])
        inside = piece.units.inside.nonzero()[0].tolist()
        ids = torch.from_numpy(piece.units.ids)[None].long()
        words, pos = (torch.from_numpy(x)[None].long() for x in (piece.units.words, piece.units.tags))
        with torch.no_grad():
            h = predictor.model.encode(ids, torch.tensor([len(piece.units)]), words, pos)[0]
            emissions = out(h[inside]).tolist()
        found = predictor.rows([piece])[0]
        # The entities state a path of the best score …
        place = {unit: k for k, unit in enumerate(inside)}
        rows = [(place[a], place[b - 1] + 1, kind) for a, b, kind, _ in found]
        path = tags.encode(rows, len(inside)).tolist()
        everything, best = walked(predictor, emissions, {})
        assert walked(predictor, emissions, {t: {tag} for t, tag in enumerate(path)})[1] == pytest.approx(
            best, abs=1e-4
        )
        # … and each is as probable as all paths together that have it.
        for (first, behind, kind), (_, _, _, probability) in zip(rows, found, strict=True):
            forced = {t: {path[t]} for t in range(first, behind)}
            if tags.scheme == "bio" and behind < len(path):
                forced[behind] = set(range(len(tags))) - {tags.number("I", kind)}
            share = math.exp(walked(predictor, emissions, forced)[0] - everything)
            assert probability == pytest.approx(share, abs=1e-5)
            count += 1
    assert count > 10


@pytest.mark.parametrize("encoder", ["dgcnn", "bert"])
def test_spans_above_the_threshold(tmp_path: Path, bert: Path, encoder: str) -> None:
    made = Made(tmp_path, "ner-globalpointer", f"model.encoder={bert if encoder == 'bert' else encoder}",
                "decode.threshold=0.4")  # fmt: skip
    predictor = open_predictor(made.recipe, made.model, made.folder)
    texts = [e.text for e in examples(20, nested=True)]
    pieces = predictor.featurizer.pieces(texts[:4])
    count = 0
    for n, rows in enumerate(predictor.rows(pieces)):
        with torch.no_grad():
            scores = {
                (i, j + 1, kind): float(torch.sigmoid(torch.tensor(score)))
                for kind in range(made.model.config.types)
                for (i, j), score in span_scores(made, n, kind).items()
            }
        wanted = {at: p for at, p in scores.items() if p > 0.4}
        assert {row[:3]: row[3] for row in rows} == pytest.approx(wanted, abs=1e-4)
        count += len(wanted)
    assert count > 10


# -- batches


def test_a_batch_finds_what_single_texts_have(predictor: NerPredictor) -> None:
    inputs = [Example(e.text) for e in examples(30, seed=4)] + [Example(""), Example(" \n"), Example("雨")]
    together = list(predictor.predict(inputs))
    assert same(together, [next(predictor.predict([x])) for x in inputs]) > 40
    assert [x.example for x in together] == inputs
    for found in together:
        check(found)
    assert 0 < predictor.highest_probability <= 1


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text(any_character, max_size=70), max_size=4))
def test_any_text(predictor: NerPredictor, texts: list[str]) -> None:
    """Long ones included: windows are cut and merged. Special tokens are never in an entity."""
    inputs = [Example(text) for text in texts]
    found = list(predictor.predict(inputs))
    for x in found:
        check(x)
        if predictor.tagset is not None:
            assert all(a.end <= b.start for a, b in zip(x.entities, x.entities[1:], strict=False))
    same(found, [next(predictor.predict([x])) for x in inputs])
    pieces = predictor.featurizer.pieces(texts)
    for piece, rows in zip(pieces, predictor.rows(pieces) if pieces else [], strict=True):
        for first, behind, _, _ in rows:
            assert piece.units.inside[first:behind].all()


def test_a_high_threshold_silences(predictor: NerPredictor) -> None:
    inputs = [Example(e.text) for e in examples(10, seed=4)]
    (before,) = (predictor.threshold,)
    try:
        all_ = list(predictor.predict(inputs))
        predictor.threshold = 0.7
        some = list(predictor.predict(inputs))
    finally:
        predictor.threshold = before
    for one, other in zip(all_, some, strict=True):
        assert set(places(other)) <= set(places(one))
        assert all(e.probability >= 0.7 for e in other.entities)
    assert sum(len(x.entities) for x in some) < sum(len(x.entities) for x in all_)


# -- windows


@settings(max_examples=200)
@given(
    st.text(st.sampled_from("山水。\n"), min_size=1, max_size=150),
    st.integers(8, 40),
    st.data(),
)
def test_what_windows_say_is_put_together_again(text: str, size: int, data: st.DataObject) -> None:
    """Every window gives the entities it holds whole, and what its edges leave of others: the text has those that are
    there, as long as none is longer than what windows share."""
    overlap = data.draw(st.integers(1, size - 1))
    starts = st.integers(0, len(text) - 1)
    gold = data.draw(st.sets(st.tuples(starts, st.integers(1, overlap)).map(lambda s: (s[0], min(sum(s), len(text))))))
    cuts = windows(text, size, overlap)
    found = [[(max(a, start), min(b, end), 0, 0.5) for a, b in gold if a < end and start < b] for start, end in cuts]
    assert [(a, b) for a, b, _, _ in owned(cuts, found)] == sorted(gold)


class Known(NerPredictor):
    """Finds every 林满 whole in a piece, and where the piece ends within one, what it has of it."""

    def rows(self, pieces: Sequence[Piece]) -> list[list[UnitRow]]:
        found = []
        for piece in pieces:
            text = self.text[piece.start : piece.end]
            rows = [
                (at, min(at + 2, len(text)), 0, 0.9) for at in range(len(text)) if text[at : at + 2] in ("林满", "林")
            ]
            if text[:1] == "满":
                rows.append((0, 1, 0, 0.9))
            found.append(rows)
        return found

    text = ""


@pytest.mark.parametrize("shift", range(12))
def test_entities_on_the_border_of_windows_are_whole(tmp_path: Path, shift: int) -> None:
    made = Made(tmp_path, "ner-crf")
    opened = open_predictor(made.recipe, made.model, made.folder)
    predictor = Known(made.recipe, made.model, opened.featurizer, opened.labels)
    predictor.text = "云" * shift + "林满在云" * 30
    (found,) = predictor.predict([Example(predictor.text)])
    wanted = [at for at in range(len(predictor.text)) if predictor.text.startswith("林满", at)]
    assert [(e.start, e.end) for e in found.entities] == [(at, at + 2) for at in wanted]


def test_a_long_text_has_what_its_middle_has_alone(predictor: NerPredictor) -> None:
    """Beyond the first window too, and at the right place."""
    text = "".join(e.text for e in examples(12, seed=6))
    (found,) = predictor.predict([Example(text)])
    check(found)
    cuts = windows(text, predictor.featurizer.window, predictor.featurizer.overlap)
    assert len(cuts) > 5
    alone = [next(predictor.predict([Example(text[start:end])])) for start, end in cuts]
    everywhere = {(start + a, start + b, k) for (start, _), x in zip(cuts, alone, strict=True) for a, b, k in places(x)}
    assert set(places(found)) <= everywhere
    assert max(start for start, _, _ in places(found)) > len(text) - 40


# -- tokens of a file


def test_entities_keep_to_tokens() -> None:
    tokens = [(0, 2), (2, 3), (4, 8)]
    found = [(0, 1, 0, 0.5), (1, 3, 1, 0.6), (3, 4, 0, 0.9), (3, 5, 0, 0.7), (5, 6, 2, 0.8)]
    assert widened(found, tokens) == [(0, 2, 0, 0.5), (0, 3, 1, 0.6), (4, 8, 0, 0.7), (4, 8, 2, 0.8)]
    assert without_overlaps(widened(found, tokens)) == [(0, 3, 1, 0.6), (4, 8, 2, 0.8)]


def test_a_file_of_tokens_gets_one_tag_a_token(predictor: NerPredictor) -> None:
    from ietool.tasks.ner.data.reading import read_inputs

    words = ["Ada", "Lin", "在", "云州", "2024", "年", "说", "大学", "下雨", "了"]
    lines = [("f", n, word) for n, word in enumerate(words * 3, 1)]
    (example,) = read_inputs(lines)
    (found,) = predictor.predict([example])
    check(found)
    starts, ends = {a for a, _ in example.tokens}, {b for _, b in example.tokens}
    assert all(e.start in starts and e.end in ends for e in found.entities)
    assert all(a.end <= b.start for a, b in zip(found.entities, found.entities[1:], strict=False))


# -- damage


def test_what_does_not_fit_the_model_is_told(tmp_path: Path, predictor: NerPredictor, bert: Path) -> None:
    recipe = small_recipe()
    prepared = prepare_examples(recipe, tmp_path, examples(20), examples(3)).folder
    model = loud_model(recipe, prepared)
    other = small_recipe("ner-globalpointer")
    with pytest.raises(UserError, match=r"recipe.yaml: does not fit the model beside it → train again"):
        open_predictor(other, model, prepared)
    with pytest.raises(UserError, match=r"recipe.yaml: does not fit"):
        open_predictor(small_recipe("ner-crf", "model.tags=bio"), model, prepared)
    Labels(("甲", "乙", "丙"), "cluener").save(prepared)
    with pytest.raises(UserError, match=rf"{LABELS}: does not fit the model"):
        open_predictor(recipe, model, prepared)
    for text in ("", "[]", '{"types": [1]}', '{"types": "ab"}'):
        (prepared / LABELS).write_text(text, encoding="utf-8")
        with pytest.raises(UserError, match=rf"{LABELS}: is no list of types"):
            Labels.load(prepared)
    (prepared / LABELS).unlink()
    with pytest.raises(UserError, match=rf"{LABELS}: is missing"):
        Labels.load(prepared)
