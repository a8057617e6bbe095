"""Start and end on a pretrained encoder, against slow, literal twins. All sentences are invented."""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from ietool.errors import UserError
from ietool.nn.pretrained import open_pretrained
from ietool.tasks.qa import QaTask
from ietool.tasks.qa.data.question import Passage, Question
from ietool.tasks.qa.features.labels import LABELLED
from ietool.tasks.qa.heads.pairs import PairWindow, batch_of, encode, fitting
from ietool.tasks.qa.heads.span.model import SpanConfig, SpanModel, build
from ietool.tasks.qa.heads.span.reader import SpanReader, best_spans, open_reader
from ietool.tasks.qa.heads.span.recipe import SpanRecipe
from ietool.tasks.qa.heads.span.sampling import SpanTrainingSet
from ietool.text.tokens import TokenReader, fetch_tokenizer
from tests.tasks.qa.made import TEXTS, WEATHER, encoder_folder, fact, predictor_of, prepared_of, recipe_of

CLOSE = {"rtol": 1e-4, "atol": 1e-5}
LONG = (WEATHER + "Ada Lin写于Tirol。") * 9


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return encoder_folder(tmp_path_factory.mktemp("encoder"), mlm=False)


@pytest.fixture(scope="module")
def recipe(encoder: Path) -> SpanRecipe:
    found = recipe_of("span", encoder)
    assert isinstance(found, SpanRecipe)
    return found


