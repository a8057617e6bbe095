"""The reader against a slow, literal twin: one pair, one position at a time, without any padding."""

from __future__ import annotations

import math
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from torch import Tensor

from ietool.errors import UserError
from ietool.nn.attention import AdditivePooling
from ietool.nn.pretrained import open_pretrained
from ietool.recipe_io import load_recipe
from ietool.tasks.qa.features.cooccurrence import COOCCURRENCE, SCALE
from ietool.tasks.qa.features.labels import LABELS
from ietool.tasks.qa.heads.reader.losses import choice_loss, focal_loss
from ietool.tasks.qa.heads.reader.model import QaConfig, QaModel
from ietool.tasks.qa.heads.reader.sampling import QaTrainingSet

H, CHARACTERS, WORDS, TAGS = 6, 30, 9, 4
CLOSE = {"rtol": 1e-5, "atol": 1e-5}
SUMS = {"rtol": 1e-4, "atol": 1e-4}
"""Of sums of hundreds of products in single precision, which some processors add up otherwise for a batch (4e-5)."""

SHAPES = [
    ([7], [3]),
    ([1], [1]),
    ([12, 1, 5], [2, 6, 1]),
    ([40, 9], [1, 5]),  # wider than the widest kernel
]
"""Characters of passages, characters of their questions."""

VARIANTS: dict[str, dict[str, Any]] = {
    "recipe": {},
    "focal": {"loss": "focal"},
    "article": {"loss": "focal", "aligned": False, "tags": 0, "labels": 0},
    "bare": {"cooccurrence": False, "aligned": False, "words": 0, "word_size": 0, "tags": 0, "labels": 0},
}


def small(**changes: Any) -> QaModel:
    torch.manual_seed(3)
    sizes: dict[str, Any] = {
        "characters": CHARACTERS, "words": WORDS, "word_size": 5, "tags": TAGS, "labels": len(LABELS), "hidden_size": H,
    }  # fmt: skip
    model = QaModel(QaConfig(**(sizes | changes)))
    with torch.no_grad():
        for p in model.parameters():  # zero-initialised tables would hide mistakes
            p.copy_(torch.randn_like(p) * 0.4)
        if model.config.words:
            model.embedding.word_vectors[1:].normal_()
    return model.eval()


def pairs(passages: list[int], questions: list[int], padding: int = 0) -> dict[str, Tensor]:
    """What ``QaModel.read`` takes, at random."""
    random = torch.Generator().manual_seed(100 * sum(passages) + sum(questions))

    def ids(high: int, lengths: list[int], low: int = 0) -> Tensor:
        out = torch.zeros(len(lengths), max(lengths) + padding, dtype=torch.long)
        for row, length in enumerate(lengths):
            out[row, :length] = torch.randint(low, high, (length,), generator=random)
        return out

    shared = torch.zeros(len(passages), max(passages) + padding, COOCCURRENCE, dtype=torch.uint8)
    for row, length in enumerate(passages):
        shared[row, :length] = torch.randint(0, 256, (length, COOCCURRENCE), generator=random)
    return {
        "characters": ids(CHARACTERS, passages, 1), "words": ids(WORDS, passages), "tags": ids(TAGS, passages),
        "lengths": torch.tensor(passages), "shared": shared, "question": ids(CHARACTERS, questions, 1),
        "question_words": ids(WORDS, questions), "question_tags": ids(TAGS, questions),
        "question_lengths": torch.tensor(questions),
    }  # fmt: skip


