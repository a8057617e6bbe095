"""Answers behind masks, against slow, literal twins. All sentences are invented."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from torch import Tensor
from transformers import AutoConfig, AutoModelForMaskedLM, AutoTokenizer, BertForMaskedLM

from ietool.core.candidates import Floor
from ietool.core.pools import finished
from ietool.errors import UserError
from ietool.nn.pretrained import open_pretrained
from ietool.tasks.qa import QaTask
from ietool.tasks.qa.data.question import Passage, Question
from ietool.tasks.qa.heads.mlm.model import IGNORED, MaskConfig, MaskModel, build, check_encoder
from ietool.tasks.qa.heads.mlm.reader import MaskReader, follow, open_reader
from ietool.tasks.qa.heads.mlm.recipe import MaskRecipe
from ietool.tasks.qa.heads.mlm.sampling import MaskTrainingSet
from ietool.tasks.qa.heads.mlm.tokens import MaskTokens
from ietool.tasks.qa.heads.pairs import PairWindow, batch_of, encode
from tests.tasks.qa.made import WEATHER, encoder_folder, fact, predictor_of, prepared_of, recipe_of

MASKS = 8
CLOSE = {"rtol": 1e-4, "atol": 1e-5}


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return encoder_folder(tmp_path_factory.mktemp("encoder"))


@pytest.fixture(scope="module")
def recipe(encoder: Path) -> MaskRecipe:
    found = recipe_of("mlm", encoder)
    assert isinstance(found, MaskRecipe)
    return found


@pytest.fixture(scope="module")
def prepared(recipe: MaskRecipe, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepared_of(recipe, tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def reader(prepared: Path) -> MaskTokens:
    return MaskTokens.of(prepared, MASKS)


@pytest.fixture(scope="module")
def model(recipe: MaskRecipe, prepared: Path) -> MaskModel:
    return build(recipe, prepared).eval()


def some_pieces(reader: MaskTokens) -> list[PairWindow]:
    found = []
    for number in (0, 5, 10):
        question, passage, _ = fact(number)
        found += encode(reader, question, passage, [(0, len(passage)), (14, 33)], 4)
    return found


# -- the input


def test_masks_stand_before_question_and_passage(encoder: Path, reader: MaskTokens) -> None:
    question, passage, _ = fact(8)
    (pair,) = reader.pairs([question], [passage])
    tokenizer = AutoTokenizer.from_pretrained(encoder)
    asked, read = (tokenizer.tokenize(text) for text in (question, passage))
    expected = ["[CLS]", *["[MASK]"] * MASKS, "[SEP]", *asked, "[SEP]", *read, "[SEP]"]
    assert tokenizer.convert_ids_to_tokens(pair.ids.tolist()) == expected
    assert pair.types.tolist() == [0] * (MASKS + len(asked) + 3) + [1] * (len(read) + 1)
    places = np.flatnonzero(pair.part == 1)
    assert len(places) == len(read) and places[0] == MASKS + len(asked) + 3
    for at, token in zip(places, read, strict=True):
        assert passage[pair.starts[at] : pair.ends[at]].lower() == token.removeprefix("##")


def test_masks_and_pair_fit_into_the_positions(prepared: Path, reader: MaskTokens) -> None:
    for piece in encode(reader, "云" * 30, WEATHER * 30, [(0, 13 * 30)], 12):
        assert len(piece.units) <= 128 and piece.passage.any()
    with pytest.raises(UserError, match="leave no room") as error:
        MaskTokens.of(prepared, 120)
    assert error.value.field == "model.head.masks"


# -- the model


class Twin:
    """One pair, read without padding by transformers' own model: what it says of each mask."""

    def __init__(self, encoder: Path, piece: PairWindow) -> None:
        self.model = BertForMaskedLM.from_pretrained(encoder).eval()
        units = piece.units
        ids, types = (torch.from_numpy(row).long()[None] for row in (units.ids, units.types))
        self.logits: Tensor = self.model(input_ids=ids, token_type_ids=types).logits[0, 1 : MASKS + 1]