@pytest.fixture(scope="module")
def prepared(recipe: SpanRecipe, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepared_of(recipe, tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def model(recipe: SpanRecipe, prepared: Path) -> SpanModel:
    torch.manual_seed(2)
    (prepared / LABELLED).touch()
    model = build(recipe, prepared)
    (prepared / LABELLED).unlink()
    with torch.no_grad():
        model.span.weight.normal_()
        model.span.bias.normal_()
    return model.eval()


@pytest.fixture(scope="module")
def reader(prepared: Path) -> TokenReader:
    return TokenReader.open(prepared)


def some_pieces(reader: TokenReader) -> list[PairWindow]:
    found = []
    for number in (0, 5, 10):
        question, passage, _ = fact(number)
        found += encode(reader, question, passage * (number // 5 or 1), [(0, len(passage)), (4, 9)], 4)
    return found


# -- the model


class Twin:
    """One pair, read without padding by the encoder itself, one choice at a time."""

    def __init__(self, model: SpanModel, piece: PairWindow) -> None:
        units = piece.units
        ids, types = (torch.from_numpy(row).long()[None] for row in (units.ids, units.types))
        h = model.encoder.backbone(input_ids=ids, token_type_ids=types).last_hidden_state[0]
        may = [0, *(at for at in range(len(units)) if units.part[at] == 1)]
        self.logits = {at: [float(model.span.weight[side] @ h[at] + model.span.bias[side]) for side in (0, 1)]
                       for at in may}  # fmt: skip
        self.labels = [float(x) for x in model.label.weight @ h[0] + model.label.bias] if model.label else []

    def share(self, at: int, side: int) -> float:
        total = math.fsum(math.exp(logits[side]) for logits in self.logits.values())
        return math.exp(self.logits[at][side]) / total if at in self.logits else 0.0


@torch.no_grad()
def test_a_batch_gives_what_one_pair_at_a_time_gives(model: SpanModel, reader: TokenReader) -> None:
    pieces = some_pieces(reader)
    assert len({len(piece.units) for piece in pieces}) > 3
    logits, labels = model.read(**batch_of(pieces))
    p = model.probabilities(logits)
    assert labels is not None
    for row, piece in enumerate(pieces):
        twin = Twin(model, piece)
        expected = torch.tensor([[twin.share(at, side) if at else 0.0 for side in (0, 1)] for at in range(p.shape[1])])
        torch.testing.assert_close(p[row], expected, **CLOSE)
        torch.testing.assert_close(labels[row], torch.tensor(twin.labels), **CLOSE)


@torch.no_grad()
def test_the_loss_is_the_sum_of_its_elements(model: SpanModel, reader: TokenReader) -> None:
    pieces = some_pieces(reader)[:4]
    first = int(np.flatnonzero(pieces[0].passage)[0])
    gold = [[(first, 0), (first + 1, 1), (first + 4, 0), (first + 5, 1)], [(0, 0), (0, 1)],
            [(first + 2, 0), (first + 2, 1)], [(0, 0), (0, 1)]]  # fmt: skip
    targets = torch.tensor([(row, at, side) for row, cells in enumerate(gold) for at, side in cells]).T
    known, kinds = torch.tensor([1.0, 1.0, 1.0, 0.0]), torch.tensor([2, -1, 0, -1])
    out = model(targets=targets, known=known, label_targets=kinds, **batch_of(pieces))
    twins = [Twin(model, piece) for piece in pieces]
    expected = 0.0
    for twin, cells in list(zip(twins, gold, strict=True))[:3]:
        for side in (0, 1):
            expected -= math.log(math.fsum(twin.share(at, s) for at, s in cells if s == side)) / 3
    for twin, kind in ((twins[0], 2), (twins[2], 0)):
        expected -= math.log(math.exp(twin.labels[kind]) / math.fsum(map(math.exp, twin.labels))) / 2
    assert out["loss"].item() == pytest.approx(expected, rel=1e-4)


def test_the_loss_is_finite_where_nothing_is_known(model: SpanModel, reader: TokenReader) -> None:
    pieces = some_pieces(reader)[:2]
    targets = torch.tensor([(row, 0, side) for row in (0, 1) for side in (0, 1)]).T
    loss = model(targets=targets, known=torch.zeros(2), label_targets=torch.tensor([-1, -1]), **batch_of(pieces))[
        "loss"
    ]
    loss.backward()
    assert loss.item() == 0 and all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)
    model.zero_grad()


@torch.no_grad()
def test_divergence_is_that_of_the_two_choices(model: SpanModel, reader: TokenReader) -> None:
    pieces = some_pieces(reader)[:3]
    first, _ = model.read(**batch_of(pieces))
    second = first + torch.where(first > -1e9, torch.randn_like(first), 0.0)
    expected = 0.0
    for row, piece in enumerate(pieces):
        may = [0, *np.flatnonzero(piece.passage).tolist()]
        for side in (0, 1):
            a, b = (x[row, may, side].softmax(0).tolist() for x in (first, second))
            expected += 0.5 * math.fsum(x * math.log(x / y) + y * math.log(y / x) for x, y in zip(a, b, strict=True))
    value = model.divergence({"logits": first}, {"logits": second})
    assert value.item() == pytest.approx(expected / 3, rel=1e-3)
    assert model.divergence({"logits": first}, {"logits": first}).item() == 0


def test_is_the_same_model_when_opened_again(model: SpanModel, reader: TokenReader, tmp_path: Path) -> None:
    model.save_pretrained(tmp_path)
    batch = batch_of(some_pieces(reader))
    with torch.no_grad():
        torch.testing.assert_close(open_pretrained(SpanModel, tmp_path).read(**batch)[0], model.read(**batch)[0])
    assert type(QaTask().load_model(tmp_path)) is SpanModel
    (tmp_path / "model.safetensors").write_bytes(b"nothing")
    with pytest.raises(UserError, match="damaged"):
        QaTask().load_model(tmp_path)


def test_a_cut_vocabulary_reads_the_same(recipe: SpanRecipe, prepared: Path, reader: TokenReader) -> None:
    cut = recipe.model_copy(deep=True)
    cut.model.encoder.cut_vocabulary = True
    full, small = (build(r, prepared).eval() for r in (recipe, cut))
    assert small.encoder.table.num_embeddings < full.encoder.table.num_embeddings
    with torch.no_grad():
        for ours, theirs in zip(small.span.parameters(), full.span.parameters(), strict=True):
            ours.copy_(theirs)
        batch = batch_of(some_pieces(reader))
        torch.testing.assert_close(small.read(**batch)[0], full.read(**batch)[0], **CLOSE)


def test_another_tokenizer_is_refused(recipe: SpanRecipe, model: SpanModel, prepared: Path) -> None:
    settings = dict(model.config.encoder or {}) | {"vocab_size": 9}
    with pytest.raises(UserError, match=r"tokenizer_config\.json.* does not fit"):
        open_reader(recipe, SpanModel(SpanConfig(encoder=settings)), prepared)


# -- spans


def brute_force(
    p: list[list[float]], tokens: list[tuple[int, int]], longest: int, least: tuple[float, float]
) -> list[float]:
    """The products of all starts and ends that may go together."""
    found = []
    for first, (a, _) in enumerate(tokens):
        for last in range(first, len(tokens)):
            b = tokens[last][1]
            if 0 < b - a <= longest and p[first][0] > least[0] and p[last][1] > least[1]:
                found.append(p[first][0] * p[last][1])
    return sorted((value for value in found if value > 0), reverse=True)


SHARES = st.sampled_from([0.0, 0.05, 0.1, 0.3, 0.5, 0.7, 0.9])


@given(
    st.lists(st.lists(st.tuples(SHARES, SHARES, st.integers(1, 4)), min_size=1, max_size=9), min_size=1, max_size=3),
    st.integers(1, 12),
    st.tuples(SHARES, SHARES),
    st.integers(1, 6),
)
@examples(max_examples=100)
def test_the_best_spans_are_those_of_all(
    rows: list[list[tuple[float, float, int]]], longest: int, least: tuple[float, float], count: int
) -> None:
    width = max(map(len, rows)) + 1
    p = torch.zeros(len(rows), width, 2, dtype=torch.float64)
    starts, ends = (torch.zeros(len(rows), width, dtype=torch.long) for _ in range(2))
    places = []
    for row, cells in enumerate(rows):
        at, tokens = 0, []
        for number, (a, b, size) in enumerate(cells):
            p[row, number] = torch.tensor([a, b], dtype=torch.float64)
            starts[row, number], ends[row, number] = at, at + size
            tokens.append((at, at + size))
            at += size
        places.append(tokens)
    best = best_spans(p, starts, ends, longest, least, count)
    begins, stops = starts.gather(1, best.first), ends.gather(1, best.last)
    found = [
        [(a, b, value) for a, b, value in zip(*row, strict=True) if value > 0]
        for row in zip(begins.tolist(), stops.tolist(), best.values.tolist(), strict=True)
    ]
    for cells, tokens, spans in zip(rows, places, found, strict=True):
        every = brute_force([[a, b] for a, b, _ in cells], tokens, longest, least)
        assert [value for *_, value in spans] == pytest.approx(every[:count])
        assert len({(a, b) for a, b, _ in spans}) == len(spans)
        for a, b, value in spans:
            (first,) = [n for n, token in enumerate(tokens) if token[0] == a]
            (last,) = [n for n, token in enumerate(tokens) if token[1] == b]
            assert value == pytest.approx(cells[first][0] * cells[last][1]) and b - a <= longest


# -- pieces

LETTERS = st.sampled_from([*"云州多雨山中桥旧 \u3000\n，。?", "Ada ", "tirol", "777", "嘿", "😀", "\u200b", "[SEP]"])
PASSAGES = st.lists(LETTERS, min_size=1, max_size=60).map("".join)


@pytest.fixture(scope="module")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> TokenReader:
    return fetch_tokenizer(str(encoder_folder(tmp_path_factory.mktemp("narrow"), mlm=False, positions=24)))


@given(PASSAGES, st.text("云州Ada 7", min_size=1, max_size=40), st.integers(0, 20))
@examples(max_examples=80)
def test_pieces_lose_nothing_and_tokens_stand_where_they_say(
    narrow: TokenReader, passage: str, question: str, overlap: int
) -> None:
    pieces = encode(narrow, question, passage, [(0, len(passage))], overlap)
    covered = np.zeros(len(passage), bool)
    for piece in pieces:
        assert 0 <= piece.start < piece.end <= len(passage) and len(piece.units) <= narrow.limit
        for at in np.flatnonzero(piece.passage):
            a, b = piece.start + int(piece.units.starts[at]), piece.start + int(piece.units.ends[at])
            assert piece.start <= a < b <= piece.end
            covered[a:b] = True
            token = narrow.tokenizer.convert_ids_to_tokens(int(piece.units.ids[at])).removeprefix("##")
            assert token in ("[UNK]", passage[a:b].lower(), passage[a:b])
    whole = TokenReader(narrow.tokenizer, 1 << 20).units(passage)
    for a, b in zip(whole.starts[whole.inside], whole.ends[whole.inside], strict=True):
        assert covered[a:b].all(), passage[a:b]


def test_a_pair_with_too_many_tokens_is_halved_with_overlap(narrow: TokenReader) -> None:
    question, passage = fact(0)[0][:6], "云州多雨山中桥旧" * 5
    pieces = encode(narrow, question, passage, [(0, 40)], 6)
    assert len(pieces) > 2 and pieces[0].start == 0 and pieces[-1].end == 40
    for one, two in itertools.pairwise(pieces):
        assert one.end - two.start >= 6  # an answer of so many characters lies whole in one of them
    assert encode(narrow, question, "云州\u200b\u200b", [(0, 4)], 2)[0].end == 4


def test_a_question_leaves_room_for_the_passage(narrow: TokenReader) -> None:
    for question in ("云" * 60, "7" * 60, "Ada " * 40):
        asked = fitting(narrow, question)
        assert 0 < len(narrow.units(asked)) <= narrow.limit // 2 and asked[0] == question[0]
        assert all(piece.passage.any() for piece in encode(narrow, question, "云州多雨", [(0, 4)], 2))
    assert fitting(narrow, "云州") == "云州"


def test_spans_that_tokens_do_not_show_are_widened_or_left_out(reader: TokenReader) -> None:
    passage = "由Ada Lin写于Tirol。"
    (piece,) = encode(reader, "谁？", passage, [(0, len(passage))], 4)
    found = piece.covering(np.array([(1, 8), (2, 8), (11, 14), (9, 99), (-2, 3)]))
    places = [(int(piece.units.starts[a]), int(piece.units.ends[b])) for a, b in found]
    assert places[0] == (1, 8) and places[1] == (1, 8) and places[2][0] <= 11 and places[2][1] >= 14
    assert len(places) == 3


# -- windows of a training


def test_windows_hold_their_answer_or_none(recipe: SpanRecipe, prepared: Path) -> None:
    recipe = recipe.model_copy(deep=True)
    recipe.data.window = 32  # less than the passages have
    data = SpanTrainingSet(recipe, prepared)
    assert len(data.answering) == 24 and data.negatives == round(24 * 0.15 / 0.85) and len(data) == len(data.lengths)
    items = [data[index] for index in range(len(data))]
    batch = data.collate(items)
    assert batch["known"].all()
    pieces = data.pairs(items)
    gold = {tuple(cell) for cell in batch["targets"].T.tolist()}
    for row, (item, piece) in enumerate(zip(items, pieces, strict=True)):
        assert item["end"] - item["start"] <= recipe.data.window
        starts, ends = ({at for r, at, side in gold if r == row and side == s} for s in (0, 1))
        if row >= len(data.answering):
            assert starts == ends == {0}
            continue
        answer = fact(row)[2]
        for side, places in ((0, starts), (1, ends)):
            for at in places:
                a, b = int(piece.units.starts[at]) + item["start"], int(piece.units.ends[at]) + item["start"]
                text = item["passage"]
                assert text.startswith(answer, a) if side == 0 else text[:b].endswith(answer)
        assert len(starts) == len(ends) > 0
    assert [data[i] for i in range(5)] == items[:5]
    data.set_epoch(1)
    assert [data[i]["start"] for i in range(len(data))] != [item["start"] for item in items]


def test_an_answer_that_the_tokens_do_not_show_does_not_count(recipe: SpanRecipe, prepared: Path) -> None:
    data = SpanTrainingSet(recipe, prepared)
    items: list[dict[str, Any]] = [data[0]]
    spans = data.spans(items[0]["row"])
    items[0] |= {"start": 0, "end": int(spans[0][0]) + 1}  # cut within the answer
    assert data.collate(items)["known"].tolist() == [0]


def test_only_the_first_questions(recipe: SpanRecipe, prepared: Path) -> None:
    data = SpanTrainingSet(recipe, prepared, rows=range(5))
    assert len(data.answering) == 5
    assert {data[i]["asked"] for i in range(len(data))} <= {fact(n)[0] for n in range(5)}


# -- reading


def questions() -> list[Question]:
    found = [Question(str(n), fact(n)[0], (Passage(fact(n)[1]), Passage(WEATHER))) for n in range(5)]
    return [*found, Question("long", fact(1)[0], (Passage(LONG), Passage(""), Passage(fact(1)[1])))]


def test_questions_together_are_read_as_one_at_a_time(
    recipe: SpanRecipe, model: SpanModel, reader: TokenReader
) -> None:
    together = list(predictor_of(recipe, SpanReader(recipe, model, reader, pool=1)).predict(questions()))
    assert [one.question_id for one in together] == [question.question_id for question in questions()]
    for question, found in zip(questions(), together, strict=True):
        (alone,) = predictor_of(recipe, SpanReader(recipe, model, reader)).predict([question])
        assert len(alone.candidates) == len(found.candidates) > 0
        for ours, theirs in zip(found.candidates, alone.candidates, strict=True):
            assert ours.score == pytest.approx(theirs.score, rel=1e-3)
        for c in found.candidates:
            assert question.passages[c.passage].text[c.start : c.end] == c.answer


def test_a_long_passage_is_read_to_its_end(recipe: SpanRecipe, model: SpanModel, reader: TokenReader) -> None:
    pieces = [piece for _, piece in SpanReader(recipe, model, reader).windows(questions()[-1])]
    assert max(piece.end for piece in pieces) == len(LONG) and len(pieces) > 4
    assert all(piece.end - piece.start <= recipe.data.window for piece in pieces)


def test_the_made_characters_are_all_known(reader: TokenReader) -> None:
    assert all(reader.unknown not in reader.units(text).ids for text in (*TEXTS, LONG))