def answered(given_: dict[str, Tensor]) -> dict[str, Tensor]:
    """The same with gold: two answers in the first passage, none in the second, one of one character in the others."""
    cells = set()
    for row, length in enumerate(given_["lengths"].tolist()):
        spans = [(0, length // 2), (length - 1, length - 1)] if not row else [] if row == 1 else [(length - 1,) * 2]
        cells |= {(row, at, side) for span in spans for side, at in enumerate(span)}
    rows = len(given_["lengths"])
    has = torch.zeros(rows)
    has[[row for row, _, _ in cells]] = 1
    labels = torch.tensor([[2, -1, 0, 1][row % 4] for row in range(rows)])
    return {**given_, "targets": torch.tensor(sorted(cells)).T, "has_answer": has, "label_targets": labels}


class Twin:
    """A literal reading of kexue.fm 5409 with the weights of a model, for one pair of a batch."""

    def __init__(self, model: QaModel, given_: dict[str, Tensor], row: int) -> None:
        self.model, self.given, self.row = model, given_, row
        self.length, self.asked = int(given_["lengths"][row]), int(given_["question_lengths"][row])

    def embed(self, names: tuple[str, str, str], length: int) -> list[Tensor]:
        e, rows = self.model.embedding, []
        characters, words, tags = (self.given[name][self.row] for name in names)
        for i in range(length):
            x = e.character.weight[characters[i]]
            if e.word is not None:
                x = x + e.word.weight @ e.word_vectors[words[i]].float()
            if e.tag is not None:
                x = x + e.tag.weight[tags[i]]
            rows.append(x)
        return rows

    @staticmethod
    def blocks(layers: Any, dilations: list[int], x: list[Tensor]) -> list[Tensor]:
        for layer, d in zip(layers, dilations, strict=True):
            y = []
            for i in range(len(x)):
                taps = (layer.conv.weight[:, :, t] @ x[i + (t - 1) * d] for t in range(3)
                        if 0 <= i + (t - 1) * d < len(x))  # fmt: skip
                both = layer.conv.bias + sum(taps)
                gate = 1 / (1 + torch.exp(-both[:H]))
                y.append(gate * x[i] + (1 - gate) * both[H:])
            x = y
        return x

    @staticmethod
    def pool(layer: AdditivePooling, x: list[Tensor]) -> Tensor:
        weights = [torch.exp(layer.outer.weight[0] @ torch.tanh(layer.inner.weight @ vector)) for vector in x]
        return sum(w * vector for w, vector in zip(weights, x, strict=True)) / sum(weights)  # type: ignore[return-value]

    def read(self) -> tuple[Tensor, Tensor, Tensor | None]:
        """Logits (L, 2) of starts and ends, of an answer, of the labels."""
        m, c = self.model, self.model.config
        question = self.embed(("question", "question_words", "question_tags"), self.asked)
        passage = self.embed(("characters", "words", "tags"), self.length)
        q = self.pool(m.question_pooling, self.blocks(m.question_blocks, c.question_dilations, question))
        x = []
        for i, vector in enumerate(passage):
            parts = [vector, q]
            if c.aligned:
                near = torch.relu(m.near.weight @ vector + m.near.bias)
                weights = [torch.exp(near @ torch.relu(m.near.weight @ other + m.near.bias)) for other in question]
                parts.append(sum(w * other for w, other in zip(weights, question, strict=True)) / sum(weights))  # type: ignore[arg-type]
            if c.cooccurrence:
                parts.append(self.given["shared"][self.row, i].float() / SCALE)
            x.append(m.mix.weight @ torch.cat(parts))
        x = [torch.cat([vector, q]) for vector in self.blocks(m.passage_blocks, c.passage_dilations, x)]
        whole = self.pool(m.passage_pooling, x)
        spans = torch.stack([m.span.weight @ vector + m.span.bias for vector in x])
        labels = None if m.label is None else m.label.weight @ whole + m.label.bias
        return spans, (m.has_answer.weight @ whole + m.has_answer.bias).squeeze(), labels

    def probabilities(self) -> Tensor:
        """(L, 2)."""
        spans, gate, _ = self.read()
        out = torch.zeros(self.length, 2)
        for side in range(2):
            total = 1 + sum(torch.exp(logit + gate) for logit in spans[:, side])
            for i, logit in enumerate(spans[:, side]):
                if self.model.config.loss == "focal":
                    out[i, side] = 1 / (1 + torch.exp(-logit)) / (1 + torch.exp(-gate))
                else:
                    out[i, side] = torch.exp(logit + gate) / total
        return out


def loss_of(model: QaModel, given_: dict[str, Tensor]) -> Tensor:
    """What a training step minimises, element by element."""
    gold = {tuple(cell) for cell in given_["targets"].T.tolist()}
    twins = [Twin(model, given_, row) for row in range(len(given_["lengths"]))]
    loss = torch.zeros(())
    for row, twin in enumerate(twins):
        p = twin.probabilities()
        for side in range(2):
            right = [p[at, side] for at in range(twin.length) if (row, at, side) in gold]
            if model.config.loss == "focal":
                for at in range(twin.length):
                    value = p[at, side]
                    if (row, at, side) in gold:
                        loss = loss - 0.25 * (1 - value) ** 2 * torch.log(value)
                    else:
                        loss = loss - 0.75 * value**2 * torch.log(1 - value)
            else:
                loss = loss - torch.log(sum(right) if right else 1 - p[:, side].sum())  # type: ignore[arg-type]
    loss = loss / (sum(twin.length for twin in twins) if model.config.loss == "focal" else len(twins))
    terms = []
    for twin, label in zip(twins, given_["label_targets"].tolist(), strict=True):
        labels = twin.read()[2]
        if labels is not None and label >= 0:
            terms.append(-torch.log(torch.exp(labels[label]) / torch.exp(labels).sum()))
    return loss + (sum(terms) / len(terms) if terms else 0)


@pytest.mark.parametrize("padding", [0, 5])
@pytest.mark.parametrize("variant", VARIANTS)
@torch.no_grad()
def test_a_batch_gives_what_one_pair_at_a_time_gives(variant: str, padding: int) -> None:
    model = small(**VARIANTS[variant])
    for passages, questions in SHAPES:
        given_ = pairs(passages, questions, padding)
        spans, gate, labels = model.read(**given_)
        assert spans.shape == (len(passages), max(passages) + padding, 2) and gate.shape == (len(passages),)
        p = model.probabilities(spans, gate, given_["lengths"])
        for row, length in enumerate(passages):
            twin = Twin(model, given_, row)
            expected, has, kinds = twin.read()
            torch.testing.assert_close(spans[row, :length], expected, **SUMS)
            torch.testing.assert_close(gate[row], has, **CLOSE)
            if kinds is None:
                assert labels is None
            else:
                assert labels is not None
                torch.testing.assert_close(labels[row], kinds, **CLOSE)
            torch.testing.assert_close(p[row, :length], twin.probabilities(), **CLOSE)
            assert not p[row, length:].any()


@pytest.mark.parametrize("variant", VARIANTS)
@torch.no_grad()
def test_the_loss_is_the_sum_of_its_elements(variant: str) -> None:
    model, given_ = small(**VARIANTS[variant]), answered(pairs([9, 4, 6], [3, 5, 1], 2))
    torch.testing.assert_close(model(**given_)["loss"], loss_of(model, given_), **CLOSE)


@pytest.mark.parametrize("variant", VARIANTS)
@torch.no_grad()
def test_padding_changes_nothing(variant: str) -> None:
    model = small(**VARIANTS[variant])
    for passages, questions in SHAPES:
        bare, padded = pairs(passages, questions), pairs(passages, questions, 13)
        expected = model.read(**bare)[0]
        # Nor does what the padding holds: a text is read to its length and no further.
        for prefix, lengths in (("question", "question_lengths"), ("characters", "lengths")):
            behind = torch.arange(padded[prefix].shape[1]) >= padded[lengths][:, None]
            names = ("question", "question_words", "question_tags") if prefix == "question" else (
                "characters", "words", "tags")  # fmt: skip
            for name in names:
                padded[name][behind] = 3
            if prefix == "characters":
                padded["shared"][behind] = 200
        found, gate, _ = model.read(**padded)
        for row, length in enumerate(passages):
            torch.testing.assert_close(found[row, :length], expected[row, :length], **CLOSE)
        torch.testing.assert_close(gate, model.read(**bare)[1], **CLOSE)
        losses = [model(**answered(one))["loss"] for one in (bare, padded)]
        torch.testing.assert_close(losses[0], losses[1], **CLOSE)


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_loss_is_finite_without_any_answer(variant: str) -> None:
    model, given_ = small(**VARIANTS[variant]).train(), answered(pairs([6, 2], [3, 1], 1))
    given_ |= {
        "targets": torch.zeros(3, 0, dtype=torch.long), "has_answer": torch.zeros(2),
        "label_targets": torch.tensor([-1, -1]),
    }  # fmt: skip
    loss = model(**given_)["loss"]
    loss.backward()
    assert torch.isfinite(loss) and loss > 0
    assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)


@pytest.mark.parametrize("loss", ["softmax", "focal"])
@pytest.mark.parametrize("extreme", [60.0, -60.0])
def test_the_loss_is_finite_where_the_model_is_too_sure(loss: str, extreme: float) -> None:
    model, given_ = small(loss=loss), answered(pairs([6, 4, 3], [3, 1, 2], 1))
    with torch.no_grad():
        model.has_answer.bias.fill_(extreme)
        model.span.bias.fill_(extreme)
    value = model(**given_)["loss"]
    value.backward()
    assert torch.isfinite(value)
    assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)