@torch.no_grad()
def test_a_batch_gives_what_one_pair_at_a_time_gives(encoder: Path, model: MaskModel, reader: MaskTokens) -> None:
    pieces = some_pieces(reader)
    logits = model.read(**batch_of(pieces))
    assert logits.shape[:2] == (len(pieces), MASKS)
    for row, piece in enumerate(pieces):
        torch.testing.assert_close(logits[row], Twin(encoder, piece).logits, **CLOSE)


@torch.no_grad()
def test_the_loss_is_the_mean_over_the_masks_that_count(encoder: Path, model: MaskModel, reader: MaskTokens) -> None:
    pieces = some_pieces(reader)[:3]
    targets = [[9, 12, 7, reader.stop], [reader.stop], []]
    rows = torch.tensor([row + [IGNORED] * (MASKS - len(row)) for row in targets])
    terms = []
    for piece, row in zip(pieces, targets, strict=True):
        logits = Twin(encoder, piece).logits.tolist()
        terms += [math.log(math.fsum(map(math.exp, logits[at]))) - logits[at][token] for at, token in enumerate(row)]
    assert model(targets=rows, **batch_of(pieces))["loss"].item() == pytest.approx(math.fsum(terms) / 5, rel=1e-4)
    nothing = model(targets=torch.full((3, MASKS), IGNORED), **batch_of(pieces))["loss"]
    assert nothing.item() == 0


@torch.no_grad()
def test_divergence_counts_the_masks_that_count(model: MaskModel, reader: MaskTokens) -> None:
    targets = torch.full((2, MASKS), IGNORED)
    targets[0, :3], targets[1, 0] = 6, reader.stop
    first = model(targets=targets, **batch_of(some_pieces(reader)[:2]))
    second = first | {"logits": first["logits"] + torch.randn_like(first["logits"])}
    expected = []
    for pair, mask in ((0, 0), (0, 1), (0, 2), (1, 0)):
        a, b = (out["logits"][pair, mask].double().softmax(0).tolist() for out in (first, second))
        expected.append(0.5 * math.fsum((x - y) * math.log(x / y) for x, y in zip(a, b, strict=True)))
    assert model.divergence(first, second).item() == pytest.approx(math.fsum(expected) / 4, rel=1e-3)
    assert model.divergence(first, first).item() == 0


def test_is_the_same_model_when_opened_again(model: MaskModel, reader: MaskTokens, tmp_path: Path) -> None:
    model.save_pretrained(tmp_path)
    again, batch = open_pretrained(MaskModel, tmp_path), batch_of(some_pieces(reader))
    with torch.no_grad():
        torch.testing.assert_close(again.read(**batch), model.read(**batch))
    assert again.encoder.backbone.get_output_embeddings().weight is again.encoder.table.weight  # still tied
    assert type(QaTask().load_model(tmp_path)) is MaskModel


ARCHITECTURES: dict[str, dict[str, int]] = {
    "roberta": {}, "electra": {"embedding_size": 8}, "albert": {"embedding_size": 8}, "roformer": {},
    "distilbert": {"dim": 16, "n_layers": 2, "n_heads": 2, "hidden_dim": 32}, "deberta-v2": {},
    "modernbert": {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "cls_token_id": 1, "sep_token_id": 2},
}  # fmt: skip


@pytest.mark.parametrize("kind", ARCHITECTURES)
@torch.no_grad()
def test_any_masked_language_model_is_asked_for_the_masks_alone(kind: str, tmp_path: Path) -> None:
    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    own = AutoConfig.for_model(
        kind,
        vocab_size=50,
        max_position_embeddings=64,
        **({} if kind == "distilbert" else sizes),
        **ARCHITECTURES[kind],
    )
    torch.manual_seed(0)
    settings = {key: value for key, value in own.to_dict().items() if key != "dtype"}
    model = MaskModel(MaskConfig(masks=4, encoder=settings)).eval()
    whole = AutoModelForMaskedLM.from_config(own).eval()
    whole.load_state_dict(model.encoder.backbone.state_dict())
    ids, lengths = torch.randint(3, 50, (2, 12)), torch.tensor([12, 9])
    found = model.read(ids, torch.zeros_like(ids), lengths)
    mask = (torch.arange(12) < lengths[:, None]).long()
    torch.testing.assert_close(found, whole(input_ids=ids, attention_mask=mask).logits[:, 1:5], **CLOSE)
    model.save_pretrained(tmp_path)
    torch.testing.assert_close(open_pretrained(MaskModel, tmp_path).read(ids, torch.zeros_like(ids), lengths), found)


