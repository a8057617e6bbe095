"""The model against a slow, literal twin: one text, one mention, one candidate at a time, without any padding."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from torch import Tensor

from ietool.nn.choice import listwise_loss, log_partition
from ietool.tasks.el.features.candidates import OVERLAPS, PRIORS
from ietool.tasks.el.features.signals import SIGNALS
from ietool.tasks.el.heads.joint.config import JointConfig
from ietool.tasks.el.heads.joint.model import SHORT, JointModel
from ietool.tasks.el.heads.losses import border_loss

H, HEADS, SIZE = 8, 2, 3
CHARACTERS, WORDS, TAGS, NIL_TYPES, TYPES = 30, 9, 4, 3, 4
CLOSE = {"rtol": 1e-5, "atol": 1e-5}

SHAPES = [
    ([7], [SHORT]),
    ([1], [1]),
    ([12, 1, 5], [3, SHORT + 9, 1, SHORT]),  # short and long descriptions, each padded to its own
    ([4, 9], [SHORT + 1, SHORT + 4, SHORT + 30]),  # long ones alone
    ([3, 3, 8, 2], [2, 5]),  # all shorter than SHORT
]
"""Characters of texts, characters of descriptions."""


def small(**changes: Any) -> JointModel:
    torch.manual_seed(3)
    sizes: dict[str, Any] = {
        "characters": CHARACTERS, "words": WORDS, "word_size": 6, "tags": TAGS, "nil_types": NIL_TYPES, "types": TYPES,
        "type_size": 5, "hidden_size": H, "attention_heads": HEADS, "attention_head_size": SIZE,
    }  # fmt: skip
    model = JointModel(JointConfig(**(sizes | changes)))
    with torch.no_grad():
        for p in model.parameters():  # zero-initialised tables would hide mistakes
            p.copy_(torch.randn_like(p) * 0.4)
        if model.config.words:
            model.embedding.word_vectors[1:].normal_()
    return model.eval()


def batch(texts: list[int], entities: list[int], padding: int = 0) -> dict[str, Tensor]:
    """What ``JointModel.forward`` takes, at random; what stands behind a text or a description is not its business."""
    random = torch.Generator().manual_seed(100 * len(texts) + sum(entities))

    def ids(high: int, lengths: list[int], low: int = 0) -> Tensor:
        out = torch.zeros(len(lengths), max(lengths) + padding, dtype=torch.long)
        for row, length in enumerate(lengths):
            out[row, :length] = torch.randint(low, high, (length,), generator=random)
        return out

    def numbers(high: int, count: int) -> Tensor:
        return torch.randint(0, high, (count,), generator=random)

    def spans(count: int) -> Tensor:
        found = set()
        for _ in range(count):
            text = int(torch.randint(0, len(texts), (), generator=random))
            a, b = torch.randint(0, texts[text], (2,), generator=random).tolist()
            found.add((text, min(a, b), max(a, b)))
        return torch.tensor(sorted(found)).T

    characters = {"characters": ids(CHARACTERS, texts, 1), "words": ids(WORDS, texts), "tags": ids(TAGS, texts)}
    described = {name: ids(high, entities, low) for name, high, low in (
        ("entity_characters", CHARACTERS, 1), ("entity_words", WORDS, 0), ("entity_tags", TAGS, 0))}  # fmt: skip
    matches, mentions, borders = spans(6), spans(3), spans(4)
    # The second mention has no candidate; the others have some entities each, not all of the same length.
    pairs = [(m, e) for m in range(mentions.shape[1]) if m != 1 for e in range(len(entities)) if (m + e) % 3 != 2]
    overlaps = torch.zeros(len(pairs), characters["characters"].shape[1], OVERLAPS, dtype=torch.uint8)
    targets = torch.zeros(len(pairs))
    for row, (mention, _) in enumerate(pairs):
        length = texts[int(mentions[0, mention])]
        overlaps[row, :length] = torch.randint(0, 2, (length, OVERLAPS), generator=random)
        targets[row] = float(mention == 0 and row == 0)
    starts = {(t, a, 0) for t, a, _ in matches.T.tolist()[::2]} | {(t, b, 1) for t, _, b in matches.T.tolist()[::2]}
    return {
        **characters, **described, "lengths": torch.tensor(texts), "entity_lengths": torch.tensor(entities),
        "matches": matches, "signals": torch.randn(matches.shape[1], SIGNALS, generator=random),
        "names": torch.stack([numbers(TYPES + 1, matches.shape[1]), numbers(WORDS, matches.shape[1])], 1),
        "entity_types": numbers(TYPES + 1, len(entities)),
        "match_targets": (torch.rand(matches.shape[1], generator=random) < 0.4).float(),
        "mentions": mentions, "pairs": torch.tensor(pairs).T, "overlaps": overlaps, "link_targets": targets,
        "priors": torch.rand(len(pairs), PRIORS, generator=random), "borders": borders,
        "type_targets": torch.tensor([-1, 2, 0][: mentions.shape[1]]),
        "pointer_targets": torch.tensor(sorted(starts)).T,
    }  # fmt: skip


class Twin:
    """A literal reading of kexue.fm 6919 with the weights of a model."""

    def __init__(self, model: JointModel, given: dict[str, Tensor]) -> None:
        self.model, self.given, self.types = model, given, model.kind.weight

    def embed(self, prefix: str, row: int, length: int) -> Tensor:
        e, rows = self.model.embedding, []
        for i in range(length):
            x = e.character.weight[self.given[f"{prefix}characters"][row, i]]
            if e.word is not None:
                x = x + e.word.weight @ e.word_vectors[self.given[f"{prefix}words"][row, i]].float()
            if e.tag is not None:
                x = x + e.tag.weight[self.given[f"{prefix}tags"][row, i]]
            rows.append(x)
        return torch.stack(rows)

    @staticmethod
    def lstm(layer: Any, x: Tensor) -> Tensor:
        there, back = layer.there(x[None])[0][0], layer.back(x.flip(0)[None])[0][0].flip(0)
        return torch.cat([there, back], -1)

    def text(self, row: int) -> tuple[Tensor, Tensor]:
        """h and z of a text, (L, H) each."""
        length = int(self.given["lengths"][row])
        marks = torch.zeros(length, 2)
        for text, start, end in self.given["matches"].T.tolist():
            if text == row:
                marks[start, 0] = marks[end, 1] = 1
        h = self.lstm(self.model.encoder, torch.cat([self.embed("", row, length), marks], -1))
        conv, z = self.model.mention_conv, []
        assert conv.bias is not None
        for i in range(length):
            taps = (conv.weight[:, :, t] @ h[i + t - 1] for t in range(3) if 0 <= i + t - 1 < length)
            z.append(torch.relu(conv.bias + sum(taps)))
        return h, torch.stack(z)

    @staticmethod
    def span(z: Tensor, start: int, end: int) -> Tensor:
        return torch.cat([z[start], z[end], sum(z[i] for i in range(start, end + 1)) / (end - start + 1)])  # type: ignore[list-item]

    def match(self, row: int) -> Tensor:
        text, start, end = self.given["matches"][:, row].tolist()
        kind, word = self.given["names"][row].tolist()
        x = torch.cat([self.span(self.text(text)[1], start, end), self.types[kind]])
        if self.model.config.habits:
            x = torch.cat([x, self.given["signals"][row]])
        m = self.model
        inner = m.span_inner.weight @ x + m.span_inner.bias
        if m.called is not None:
            inner = inner + m.called.weight @ m.embedding.word_vectors[word].float()
        inner = torch.relu(inner)
        return (m.span_outer.weight @ inner + m.span_outer.bias).squeeze()

    def attend(self, layer: Any, x: Tensor, over: Tensor) -> Tensor:
        rows = []
        for vector in x:
            heads = []
            for head in range(HEADS):
                s = slice(head * SIZE, (head + 1) * SIZE)
                q = layer.q.weight[s] @ vector
                k = [layer.kv.weight[: HEADS * SIZE][s] @ other for other in over]
                v = [layer.kv.weight[HEADS * SIZE :][s] @ other for other in over]
                weights = [torch.exp(q @ key / math.sqrt(SIZE)) for key in k]
                heads.append(sum(w * value for w, value in zip(weights, v, strict=True)) / sum(weights))
            rows.append(torch.cat(heads))  # type: ignore[arg-type]
        return torch.stack(rows)

    def description(self, entity: int) -> Tensor:
        return self.lstm(self.model.describer, self.embed("entity_", entity, int(self.given["entity_lengths"][entity])))

    def fit(self, pair: int) -> Tensor:
        mention, entity = self.given["pairs"][:, pair].tolist()
        text, start, end = self.given["mentions"][:, mention].tolist()
        h = self.text(text)[0]
        mark = torch.tensor([[float(start <= i <= end)] for i in range(len(h))])
        q = self.lstm(self.model.query, torch.cat([h, mark, self.given["overlaps"][pair, : len(h)].float()], -1))
        d = self.description(entity)
        parts = [
            self.attend(self.model.to_description, q, d).max(0).values,
            self.attend(self.model.to_query, d, q).max(0).values,
            q[start : end + 1].mean(0),
            self.types[self.given["entity_types"][entity]],
        ]
        if self.model.config.habits:
            parts.append(self.given["priors"][pair])
        m = self.model
        inner = torch.relu(m.link_inner.weight @ torch.cat(parts) + m.link_inner.bias)
        return (m.link_outer.weight @ inner + m.link_outer.bias).squeeze()

    def loss(self) -> Tensor:
        """What a training step minimises, element by element."""
        c, g = self.model.config, self.given
        texts = range(len(g["lengths"]))
        zs = [self.text(t)[1] for t in texts]
        if c.mentions == "pointers":
            gold = {tuple(cell) for cell in g["pointer_targets"].T.tolist()}
            marked = {(t, a, 0) for t, a, _ in g["matches"].T.tolist()}
            marked |= {(t, b, 1) for t, _, b in g["matches"].T.tolist()}
            loss = torch.zeros(())
            for text, at, side in marked:  # elsewhere the probability is 0, and so is the target
                head = self.model.pointers
                p = torch.sigmoid(head.weight[side] @ zs[text][at] + head.bias[side])
                loss = loss - torch.log(p if (text, at, side) in gold else 1 - p)
            loss = loss / g["lengths"].sum()
        else:
            terms = []
            for row, target in enumerate(g["match_targets"]):
                p = torch.sigmoid(self.match(row))
                terms.append(-torch.log(p if target else 1 - p))
            loss = sum(terms) / len(terms)  # type: ignore[assignment]
        if c.borders:
            loss = loss + self.border_loss(zs)
        loss = loss + self.link_loss()
        if c.nil_types:
            head = self.model.nil_type
            assert head is not None
            types = []
            for (text, start, end), gold_type in zip(g["mentions"].T.tolist(), g["type_targets"].tolist(), strict=True):
                if gold_type >= 0:
                    scores = head.weight @ self.span(zs[text], start, end) + head.bias
                    types.append(-torch.log(torch.exp(scores[gold_type]) / torch.exp(scores).sum()))
            loss = loss + (sum(types) / len(types) if types else 0)
        return loss

    def border_loss(self, zs: list[Tensor]) -> Tensor:
        head = self.model.borders
        assert head is not None
        gold = {(t, a, 0) for t, a, _ in self.given["borders"].T.tolist()}
        gold |= {(t, b, 1) for t, _, b in self.given["borders"].T.tolist()}
        total = torch.zeros(())
        for text, z in enumerate(zs):
            for at, vector in enumerate(z):
                for side in range(2):
                    p = torch.sigmoid(head.weight[side] @ vector + head.bias[side])
                    total = total - torch.log(p if (text, at, side) in gold else 1 - p)
        return total / sum(map(len, zs))

    def link_loss(self) -> Tensor:
        pairs, targets = self.given["pairs"][0].tolist(), self.given["link_targets"].tolist()
        scores = [self.fit(pair) for pair in range(len(pairs))]
        losses = []
        if self.model.config.loss == "pair":
            for score, target in zip(scores, targets, strict=True):
                p = torch.sigmoid(score)
                losses.append(-torch.log(p if target else 1 - p))
        else:
            for mention in dict.fromkeys(pairs):
                own = [i for i, m in enumerate(pairs) if m == mention]
                right = [torch.exp(scores[i]) for i in own if targets[i]] or [torch.ones(())]
                losses.append(-torch.log(right[0] / (1 + sum(torch.exp(scores[i]) for i in own))))
        return sum(losses) / len(losses)  # type: ignore[return-value]


def encode(model: JointModel, given: dict[str, Tensor]) -> dict[str, Tensor]:
    return model.encode(*(given[name] for name in ("characters", "lengths", "words", "tags", "matches")))


def describe(model: JointModel, given: dict[str, Tensor]) -> Tensor:
    return model.describe(*(given[f"entity_{name}"] for name in ("characters", "lengths", "words", "tags")))


def link_logits(model: JointModel, given: dict[str, Tensor]) -> Tensor:
    return model.link_logits(
        encode(model, given), given["mentions"], describe(model, given), given["entity_lengths"],
        given["entity_types"], *(given[name] for name in ("pairs", "overlaps", "priors")),
    )  # fmt: skip


@pytest.mark.parametrize("padding", [0, 5])
@pytest.mark.parametrize("texts, entities", SHAPES)
@torch.no_grad()
def test_a_batch_gives_what_one_at_a_time_gives(texts: list[int], entities: list[int], padding: int) -> None:
    model, given_ = small(), batch(texts, entities, padding)
    twin, encoded = Twin(model, given_), encode(model, given_)
    for row, length in enumerate(texts):
        h, z = twin.text(row)
        torch.testing.assert_close(encoded["h"][row, :length], h, **CLOSE)
        torch.testing.assert_close(encoded["z"][row, :length], z, **CLOSE)
        assert not encoded["h"][row, length:].any() and not encoded["z"][row, length:].any()
    logits = model.match_logits(encoded, *(given_[name] for name in ("matches", "names", "signals")))
    torch.testing.assert_close(logits, torch.stack([twin.match(row) for row in range(len(logits))]), **CLOSE)
    zs = [twin.text(row)[1] for row in range(len(texts))]
    assert model.borders is not None
    loss = border_loss(model.borders(encoded["z"]), given_["borders"], encoded["mask"])
    torch.testing.assert_close(loss, twin.border_loss(zs), **CLOSE)
    described = describe(model, given_)
    assert described.shape == (*given_["entity_characters"].shape, H)
    for entity, length in enumerate(entities):
        torch.testing.assert_close(described[entity, :length], twin.description(entity), **CLOSE)
        assert not described[entity, length:].any()
    fits = link_logits(model, given_)
    torch.testing.assert_close(fits, torch.stack([twin.fit(pair) for pair in range(len(fits))]), **CLOSE)


@torch.no_grad()
def test_pointers_are_those_of_single_texts() -> None:
    model, given_ = small(mentions="pointers"), batch([6, 11, 1], [4], 3)
    logits = model.pointer_logits(encode(model, given_))
    for row, length in enumerate([6, 11, 1]):
        z = Twin(model, given_).text(row)[1]
        torch.testing.assert_close(logits[row, :length], z @ model.pointers.weight.T + model.pointers.bias, **CLOSE)


VARIANTS: dict[str, dict[str, Any]] = {
    "listwise": {},
    "pair": {"loss": "pair"},
    "pointers": {"mentions": "pointers"},
    "bare": {"habits": False, "borders": False, "nil_types": 0, "words": 0, "word_size": 0, "tags": 0},
}


@pytest.mark.parametrize("variant", VARIANTS)
@torch.no_grad()
def test_the_loss_is_the_sum_of_its_elements(variant: str) -> None:
    model, given_ = small(**VARIANTS[variant]), batch([6, 2, 9], [3, SHORT + 2], 2)
    found = model(**given_)
    torch.testing.assert_close(found["loss"], Twin(model, given_).loss(), **CLOSE)
    torch.testing.assert_close(found["link_loss"], Twin(model, given_).link_loss(), **CLOSE)


@torch.no_grad()
def test_padding_changes_nothing() -> None:
    model = small()
    for texts, entities in SHAPES:
        bare, padded = batch(texts, entities), batch(texts, entities, 13)
        for name in ("loss", "mention_loss", "link_loss"):
            torch.testing.assert_close(model(**bare)[name], model(**padded)[name], rtol=1e-6, atol=1e-6)
        # Nor does what the padding holds: a text is read to its length and no further.
        behind = torch.arange(padded["characters"].shape[1]) >= padded["lengths"][:, None]
        padded["characters"][behind] = 7
        padded["overlaps"][behind[padded["mentions"][0, padded["pairs"][0]]]] = 1
        behind = torch.arange(padded["entity_characters"].shape[1]) >= padded["entity_lengths"][:, None]
        padded["entity_characters"][behind] = 5
        torch.testing.assert_close(model(**bare)["loss"], model(**padded)["loss"], rtol=1e-6, atol=1e-6)


@torch.no_grad()
def test_an_empty_description_is_nothing_and_harms_no_other() -> None:
    model, given_ = small(), batch([5], [4, 3])
    whole = describe(model, given_)
    given_["entity_lengths"] = torch.tensor([4, 0])
    found = describe(model, given_)
    assert torch.equal(found[0], whole[0]) and not found[1].any()


NOTHING = {
    "matches": (3, 0), "names": (0, 2), "signals": (0, SIGNALS), "match_targets": (0,), "pointer_targets": (3, 0),
}  # fmt: skip
NO_MENTION = {
    "mentions": (3, 0), "pairs": (2, 0), "priors": (0, PRIORS), "link_targets": (0,), "type_targets": (0,),
    "borders": (3, 0), "entity_characters": (0, 0), "entity_words": (0, 0), "entity_tags": (0, 0),
    "entity_lengths": (0,), "entity_types": (0,), "overlaps": (0, 6, OVERLAPS),
}  # fmt: skip


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("empty", [NOTHING, NO_MENTION, NOTHING | NO_MENTION], ids=["match", "mention", "both"])
def test_the_loss_is_finite_where_there_is_nothing(variant: str, empty: dict[str, tuple[int, ...]]) -> None:
    model, given_ = small(**VARIANTS[variant]).train(), batch([6, 2], [3])
    for name, shape in empty.items():
        given_[name] = torch.zeros(shape, dtype=given_[name].dtype)
    found = model(**given_)
    found["loss"].backward()
    assert all(torch.isfinite(value) for value in found.values())
    assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)
    if "pairs" in empty:
        assert found["link_loss"] == 0


def test_mentions_without_any_candidate_cost_no_link() -> None:
    model, given_ = small(nil_types=0), batch([6, 2], [3])
    for name in ("pairs", "priors", "link_targets", "overlaps"):
        given_[name] = torch.zeros(NO_MENTION[name], dtype=given_[name].dtype)
    found = model(**given_)
    assert found["link_loss"] == 0 and torch.isfinite(found["loss"])


SCORES = st.floats(-90, 90, width=32)


@given(st.lists(st.lists(st.tuples(SCORES, st.booleans()), max_size=4), min_size=1, max_size=5))
@examples(max_examples=60)
def test_the_listwise_loss_is_a_softmax_with_a_choice_of_none(mentions: list[list[tuple[float, bool]]]) -> None:
    scores, owners, targets, expected, partitions = [], [], [], [], []
    for number, candidates in enumerate(mentions):
        gold = next((i for i, (_, right) in enumerate(candidates) if right), None)
        total = math.log(math.fsum([1.0, *(math.exp(score) for score, _ in candidates)]))
        partitions.append(total)
        if candidates:
            expected.append(total - (0.0 if gold is None else candidates[gold][0]))
        scores += [score for score, _ in candidates]
        owners += [number] * len(candidates)
        targets += [float(i == gold) for i in range(len(candidates))]
    # Candidates need not be ordered by mention.
    order = torch.randperm(len(scores), generator=torch.Generator().manual_seed(len(scores)))
    tensors = torch.tensor(scores)[order], torch.tensor(owners, dtype=torch.long)[order], torch.tensor(targets)[order]
    found = log_partition(tensors[0], tensors[1], len(mentions))
    torch.testing.assert_close(found, torch.tensor(partitions, dtype=torch.float32), rtol=1e-5, atol=1e-5)
    loss = listwise_loss(*tensors, len(mentions))
    assert loss.item() == pytest.approx(sum(expected) / max(len(expected), 1), rel=1e-5, abs=1e-4)


def test_the_gradient_of_the_listwise_loss_is_what_a_softmax_gives() -> None:
    scores = torch.tensor([2.0, -1.0, 0.5, 60.0, -60.0], requires_grad=True)
    mention, targets = torch.tensor([0, 0, 0, 1, 2]), torch.tensor([0.0, 1.0, 0.0, 0.0, 1.0])
    (found,) = torch.autograd.grad(listwise_loss(scores, mention, targets, 3), scores)
    parts = []
    for number in range(3):
        own = mention == number
        shares = torch.cat([torch.zeros(1), scores[own].detach()]).softmax(0)[1:]
        parts.append((shares - targets[own]) / 3)
    torch.testing.assert_close(found, torch.cat(parts))


@pytest.mark.filterwarnings("ignore:TF32")
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("variant", ["listwise", "pointers"])
def test_computes_in_half_precision_too(dtype: torch.dtype, variant: str) -> None:
    """Every part accepts the types that autocast mixes, forward and backward, and stays near the fp32 numbers."""
    model, given_ = small(**VARIANTS[variant]), batch([12, 5], [3, SHORT + 9])
    exact = model(**given_)["loss"]
    # Without oneDNN, whose LSTM does not know these types on every processor.
    with torch.autocast("cpu", dtype), torch.backends.mkldnn.flags(enabled=False):
        loss = model(**given_)["loss"]
    loss.backward()
    assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, exact, rtol=0.05, atol=0.05)


@torch.no_grad()
def test_a_saved_model_is_the_same_model(tmp_path: Path) -> None:
    model, given_ = small(), batch([6, 2], [3, 5])
    model.save_pretrained(tmp_path)
    again = JointModel.from_pretrained(tmp_path).eval()
    assert torch.equal(model(**given_)["loss"], again(**given_)["loss"])


@torch.no_grad()
def test_dropout_is_for_training_alone() -> None:
    model, given_ = small(), batch([6, 2], [3, 5])
    assert torch.equal(model(**given_)["loss"], model(**given_)["loss"])
    model.train()
    assert not torch.equal(model(**given_)["loss"], model(**given_)["loss"])


def test_the_listwise_loss_is_a_softmax_over_candidates_and_none() -> None:
    scores = torch.tensor([1.0, -2.0, 0.5, 3.0])
    mention = torch.tensor([0, 0, 2, 2])  # the second of three mentions has no candidate, and counts nothing
    targets = torch.tensor([0.0, 1.0, 0.0, 0.0])  # the third is none of its candidates
    first = -torch.tensor([1.0, -2.0, 0.0]).log_softmax(0)[1]
    third = -torch.tensor([0.5, 3.0, 0.0]).log_softmax(0)[2]
    torch.testing.assert_close(listwise_loss(scores, mention, targets, 3), (first + third) / 2)