LOGITS = st.floats(-30, 30, width=32)
CELLS = st.tuples(LOGITS, LOGITS, st.booleans(), st.booleans())
PAIRS = st.lists(st.lists(CELLS, min_size=1, max_size=4), min_size=1, max_size=4)


def stacked(found: list[list[tuple[float, float, bool, bool]]]) -> tuple[Tensor, Tensor, Tensor]:
    """(logits, gold, inside), padded with what must not count."""
    longest = max(map(len, found)) + 1
    logits, gold = torch.full((len(found), longest, 2), 7.0), torch.zeros(len(found), longest, 2)
    inside = torch.zeros(len(found), longest, dtype=torch.bool)
    for row, cells in enumerate(found):
        inside[row, : len(cells)] = True
        for at, (start, end, is_start, is_end) in enumerate(cells):
            logits[row, at] = torch.tensor([start, end])
            gold[row, at] = torch.tensor([float(is_start), float(is_end)])
    return logits, gold, inside


@given(PAIRS, st.integers(0, 15))
@examples(max_examples=60)
def test_choice_loss_is_a_softmax_with_a_choice_of_none(
    found: list[list[tuple[float, float, bool, bool]]], counted: int
) -> None:
    known = [bool(counted >> n & 1) for n in range(len(found))]
    expected = []
    for cells in (cells for cells, is_known in zip(found, known, strict=True) if is_known):
        for side in range(2):
            total = 1 + math.fsum(math.exp(cell[side]) for cell in cells)
            right = math.fsum(math.exp(cell[side]) for cell in cells if cell[2 + side])
            expected.append(math.log(total) - (math.log(right) if right else 0.0))
    value = choice_loss(*stacked(found), torch.tensor(known))
    assert value.item() == pytest.approx(math.fsum(expected) / max(sum(known), 1), rel=1e-5, abs=1e-5)