def test_a_cut_vocabulary_says_the_same_of_what_is_left(
    recipe: MaskRecipe, prepared: Path, model: MaskModel, reader: MaskTokens, tmp_path: Path
) -> None:
    cut = recipe.model_copy(deep=True)
    cut.model.encoder.cut_vocabulary = True
    small = build(cut, prepared).eval()
    assert small.encoder.table.num_embeddings < model.encoder.table.num_embeddings
    pieces = some_pieces(reader)
    batch = batch_of(pieces)
    with torch.no_grad():
        ours, theirs = small.read(**batch), model.read(**batch)
        assert ours.shape[2] == small.encoder.table.num_embeddings
        for token in (*pieces[0].units.ids.tolist(), reader.stop):
            torch.testing.assert_close(ours[:, :, int(small.rows(torch.tensor(token)))], theirs[:, :, token], **CLOSE)
        targets = torch.full((len(pieces), MASKS), IGNORED)
        targets[:, 0] = reader.stop
        assert torch.isfinite(small(targets=targets, **batch)["loss"])
        small.save_pretrained(tmp_path)
        torch.testing.assert_close(open_pretrained(MaskModel, tmp_path).read(**batch), ours)


def test_an_encoder_without_its_head_is_told_in_one_line(tmp_path: Path) -> None:
    folder = encoder_folder(tmp_path / "bare", mlm=False)
    with pytest.raises(UserError, match=r"lacks weights: cls\.predictions") as error:
        check_encoder(str(folder))
    assert error.value.field == "model.encoder" and "head of a masked language model" in str(error.value)


# -- the decoder


def brute_force(
    p: list[dict[int, float]], stops: list[float], ids: list[int], starts: list[int], ends: list[int], longest: int
) -> tuple[tuple[int, ...], float]:
    """The article's loop: of all n-grams of the passage, those that go on with what was found so far."""
    answer: tuple[int, ...] = ()
    score, steps = 0.0, 0
    for mask, (tokens, stop) in enumerate(zip(p, stops, strict=True)):
        ngrams = [range(a, a + mask + 1) for a in range(len(ids) - mask)]
        grams = {tuple(ids[k] for k in gram) for gram in ngrams if ends[gram[-1]] - starts[gram[0]] <= longest}
        going = {gram[-1]: tokens[gram[-1]] for gram in grams if gram[:-1] == answer}
        steps += 1
        if not going or max(going.values()) <= stop:
            score += stop
            break
        token = max(going, key=lambda one: going[one])
        answer += (token,)
        score += going[token]
    return answer, score / steps


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(1, 3)), min_size=1, max_size=14),
    st.integers(1, 6),
    st.integers(1, 12),
    st.integers(0, 1 << 30),
)
@examples(max_examples=200)
def test_the_answer_is_that_of_the_articles_loop(
    tokens: list[tuple[int, int]], masks: int, longest: int, seed: int
) -> None:
    ids, sizes = [list(column) for column in zip(*tokens, strict=True)]
    ends = np.cumsum(sizes).tolist()
    starts = [end - size for end, size in zip(ends, sizes, strict=True)]
    random = np.random.default_rng(seed)  # no two alike
    p = [{token: random.random() for token in range(4)} for _ in range(masks)]
    stops = [random.random() * 0.5 for _ in range(masks)]
    of_tokens = np.array([[row[token] for token in ids] for row in p])
    arrays = (np.array(values) for values in (stops, ids, starts, ends))
    found = follow(of_tokens, *arrays, longest)
    answer, score = brute_force(p, stops, ids, starts, ends, longest)
    if not answer:
        assert found is None
        return
    assert found is not None
    first, last = starts.index(found[0]), ends.index(found[1])
    assert tuple(ids[first : last + 1]) == answer and found[2] == pytest.approx(score)
    before = [a for a in range(first) if tuple(ids[a : a + len(answer)]) == answer]
    assert all(ends[a + len(answer) - 1] - starts[a] > longest for a in before)  # the first place that may be


