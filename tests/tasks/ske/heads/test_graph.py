"""The model against a slow, literal reading of kexue.fm 6671, and its loss against a dense one."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from ietool.tasks.ske.heads.stages.config import GraphConfig
from ietool.tasks.ske.heads.stages.graph import GraphModel
from torch import Tensor

from ietool.nn.pointer import product_cross_entropy

R = 5


def small(**changes: object) -> GraphModel:
    torch.manual_seed(3)
    sizes = {
        "characters": 40, "labels": R, "words": 9, "word_size": 6, "tags": 4, "priors": True, "hidden_size": 8,
        "dilations": [1, 2, 5, 1], "attention_heads": 2, "attention_head_size": 3, "positions": 12,
    }  # fmt: skip
    model = GraphModel(GraphConfig(**(sizes | changes)))  # type: ignore[arg-type]
    with torch.no_grad():
        for p in model.parameters():  # zero-initialised tables would hide mistakes
            p.copy_(torch.randn_like(p) * 0.4)
        if model.config.words:
            model.encoder.embedding.word_vectors[1:].normal_()
    return model.eval()


def conv(x: Tensor, weight: Tensor, bias: Tensor | None, dilation: int = 1) -> Tensor:
    """(L, in) → (L, out), tap by tap, zeros outside."""
    out = torch.zeros(len(x), weight.shape[0])
    for i in range(len(x)):
        for tap in range(3):
            j = i + (tap - 1) * dilation
            if 0 <= j < len(x):
                out[i] += weight[:, :, tap] @ x[j]
    return out if bias is None else out + bias


def attend(layer: torch.nn.Module, x: Tensor, heads: int, size: int) -> Tensor:
    q, k, v = layer.qkv(x).chunk(3, -1)  # type: ignore[operator]
    parts = []
    for h in range(heads):
        s = slice(h * size, (h + 1) * size)
        parts.append(torch.softmax(q[:, s] @ k[:, s].T / math.sqrt(size), -1) @ v[:, s])
    return torch.cat(parts, -1)


def literal(
    model: GraphModel,
    characters: list[int],
    words: list[int],
    tags: list[int],
    subject_prior: Tensor,
    start: int,
    end: int,
    object_prior: Tensor,
) -> tuple[Tensor, Tensor]:
    """Subject (L, 2) and object (L, 2, R) probabilities of one sentence without padding."""
    c, e = model.config, model.encoder.embedding
    assert e.word is not None and e.tag is not None and e.position is not None
    length = len(characters)
    rows = []
    for i in range(length):
        x = e.character.weight[characters[i]] + e.word.weight @ e.word_vectors[words[i]].float()
        rows.append(x + e.tag.weight[tags[i]] + e.position[min(i, c.positions - 1)])
    h = torch.stack(rows)
    for block in model.encoder.blocks:
        g, a = conv(h, block.conv.weight, block.conv.bias, block.conv.dilation).chunk(2, -1)  # type: ignore[union-attr, arg-type]
        h = torch.sigmoid(g) * h + (1 - torch.sigmoid(g)) * a

    def gate(layer: torch.nn.Module, x: Tensor) -> Tensor:
        return torch.sigmoid(layer.outer(torch.relu(layer.inner(x))))  # type: ignore[operator]

    entity = gate(model.entity_gates, h)
    a1 = attend(model.subject_attention, h, c.attention_heads, c.attention_head_size)
    z = torch.relu(conv(torch.cat([h, a1, subject_prior], -1), model.subject_conv.weight, model.subject_conv.bias))
    subjects = torch.sigmoid(model.subject_out(z)) * entity

    points = [h[int(start + (end - start) * i / (c.subject_points - 1))] for i in range(c.subject_points)]
    _, last = model.subject_encoder.gru(torch.stack(points)[None])
    vector = torch.cat([last[0, 0], last[1, 0]])
    table = e.position
    encoded = torch.stack(
        [
            vector + torch.cat([table[min(abs(i - start), len(table) - 1)], table[min(abs(i - end), len(table) - 1)]])
            for i in range(length)
        ]
    )
    a2 = attend(model.object_attention, h, c.attention_heads, c.attention_head_size)
    oc = model.object_conv
    assert oc.prior is not None
    weight = torch.cat([oc.sentence.weight, oc.subject.permute(2, 1, 0), oc.prior.permute(2, 1, 0)], 1)
    z = torch.relu(conv(torch.cat([h, a2, subject_prior, encoded, object_prior], -1), weight, oc.sentence.bias))
    logits = torch.sigmoid(model.object_out(z)).view(length, 2, R)
    any_object = torch.sigmoid(model.any_object(z))
    presence = gate(model.presence, h.max(0).values)
    return subjects, logits * (any_object * entity)[..., None] * presence


@pytest.mark.parametrize("length, start, end", [(1, 0, 0), (2, 0, 1), (9, 0, 3), (17, 12, 16), (20, 19, 19)])
def test_equals_the_literal_reading(length: int, start: int, end: int) -> None:
    model = small()
    torch.manual_seed(length)
    characters, words, tags = (torch.randint(low, high, (length,)) for low, high in ((1, 40), (0, 9), (0, 4)))
    subject_prior = (torch.rand(length, 2) < 0.3).float()
    object_prior = (torch.rand(length, 2 * R) < 0.2).float()
    # The sentence stands in a padded batch, second, behind a longer one whose marks must not leak.
    longest = length + 6
    batch = torch.zeros(2, 3, longest, dtype=torch.long)
    batch[0] = torch.randint(1, 4, (3, longest))
    for row, values in enumerate((characters, words, tags)):
        batch[1, row, :length] = values
    sp, op = subject_prior.nonzero(), object_prior.nonzero()
    ones = torch.ones(len(sp), dtype=torch.long)
    with torch.no_grad():
        e = model.encode(
            batch[:, 0], torch.tensor([longest, length]), batch[:, 1], batch[:, 2], (ones, sp[:, 0], sp[:, 1])
        )
        logits, gates = model.objects(
            e,
            torch.tensor([0, 1]),
            torch.tensor([1, start]),
            torch.tensor([2, end]),
            (torch.ones(len(op), dtype=torch.long), op[:, 0], op[:, 1]),
        )
        got_s = (F.logsigmoid(e["subject_logits"]) + e["entity"]).exp()[1, :length]
        got_o = (F.logsigmoid(logits) + gates[0] + gates[1]).exp()[1, :length]
        want_s, want_o = literal(
            model, characters.tolist(), words.tolist(), tags.tolist(), subject_prior, start, end, object_prior
        )
    torch.testing.assert_close(got_s, want_s, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(got_o, want_o, rtol=1e-4, atol=1e-6)


def test_loss_is_the_binary_cross_entropy_of_the_products() -> None:
    torch.manual_seed(0)
    logits = torch.randn(3, 7, 2, R, requires_grad=True)
    gates = [F.logsigmoid(torch.randn(3, 7, 2, 1)), F.logsigmoid(torch.randn(3, 1, 1, R))]
    target = (torch.rand(3, 7, 2, R) < 0.1).float()
    weight = (torch.arange(7) < 5).view(1, 7, 1, 1).float()
    target = target * weight
    p = torch.sigmoid(logits) * gates[0].exp() * gates[1].exp()
    dense = F.binary_cross_entropy(p, target, reduction="none") * weight
    sparse = product_cross_entropy(logits, gates, tuple(target.nonzero().unbind(1)), weight)
    torch.testing.assert_close(sparse, dense.sum(), rtol=1e-5, atol=1e-5)
    (a,) = torch.autograd.grad(dense.sum(), logits)
    (b,) = torch.autograd.grad(sparse, logits)
    torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


def test_loss_survives_what_underflows_and_what_saturates() -> None:
    logits = torch.tensor([[-300.0, 300.0, 300.0]], requires_grad=True)
    loss = product_cross_entropy(logits, [torch.zeros(1, 1)], (torch.tensor([0]), torch.tensor([0])), torch.ones(1, 1))
    (gradient,) = torch.autograd.grad(loss, logits)
    assert torch.isfinite(loss) and torch.isfinite(gradient).all()
    assert gradient[0, 0] == pytest.approx(-1.0)  # a lost positive still pulls with full force
    assert loss > 300


def test_a_saved_model_is_the_same_model(tmp_path: Path) -> None:
    model = small()
    model.save_pretrained(tmp_path)
    assert {p.name for p in tmp_path.iterdir()} == {"config.json", "model.safetensors"}
    again = GraphModel.from_pretrained(tmp_path).eval()
    characters = torch.randint(1, 40, (2, 9))
    ids = torch.randint(0, 4, (2, 9))
    for name in ("subject_logits", "presence", "h"):
        a = model.encode(characters, torch.tensor([9, 5]), ids, ids)[name]
        b = again.encode(characters, torch.tensor([9, 5]), ids, ids)[name]
        assert torch.equal(a, b)


def test_padding_changes_nothing() -> None:
    model = small(words=0, word_size=0, tags=0, priors=False)
    characters = torch.randint(1, 40, (1, 9))
    padded = F.pad(characters, (0, 11))
    a = model.encode(characters, torch.tensor([9]))
    b = model.encode(padded, torch.tensor([9]))
    for name in ("subject_logits", "entity", "h"):
        torch.testing.assert_close(a[name], b[name][:, :9], rtol=1e-5, atol=1e-6)
    pair = (torch.tensor([0]), torch.tensor([2]), torch.tensor([4]))
    torch.testing.assert_close(model.objects(a, *pair)[0], model.objects(b, *pair)[0][:, :9], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_computes_in_half_precision_too(dtype: torch.dtype) -> None:
    """Every part accepts the types that autocast mixes, forward and backward, and stays near the fp32 numbers."""
    model = small()
    torch.manual_seed(1)
    batch = {
        "ids": torch.randint(1, 40, (2, 11)), "lengths": torch.tensor([11, 7]),
        "words": torch.randint(0, 9, (2, 11)), "tags": torch.randint(0, 4, (2, 11)),
        "subject_targets": torch.tensor([[0, 0], [1, 3], [0, 1]]), "pairs": torch.tensor([[0, 1], [1, 2], [3, 4]]),
        "object_targets": torch.tensor([[0, 0], [5, 6], [0, 1], [2, 2]]),
        "subject_marks": torch.tensor([[0], [1], [0]]), "object_marks": torch.tensor([[0], [5], [2]]),
    }  # fmt: skip
    exact = model(**batch)["loss"]
    with torch.autocast("cpu", dtype):
        loss = model(**batch)["loss"]
    loss.backward()
    assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, exact, rtol=0.05, atol=0.05)
