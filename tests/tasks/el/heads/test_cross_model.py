"""The cross-encoder against a slow, literal twin: one text and one pair at a time, without any padding."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import AutoConfig, AutoModel, BertConfig

import ietool.auto  # noqa: F401
from ietool.tasks.el.features.signals import SIGNALS
from ietool.tasks.el.heads.cross import model as cross
from ietool.tasks.el.heads.cross.config import CrossConfig
from ietool.tasks.el.heads.cross.model import CrossModel
from ietool.tasks.el.heads.cross.pairs import PAIR_FEATURES
from ietool.tasks.el.heads.losses import border_loss

H, TOKENS, WORDS, NIL_TYPES, TYPES = 8, 30, 9, 3, 4
CLOSE = {"rtol": 1e-4, "atol": 1e-5}


def small(**changes: Any) -> CrossModel:
    torch.manual_seed(3)
    encoder = BertConfig(
        vocab_size=TOKENS, hidden_size=H, num_hidden_layers=2, num_attention_heads=2, intermediate_size=12,
        max_position_embeddings=40,
    )  # fmt: skip
    sizes: dict[str, Any] = {
        "encoder": encoder.to_dict(), "words": WORDS, "word_size": 6, "nil_types": NIL_TYPES, "types": TYPES,
        "type_size": 5, "head_size": 7,
    }  # fmt: skip
    model = CrossModel(CrossConfig(**(sizes | changes)))
    with torch.no_grad():
        for p in model.parameters():  # small weights would let everything look alike
            p.copy_(torch.randn_like(p) * 0.4)
        if model.config.words:
            assert isinstance(model.word_vectors, Tensor)
            model.word_vectors[1:].normal_()
    return model.eval()


def batch(texts: list[int], pairs: list[list[int]], padding: int = 0) -> dict[str, Tensor]:
    """What ``CrossModel.forward`` takes, at random.

    Args:
        texts: their tokens.
        pairs: of each mention the tokens of its pairs; none: it has no candidate.
        padding: columns behind the longest.
    """
    random = torch.Generator().manual_seed(100 * len(texts) + len(pairs))

    def ids(high: int, lengths: list[int]) -> Tensor:
        out = torch.zeros(len(lengths), max(lengths, default=0) + padding, dtype=torch.long)
        for row, length in enumerate(lengths):
            out[row, :length] = torch.randint(1, high, (length,), generator=random)
        return out

    def spans(count: int) -> list[list[int]]:
        found = []
        for _ in range(count):
            text = int(torch.randint(0, len(texts), (), generator=random))
            a, b = sorted(torch.randint(0, texts[text], (2,), generator=random).tolist())
            found.append([text, a, b])
        return found

    def numbers(high: int, count: int) -> Tensor:
        return torch.randint(0, high, (count,), generator=random)

    lengths = [length for mention in pairs for length in mention]
    owners = [number for number, mention in enumerate(pairs) for _ in mention]
    places = [sorted(torch.randint(0, length, (2,), generator=random).tolist()) for length in lengths]
    types = torch.zeros(len(lengths), max(lengths, default=0) + padding, dtype=torch.long)
    targets = torch.zeros(len(lengths))
    for row, length in enumerate(lengths):
        types[row, length // 2 : length] = 1
        targets[row] = float(owners[row] == 0 and owners.index(0) == row)
    return {
        "ids": ids(TOKENS, texts), "lengths": torch.tensor(texts), "matches": torch.tensor(spans(5)).T,
        "names": torch.stack([numbers(TYPES + 1, 5), numbers(WORDS, 5)], 1),
        "signals": torch.randn(5, SIGNALS, generator=random),
        "match_targets": (torch.rand(5, generator=random) < 0.4).float(), "borders": torch.tensor(spans(4)).T,
        "mentions": torch.tensor(spans(len(pairs)), dtype=torch.long).reshape(-1, 3).T,
        "type_targets": torch.tensor([-1, 2, 0, 1][: len(pairs)], dtype=torch.long),
        "pair_ids": ids(TOKENS, lengths), "pair_types": types, "pair_lengths": torch.tensor(lengths, dtype=torch.long),
        "pair_mentions": torch.tensor(owners, dtype=torch.long),
        "pair_spans": torch.tensor(places, dtype=torch.long).reshape(-1, 2).T,
        "entity_types": numbers(TYPES + 1, len(lengths)),
        "pair_features": torch.rand(len(lengths), PAIR_FEATURES, generator=random),
        "link_targets": targets,
    }  # fmt: skip


SHAPES = [
    ([7], [[9]]),
    ([12, 1, 5], [[9, 30, 4], [], [11, 11]]),
    ([3, 8], [[5], [6, 7, 8, 9], [30]]),
]


class Twin:
    """The heads, element by element; of the encoder one input alone."""

    def __init__(self, model: CrossModel, given: dict[str, Tensor]) -> None:
        self.model, self.given, self.types = model, given, model.kind.weight

    def read(self, ids: Tensor, token_types: Tensor | None = None) -> Tensor:
        backbone = self.model.encoder.backbone
        more = {} if token_types is None else {"token_type_ids": token_types[None]}
        states: Tensor = backbone(input_ids=ids[None], **more).last_hidden_state[0]
        return states

    def text(self, row: int) -> Tensor:
        return self.read(self.given["ids"][row, : int(self.given["lengths"][row])])

    @staticmethod
    def mean(h: Tensor, start: int, end: int) -> Tensor:
        return sum(h[i] for i in range(start, end + 1)) / (end - start + 1)  # type: ignore[return-value]

    def span(self, text: int, start: int, end: int) -> Tensor:
        h = self.text(text)
        return torch.cat([h[start], h[end], self.mean(h, start, end)])

    def match(self, row: int) -> Tensor:
        m = self.model
        kind, word = self.given["names"][row].tolist()
        parts = [self.span(*self.given["matches"][:, row].tolist()), self.types[kind]]
        if m.config.habits:
            parts.append(self.given["signals"][row])
        inner = m.span_inner.weight @ torch.cat(parts) + m.span_inner.bias
        if m.called is not None:
            assert isinstance(m.word_vectors, Tensor)
            inner = inner + m.called.weight @ m.word_vectors[word].float()
        return (m.span_outer.weight @ torch.relu(inner) + m.span_outer.bias).squeeze()

    def fit(self, pair: int) -> Tensor:
        m, g = self.model, self.given
        length = int(g["pair_lengths"][pair])
        h = self.read(g["pair_ids"][pair, :length], g["pair_types"][pair, :length])
        start, end = g["pair_spans"][:, pair].tolist()
        parts = [h[0], self.mean(h, start, end), self.types[g["entity_types"][pair]]]
        if m.config.habits:
            parts.append(g["pair_features"][pair])
        inner = torch.relu(m.link_inner.weight @ torch.cat(parts) + m.link_inner.bias)
        return (m.link_outer.weight @ inner + m.link_outer.bias).squeeze()

    def border_loss(self) -> Tensor:
        head, g, total = self.model.borders, self.given, torch.zeros(())
        assert head is not None
        gold = {(t, a, 0) for t, a, _ in g["borders"].T.tolist()} | {(t, b, 1) for t, _, b in g["borders"].T.tolist()}
        for text in range(len(g["lengths"])):
            for at, vector in enumerate(self.text(text)):
                for side in range(2):
                    p = torch.sigmoid(head.weight[side] @ vector + head.bias[side])
                    total = total - torch.log(p if (text, at, side) in gold else 1 - p)
        return total / g["lengths"].sum()

    def shares(self) -> list[list[float]]:
        """Of each mention that has candidates the probabilities of these and, last, of none."""
        found = []
        for mention in range(self.given["mentions"].shape[1]):
            own = (self.given["pair_mentions"] == mention).nonzero().flatten().tolist()
            if own:
                found.append(torch.tensor([*(float(self.fit(i)) for i in own), 0.0]).softmax(0).tolist())
        return found

    def link_loss(self) -> float:
        gold = [
            [i for i, row in enumerate(self.rows(mention)) if self.given["link_targets"][row]]
            for mention in range(self.given["mentions"].shape[1])
            if self.rows(mention)
        ]
        losses = [-math.log(p[right[0] if right else -1]) for p, right in zip(self.shares(), gold, strict=True)]
        return sum(losses) / max(len(losses), 1)

    def rows(self, mention: int) -> list[int]:
        return (self.given["pair_mentions"] == mention).nonzero().flatten().tolist()

    def loss(self) -> Tensor:
        m, g = self.model, self.given
        terms = []
        for row, target in enumerate(g["match_targets"]):
            p = torch.sigmoid(self.match(row))
            terms.append(-torch.log(p if target else 1 - p))
        loss: Tensor = sum(terms) / max(len(terms), 1) + self.link_loss()  # type: ignore[assignment]
        if m.borders is not None:
            loss = loss + self.border_loss()
        types = []
        for span, gold in zip(g["mentions"].T.tolist(), g["type_targets"].tolist(), strict=True):
            if m.nil_type is not None and gold >= 0:
                scores = m.nil_type.weight @ self.span(*span) + m.nil_type.bias
                types.append(-torch.log(torch.exp(scores[gold]) / torch.exp(scores).sum()))
        return loss + (sum(types) / len(types) if types else 0)


def link_logits(model: CrossModel, given: dict[str, Tensor]) -> Tensor:
    names = ("pair_ids", "pair_types", "pair_lengths", "pair_spans", "entity_types", "pair_features")
    return model.link_logits(*(given[name] for name in names))


@pytest.mark.parametrize("padding", [0, 5])
@pytest.mark.parametrize("texts, pairs", SHAPES)
@torch.no_grad()
def test_a_batch_gives_what_one_at_a_time_gives(texts: list[int], pairs: list[list[int]], padding: int) -> None:
    model, given = small(), batch(texts, pairs, padding)
    twin, encoded = Twin(model, given), model.encode(given["ids"], given["lengths"])
    for row, length in enumerate(texts):
        torch.testing.assert_close(encoded["z"][row, :length], twin.text(row), **CLOSE)
        assert not encoded["z"][row, length:].any()
        assert encoded["mask"][row].tolist() == [i < length for i in range(encoded["mask"].shape[1])]
    logits = model.match_logits(encoded, given["matches"], given["names"], given["signals"])
    torch.testing.assert_close(logits, torch.stack([twin.match(row) for row in range(len(logits))]), **CLOSE)
    fits = link_logits(model, given)
    torch.testing.assert_close(fits, torch.stack([twin.fit(pair) for pair in range(len(fits))]), **CLOSE)
    assert model.borders is not None
    loss = border_loss(model.borders(encoded["z"]), given["borders"], encoded["mask"])
    torch.testing.assert_close(loss, twin.border_loss(), **CLOSE)


@pytest.mark.parametrize("most", [1, 20, 33, 4096])
@torch.no_grad()
def test_how_pairs_are_divided_changes_nothing(monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    model, given = small(), batch(*SHAPES[1], 3)
    whole = link_logits(model, given)
    monkeypatch.setattr(cross, "TOKENS", most)
    torch.testing.assert_close(link_logits(model, given), whole, **CLOSE)
    parts = list(cross._by_length(given["pair_lengths"]))
    assert sorted(int(row) for rows, _ in parts for row in rows) == list(range(len(whole)))
    for rows, longest in parts:
        assert int(given["pair_lengths"][rows].max()) == longest
        assert len(rows) == 1 or len(rows) * longest <= most


VARIANTS: dict[str, dict[str, Any]] = {
    "whole": {},
    "bare": {"habits": False, "borders": False, "nil_types": 0, "words": 0, "word_size": 0},
}


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("shape", [1, 2])
@torch.no_grad()
def test_the_loss_is_the_sum_of_its_elements(variant: str, shape: int) -> None:
    model, given = small(**VARIANTS[variant]), batch(*SHAPES[shape], 2)
    found, twin = model(**given), Twin(model, given)
    torch.testing.assert_close(found["loss"], twin.loss(), **CLOSE)
    assert float(found["link_loss"]) == pytest.approx(twin.link_loss(), rel=1e-4)


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_loss_is_finite_where_there_is_nothing(variant: str) -> None:
    model = small(**VARIANTS[variant]).train()
    for pairs in ([], [[]]):
        given = batch([6, 2], pairs)
        for name, shape in {"matches": (3, 0), "names": (0, 2), "signals": (0, SIGNALS), "match_targets": (0,),
                            "borders": (3, 0)}.items():  # fmt: skip
            given[name] = torch.zeros(shape, dtype=given[name].dtype)
        first, second = model(**given), model(**given)
        assert first["link_loss"] == 0
        loss = first["loss"] + model.divergence(first, second)
        if loss.requires_grad:  # nothing is asked of a bare model
            loss.backward()
        assert bool(torch.isfinite(loss))
        assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)


@torch.no_grad()
def test_divergence_is_that_of_both_heads_choices() -> None:
    """Symmetric, a mean over matches and one over the mentions that have candidates."""
    model, other = small(), small()
    given = batch(*SHAPES[1])
    for p in other.parameters():
        p.add_(torch.randn_like(p) * 0.1)
    first, second = model(**given), other(**given)
    expected = 0.0

    def apart(p: list[float], q: list[float]) -> float:
        there = sum(a * math.log(a / b) for a, b in zip(p, q, strict=True))
        back = sum(b * math.log(b / a) for a, b in zip(p, q, strict=True))
        return (there + back) / 2

    mine, theirs = Twin(model, given), Twin(other, given)
    for row in range(5):
        p, q = (float(torch.sigmoid(twin.match(row))) for twin in (mine, theirs))
        expected += apart([p, 1 - p], [q, 1 - q]) / 5
    for p_, q_ in zip(mine.shares(), theirs.shares(), strict=True):
        expected += apart(p_, q_) / 2  # of three mentions one has no candidate
    assert expected > 0.001
    assert float(model.divergence(first, second)) == pytest.approx(expected, rel=1e-3)
    assert float(model.divergence(first, first)) == 0.0


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_computes_in_half_precision_too(dtype: torch.dtype) -> None:
    model, given = small(), batch(*SHAPES[1])
    exact = model(**given)["loss"]
    with torch.autocast("cpu", dtype):
        found = model(**given)
        apart = model.divergence(found, model(**given))
    (found["loss"] + apart).backward()
    assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)
    assert found["loss"].dtype == found["link_shares"].dtype == torch.float32
    torch.testing.assert_close(found["loss"], exact, rtol=0.1, atol=0.1)


@torch.no_grad()
def test_a_saved_model_is_the_same_model(tmp_path: Path) -> None:
    model, given = small(), batch(*SHAPES[1])
    model.save_pretrained(tmp_path)
    again = AutoModel.from_pretrained(tmp_path).eval()
    assert type(again) is CrossModel and type(AutoConfig.from_pretrained(tmp_path)) is CrossConfig
    assert torch.equal(model(**given)["loss"], again(**given)["loss"])


@torch.no_grad()
def test_dropout_is_for_training_alone() -> None:
    model, given = small(), batch(*SHAPES[1])
    assert torch.equal(model(**given)["loss"], model(**given)["loss"])
    model.train()
    assert not torch.equal(model(**given)["loss"], model(**given)["loss"])