def test_nothing_follows_a_token_that_no_answer_may_hold() -> None:
    p = np.array([[0.1, -1.0, 0.2], [0.1, -1.0, 0.9]])
    ids, starts = np.array([4, 5, 6]), np.arange(3)
    assert follow(p, np.array([0.05, 0.3]), ids[:2], starts[:2], starts[:2] + 1, 9) == (0, 1, pytest.approx(0.2))
    assert follow(p[:, 1:2], np.array([0.0, 0.0]), ids[1:2], starts[:1], starts[:1] + 1, 9) is None


# -- windows of a training


def test_behind_the_masks_stands_the_answer_and_its_end(recipe: MaskRecipe, prepared: Path, reader: MaskTokens) -> None:
    data = MaskTrainingSet(recipe, prepared)
    items = [data[index] for index in range(len(data))]
    targets = data.collate(items)["targets"]
    assert targets.shape == (len(data), MASKS)
    tokenizer = reader.tokenizer
    for row, index in zip(targets.tolist(), range(len(data)), strict=True):
        expected = tokenizer.tokenize(fact(index)[2]) if index < len(data.answering) else []
        counted = [token for token in row if token != IGNORED]
        assert tokenizer.convert_ids_to_tokens(counted) == [*expected, "[SEP]"]
        assert row[len(counted) :] == [IGNORED] * (MASKS - len(counted))
    item = items[0] | {"start": 0, "end": int(data.spans(items[0]["row"])[0][0]) + 1}  # cut within the answer
    assert set(data.collate([item])["targets"][0].tolist()) == {IGNORED}
    data.reader.masks = 1  # of an answer that is too long as many tokens as there are masks
    (piece,) = data.pairs(items[:1])
    assert tokenizer.convert_ids_to_tokens(data.answer(items[0], piece)) == tokenizer.tokenize(fact(0)[2])[:1]


# -- reading


def questions() -> list[Question]:
    found = [Question(str(n), fact(n)[0], (Passage(fact(n)[1]), Passage(WEATHER))) for n in range(5)]
    return [*found, Question("long", fact(1)[0], (Passage(WEATHER * 20), Passage(""), Passage(fact(1)[1])))]


def test_questions_together_are_read_as_one_at_a_time(
    recipe: MaskRecipe, model: MaskModel, prepared: Path, encoder: Path
) -> None:
    opened = open_reader(recipe, model, prepared)
    assert isinstance(opened, MaskReader)
    predictor = predictor_of(recipe, opened)
    together = list(predictor_of(recipe, MaskReader(recipe, model, opened.tokens, pool=1)).predict(questions()))
    assert any(one.candidates for one in together)
    for question, found in zip(questions(), together, strict=True):
        (alone,) = predictor.predict([question])
        assert [(c.answer, c.passage, c.start) for c in alone.candidates] == [
            (c.answer, c.passage, c.start) for c in found.candidates
        ]
        for ours, theirs in zip(found.candidates, alone.candidates, strict=True):
            assert ours.score == pytest.approx(theirs.score, rel=1e-3)
            assert question.passages[ours.passage].text[ours.start : ours.end] == ours.answer


@torch.no_grad()
def test_a_window_reads_as_the_article_does(
    recipe: MaskRecipe, model: MaskModel, prepared: Path, encoder: Path, reader: MaskTokens
) -> None:
    pieces = some_pieces(reader)
    said = finished(open_reader(recipe, model, prepared).found(pieces, Floor()))
    for piece, one in zip(pieces, said, strict=True):
        inner = (one.spans - piece.start).tolist()
        found = [(*span, float(value)) for span, (value,) in zip(inner, one.parts, strict=True)]
        shares = Twin(encoder, piece).logits.softmax(-1).tolist()
        at = np.flatnonzero(piece.passage)
        units = piece.units
        ids, starts, ends = (values[at].tolist() for values in (units.ids, units.starts, units.ends))
        p = [{token: row[token] for token in set(ids)} for row in shares]
        answer, score = brute_force(p, [row[reader.stop] for row in shares], ids, starts, ends, 16)
        assert len(found) == bool(answer)
        for start, end, value in found:
            first, last = starts.index(start), ends.index(end)
            assert tuple(ids[first : last + 1]) == answer and value == pytest.approx(score, rel=1e-3)
