"""Efficient GlobalPointer against bert4keras' formula written out, its loss against the dense one."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from ietool.nn.global_pointer import (
    NEVER,
    EfficientGlobalPointer,
    Scores,
    log_sums,
    multilabel_loss,
    positions,
    rotate,
)


def whole(scores: Scores) -> Tensor:
    """(B, R, T, T)."""
    return scores.pair.unsqueeze(1) + scores.first.unsqueeze(3) + scores.last.unsqueeze(2)


def turned(vector: list[float], position: int) -> list[float]:
    """bert4keras' ``apply_rotary_position_embeddings``: x · cos + (−x₁, x₀, −x₃, x₂ …) · sin."""
    size = len(vector)
    out = []
    for d in range(size):
        angle = position * 10000.0 ** (-2 * (d // 2) / size)
        other = -vector[d + 1] if d % 2 == 0 else vector[d - 1]
        out.append(vector[d] * math.cos(angle) + other * math.sin(angle))
    return out


@pytest.mark.parametrize("spans", [True, False])
def test_scores_are_those_of_the_formula(spans: bool) -> None:
    """One dense for all types whose even outputs are the query and whose odd ones are the key; from both a dense of two
    biases per type, halved; with rotary positions and the lower triangle masked where i and j are one span."""
    torch.manual_seed(1)
    types, size, length = 3, 4, 6
    layer = EfficientGlobalPointer(5, types, size, spans=spans)
    layer.requires_grad_(False).bias.bias.normal_()
    x, inside = torch.randn(2, length, 5), torch.tensor([[True] * 6, [False, True, True, True, False, False]])
    found = whole(layer(x, inside))
    for b in range(2):
        z = [[float(v) for v in layer.projection(x[b, t])] for t in range(length)]
        # In bert4keras' order: query and key by turns, and of the biases the last position's first.
        mixed = [[row[d // 2 + size * (d % 2)] for d in range(2 * size)] for row in z]
        bias = []
        for t in range(length):
            plain = layer.bias(torch.tensor(z[t])).tolist()
            bias.append([2 * plain[r // 2 + types * (1 - r % 2)] for r in range(2 * types)])
        for i in range(length):
            for j in range(length):
                q, k = mixed[i][::2], mixed[j][1::2]
                if spans:
                    q, k = turned(q, i), turned(k, j)
                allowed = bool(inside[b, i] and inside[b, j]) and (j >= i or not spans)
                for r in range(types):
                    score = sum(a * c for a, c in zip(q, k, strict=True)) / size**0.5
                    score += bias[j][2 * r] / 2 + bias[i][2 * r + 1] / 2
                    if allowed:
                        assert float(found[b, r, i, j]) == pytest.approx(score, abs=1e-4)
                    else:
                        assert float(found[b, r, i, j]) < NEVER / 2


def test_a_turn_is_of_length_one_and_of_the_distance_alone() -> None:
    torch.manual_seed(2)
    sin, cos = positions(30, 8, torch.device("cpu"))
    q, k = torch.randn(8), torch.randn(8)
    turned_q, turned_k = (rotate(v.expand(1, 30, 8), sin, cos)[0] for v in (q, k))
    torch.testing.assert_close(turned_q.norm(dim=1), q.norm().expand(30))
    products = turned_q @ turned_k.T
    for distance in range(-20, 21):
        line = products.diagonal(distance)
        torch.testing.assert_close(line, line[:1].expand(len(line)), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(products[0, 0], q @ k)
    assert float((products[0] - q @ k).abs().max()) > 0.1


@pytest.mark.parametrize("spans", [True, False])
def test_padding_changes_nothing(spans: bool) -> None:
    torch.manual_seed(3)
    layer = EfficientGlobalPointer(4, 2, 6, spans=spans)
    x = torch.randn(1, 5, 4)
    alone = layer(x, torch.ones(1, 5, dtype=torch.bool))
    padded = layer(F.pad(x, (0, 0, 0, 3), value=7.0), torch.arange(8)[None] < 5)
    torch.testing.assert_close(whole(padded)[:, :, :5, :5], whole(alone))
    torch.testing.assert_close(log_sums(padded), log_sums(alone))


def test_half_precision_does_not_reach_the_scores() -> None:
    torch.manual_seed(4)
    layer = EfficientGlobalPointer(16, 3, 64)
    x, inside = torch.randn(2, 40, 16) * 3, torch.ones(2, 40, dtype=torch.bool)
    exact = layer(x, inside)
    with torch.autocast("cpu", torch.bfloat16):
        found = layer(x, inside)
        assert found.pair.dtype == found.first.dtype == torch.float32
        # What the dense layers round off is there; the products of queries and keys add nothing to it.
        z = layer.projection(x).float()
        sums = log_sums(exact)
    q, k = z.chunk(2, -1)
    turn = positions(40, 64, x.device)
    pair = rotate(q, *turn) @ rotate(k, *turn).transpose(1, 2) / 8
    kept = inside.unsqueeze(1).expand(2, 40, 40).triu()
    torch.testing.assert_close(found.pair[kept], pair[kept], rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(sums, log_sums(exact), rtol=1e-6, atol=1e-6)


def made(seed: int, batch: int, types: int, length: int, scale: float, spans: bool, dtype: torch.dtype) -> Scores:
    draw = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=draw, dtype=torch.float64).to(dtype) * scale

    lengths = torch.randint(1, length + 1, (batch,), generator=draw)
    inside = torch.arange(length) < lengths[:, None]
    allowed = inside.unsqueeze(1) & inside.unsqueeze(2)
    if spans:
        allowed = allowed.triu()
    pair = normal(batch, length, length).masked_fill(~allowed, NEVER)
    return Scores(pair, normal(batch, types, length), normal(batch, types, length))


shapes = {
    "seed": st.integers(0, 10**6), "batch": st.integers(1, 3), "types": st.integers(1, 4), "length": st.integers(1, 6),
    "scale": st.sampled_from([0.1, 1.0, 8.0, 60.0, 400.0]), "spans": st.booleans(),
}  # fmt: skip


@given(**shapes)
def test_log_sums_are_those_of_all_scores(**shape: Any) -> None:
    scores = made(**shape, dtype=torch.float32)
    scores = Scores(*(part.requires_grad_() for part in scores))
    found = log_sums(scores)
    expected = whole(scores).flatten(2).logsumexp(2)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4 * max(1.0, shape["scale"]))
    weights = torch.linspace(0.5, 1.5, found.numel()).view_as(found)
    ours = torch.autograd.grad((found * weights).sum(), list(scores), retain_graph=True)
    theirs = torch.autograd.grad((expected * weights).sum(), list(scores))
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-4)


def test_a_sum_that_vanishes_beside_the_highest_factors() -> None:
    """The best last position is not allowed with any first one: e^−200 of it is left, which fp32 does not hold."""
    pair = torch.full((1, 2, 2), NEVER)
    pair[0, 0, 0] = 0.0
    scores = Scores(pair.requires_grad_(), torch.tensor([[[3.0, 150.0]]]), torch.tensor([[[-2.0, 200.0]]]))
    total = log_sums(scores)
    torch.testing.assert_close(total, torch.tensor([[1.0]]))
    (gradient,) = torch.autograd.grad(total.sum(), pair)
    torch.testing.assert_close(gradient, torch.tensor([[[1.0, 0.0], [0.0, 0.0]]]))


def dense_loss(scores: Scores, positives: Tensor, marks: Tensor | None, weight: Tensor | None) -> Tensor:
    """``log(1 + Σ_negative e^s) + log(1 + Σ_positive e^−s)`` with a target for every place."""
    s = whole(scores)
    if marks is not None and weight is not None:
        for b, r, i, j in marks.T.tolist():
            raised = torch.zeros_like(s)
            raised[b, r, i, j] = 1.0
            s = s + raised * weight[r]
    target = torch.zeros_like(s, dtype=torch.bool)
    target[tuple(positives)] = True
    s, target = s.flatten(2), target.flatten(2)
    zero = s.new_zeros(*s.shape[:2], 1)
    negative = torch.cat([zero, s.masked_fill(target, -math.inf)], -1).logsumexp(-1)
    positive = torch.cat([zero, (-s).masked_fill(~target, -math.inf)], -1).logsumexp(-1)
    return (negative + positive).sum() / len(s)


def places(scores: Scores, share: float, seed: int) -> Tensor:
    """(4, n) of allowed places, drawn once each."""
    draw = torch.Generator().manual_seed(seed)
    allowed = (scores.pair > NEVER / 2).unsqueeze(1).expand(-1, scores.first.shape[1], -1, -1)
    chosen = allowed & (torch.rand(allowed.shape, generator=draw) < share)
    return chosen.nonzero().T


@given(**shapes, share=st.sampled_from([0.0, 0.05, 0.3]), marked=st.sampled_from([None, 0.0, 0.2]))
def test_loss_and_gradients_are_those_of_the_dense_formula(share: float, marked: float | None, **shape: Any) -> None:
    scores = made(**shape, dtype=torch.float64)
    scores = Scores(*(part.requires_grad_() for part in scores))
    positives = places(scores, share, shape["seed"])
    marks = None if marked is None else places(scores, marked, shape["seed"] + 1)
    weight = None if marked is None else torch.linspace(-1, 2, shape["types"], dtype=torch.float64).requires_grad_()
    found = multilabel_loss(scores, positives, marks, weight)
    expected = dense_loss(scores, positives, marks, weight)
    torch.testing.assert_close(found.total, expected, rtol=1e-6, atol=1e-8)
    leaves = [*scores] if weight is None else [*scores, weight]
    ours = torch.autograd.grad(found.total, leaves, allow_unused=True)
    theirs = torch.autograd.grad(expected, leaves, allow_unused=True)
    for leaf, a, b in zip(leaves, ours, theirs, strict=True):
        zero = torch.zeros_like(leaf)
        torch.testing.assert_close(zero if a is None else a, zero if b is None else b, rtol=1e-5, atol=1e-8)
    groups = {(b, r) for b, r, *_ in positives.T.tolist()}
    if marks is not None:
        groups |= {(b, r) for b, r, *_ in marks.T.tolist()}
    assert found.dense.shape == (len(groups), shape["length"], shape["length"])
    assert bool(torch.isfinite(found.total))


@given(**shapes)
def test_loss_in_single_precision_stays_near(**shape: Any) -> None:
    scores = made(**shape, dtype=torch.float64)
    positives = places(scores, 0.1, shape["seed"])
    single = Scores(*(part.float().requires_grad_() for part in scores))
    loss = multilabel_loss(single, positives).total
    expected = dense_loss(scores, positives, None, None)
    torch.testing.assert_close(loss.double(), expected, rtol=1e-4, atol=1e-4 * max(1.0, shape["scale"]))
    assert all(bool(torch.isfinite(g).all()) for g in torch.autograd.grad(loss, list(single)))


def test_gradients_by_differences() -> None:
    scores = made(5, 2, 2, 3, 1.0, True, torch.float64)
    positives, marks = places(scores, 0.3, 1), places(scores, 0.3, 2)
    assert positives.shape[1] and marks.shape[1]
    weight = torch.tensor([0.3, -0.5], dtype=torch.float64, requires_grad=True)
    leaves = [part.requires_grad_() for part in scores]

    def loss(pair: Tensor, first: Tensor, last: Tensor, weight: Tensor) -> Tensor:
        return multilabel_loss(Scores(pair, first, last), positives, marks, weight).total

    assert torch.autograd.gradcheck(loss, (*leaves, weight))
    assert torch.autograd.gradcheck(lambda *s: log_sums(Scores(*s)), tuple(leaves))


def test_at_and_dense_are_parts_of_the_whole() -> None:
    scores = made(6, 3, 4, 5, 1.0, False, torch.float32)
    every = whole(scores)
    sentence, i, j = (torch.randint(0, high, (7,)) for high in (3, 5, 5))
    torch.testing.assert_close(scores.at(sentence, i, j), every[sentence, :, i, j])
    kind = torch.randint(0, 4, (7,))
    torch.testing.assert_close(scores.dense(sentence, kind), every[sentence, kind])