@given(PAIRS)
@examples(max_examples=60)
def test_focal_loss_is_a_mean_over_characters(found: list[list[tuple[float, float, bool, bool]]]) -> None:
    logits, gold, inside = stacked(found)
    terms = []
    for cells in found:
        for cell in cells:
            for side in range(2):
                p = min(max(1 / (1 + math.exp(-cell[side])), 1e-7), 1 - 1e-6)
                right, weight = (p, 0.25) if cell[2 + side] else (1 - p, 0.75)
                terms.append(-weight * (1 - right) ** 2 * math.log(right))
    value = focal_loss(logits.double().sigmoid(), gold, inside)
    assert value.item() == pytest.approx(math.fsum(terms) / sum(map(len, found)), rel=1e-5, abs=1e-5)


@torch.no_grad()
def test_pooling_weighs_what_is_inside() -> None:
    torch.manual_seed(1)
    layer, x = AdditivePooling(4), torch.randn(3, 6, 4) * 3
    lengths = [6, 1, 4]
    mask = torch.arange(6) < torch.tensor(lengths)[:, None]
    pooled = layer(x, mask)
    for row, length in enumerate(lengths):
        torch.testing.assert_close(pooled[row], Twin.pool(layer, list(x[row, :length])), **CLOSE)
    torch.testing.assert_close(pooled[1], x[1, 0])


@pytest.mark.filterwarnings("ignore:TF32")
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("variant", ["recipe", "focal"])
def test_computes_in_half_precision_too(dtype: torch.dtype, variant: str) -> None:
    model, given_ = small(**VARIANTS[variant]), answered(pairs([12, 5, 3], [3, 6, 1]))
    exact = model(**given_)["loss"]
    with torch.autocast("cpu", dtype):
        loss = model(**given_)["loss"]
    loss.backward()
    assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)
    torch.testing.assert_close(loss, exact, rtol=0.1, atol=0.1)


@pytest.mark.parametrize("variant", VARIANTS)
@torch.no_grad()
def test_is_the_same_model_when_opened_again(variant: str, tmp_path: Path) -> None:
    model, given_ = small(**VARIANTS[variant]), pairs([9, 4], [3, 5])
    model.save_pretrained(tmp_path)
    again = open_pretrained(QaModel, tmp_path)
    assert again.config.loss == model.config.loss and not again.training
    for ours, theirs in zip(model.read(**given_), again.read(**given_), strict=True):
        if ours is None:
            assert theirs is None
        else:
            torch.testing.assert_close(theirs, ours, **CLOSE)
    (tmp_path / "model.safetensors").write_bytes(b"nothing")
    with pytest.raises(UserError, match="damaged"):
        open_pretrained(QaModel, tmp_path)


@given(
    st.integers(30, 120), st.integers(0, 119), st.integers(1, 90), st.integers(0, 999), st.sampled_from([0.0, 0.8, 1.0])
)
@examples(max_examples=200, deadline=None)
def test_windows_hold_answers_or_say_nothing_of_them(
    length: int, start: int, size: int, seed: int, answer_windows: float
) -> None:
    """One that cuts an answer was taught to have none."""
    start = min(start, length - 1)
    last = min(start + size, length) - 1
    recipe = load_recipe("qa", ["data.window=60", "data.overlap=20", f"sampling.answer_windows={answer_windows}"])
    items = object.__new__(QaTrainingSet)
    items.recipe = recipe
    spans = np.array([[start, last]])
    begin, end = items.window(length, spans, Random(seed))
    assert 0 <= begin < end <= length and end - begin <= 60
    if answer_windows == 1.0 and last - start < 60:
        assert begin <= start and last < end
