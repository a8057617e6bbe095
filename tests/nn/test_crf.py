"""The CRF against the enumeration of every path."""

from __future__ import annotations

import itertools
import math
from typing import NamedTuple

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from ietool.nn.crf import CRF, NEVER, _LogPartition
from ietool.tasks.ner.heads.crf.tagset import TagSet


class Paths(NamedTuple):
    """What enumeration finds of one text of L units."""

    partition: float
    marginals: Tensor  # (L, T)
    best: list[int]
    best_score: float


def enumerate_paths(crf: CRF, emissions: Tensor) -> Paths:
    """Every allowed path, one after another, in double precision."""
    length, count = emissions.shape
    parameters = (crf.start, crf.transitions, crf.end)
    start, transitions, end = ((p.detach().double() * crf.scale).tolist() for p in parameters)
    begin, follow, finish = crf.begin.tolist(), crf.follow.tolist(), crf.finish.tolist()
    own = emissions.double().tolist()
    scores, paths = [], []
    for path in itertools.product(range(count), repeat=length):
        steps = list(itertools.pairwise(path))
        if begin[path[0]] and finish[path[-1]] and all(follow[a][b] for a, b in steps):
            score = start[path[0]] + end[path[-1]] + sum(transitions[a][b] for a, b in steps)
            scores.append(score + sum(own[t][tag] for t, tag in enumerate(path)))
            paths.append(path)
    top = max(scores)
    partition = top + math.log(sum(math.exp(score - top) for score in scores))
    marginals = torch.zeros(length, count, dtype=torch.float64)
    for path, score in zip(paths, scores, strict=True):
        for t, tag in enumerate(path):
            marginals[t, tag] += math.exp(score - partition)
    return Paths(partition, marginals, list(paths[scores.index(top)]), top)


def make(types: int, scheme: str, seed: int, spread: float = 1.0, scale: float = 1.0) -> CRF:
    crf = CRF(*TagSet(types, scheme).allowed(), scale=scale)
    draw = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in crf.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=draw) * spread)
    return crf


def free(count: int, seed: int) -> CRF:
    """Nothing ruled out."""
    crf = CRF(np.ones(count, bool), np.ones((count, count), bool), np.ones(count, bool))
    with torch.no_grad():
        for n, parameter in enumerate(crf.parameters()):
            parameter.copy_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(seed + n)))
    return crf


def batch(crf: CRF, lengths: list[int], seed: int, spread: float = 1.0) -> tuple[Tensor, Tensor]:
    """Emissions, with something wild behind each text's end, and lengths."""
    draw = torch.Generator().manual_seed(seed)
    emissions = torch.randn(len(lengths), max(lengths), len(crf.start), generator=draw) * spread
    for row, length in zip(emissions, lengths, strict=True):
        row[length:] = 50 * torch.randn(row[length:].shape, generator=draw)
    return emissions, torch.tensor(lengths)


crfs = st.builds(
    make, st.integers(1, 1), st.sampled_from(["bio", "bioes"]), st.integers(0, 99), st.sampled_from([0.1, 1.0, 8.0]),
    st.sampled_from([1.0, 20.0]),
) | st.builds(free, st.integers(1, 4), st.integers(0, 99)) | st.builds(
    make, st.just(2), st.just("bio"), st.integers(0, 99)
)  # fmt: skip
sizes = st.lists(st.integers(1, 5), min_size=1, max_size=4)


@settings(max_examples=60)
@given(crfs, sizes, st.integers(0, 999), st.sampled_from([0.0, 1.0, 30.0]))
def test_sums_marginals_and_best_path_are_those_of_enumeration(
    crf: CRF, lengths: list[int], seed: int, spread: float
) -> None:
    emissions, counts = batch(crf, lengths, seed, spread)
    with torch.no_grad():
        partition = crf.log_partition(emissions, counts)
        marginals = crf.marginals(emissions, counts)
        best = crf.best(emissions, counts)
        best_score = crf.path_score(emissions, counts, best)
    for n, length in enumerate(lengths):
        wanted = enumerate_paths(crf, emissions[n, :length])
        assert float(partition[n]) == pytest.approx(wanted.partition, rel=1e-5, abs=1e-4)
        torch.testing.assert_close(marginals[n, :length].double(), wanted.marginals, rtol=1e-4, atol=1e-5)
        assert not marginals[n, length:].any() and not best[n, length:].any()
        # Of equally good paths any will do.
        assert float(best_score[n]) == pytest.approx(wanted.best_score, rel=1e-5, abs=1e-4)
        if spread:
            assert best[n, :length].tolist() == wanted.best


@settings(max_examples=40)
@given(st.sampled_from(["bio", "bioes"]), st.integers(1, 3), sizes, st.integers(0, 999))
def test_what_the_scheme_rules_out_is_never_walked(scheme: str, types: int, lengths: list[int], seed: int) -> None:
    """Even where the scores would have nothing else."""
    crf = make(types, scheme, seed, 5.0)
    emissions, counts = batch(crf, lengths, seed, 200.0)
    best, marginals = crf.best(emissions, counts), crf.marginals(emissions, counts)
    for n, length in enumerate(lengths):
        path = best[n, :length].tolist()
        assert crf.begin[path[0]] and crf.finish[path[-1]]
        assert all(crf.follow[a, b] for a, b in itertools.pairwise(path))
        assert not marginals[n, 0][~crf.begin].any() and not marginals[n, length - 1][~crf.finish].any()
        torch.testing.assert_close(marginals[n, :length].sum(-1), torch.ones(length), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("scheme", ["bio", "bioes"])
def test_the_gradient_is_right(scheme: str) -> None:
    crf = make(2, scheme, 3).double()
    emissions, lengths = batch(crf, [4, 1, 6, 2], 5)
    emissions = emissions.double().requires_grad_()
    parameters = [p.detach().double().requires_grad_() for p in (crf.start, crf.transitions, crf.end)]

    def partition(emissions: Tensor, *parameters: Tensor) -> Tensor:
        masks = (crf.begin, crf.follow, crf.finish)
        scores = (p.masked_fill(~allowed, NEVER) for p, allowed in zip(parameters, masks, strict=True))
        result: Tensor = _LogPartition.apply(emissions, lengths, *scores)
        return result

    assert torch.autograd.gradcheck(partition, (emissions, *parameters))


def test_the_gradient_of_the_loss_is_that_of_enumeration() -> None:
    """By automatic differentiation of a sum over all paths."""
    crf = make(1, "bioes", 9, scale=3.0)
    emissions, lengths = batch(crf, [3, 1, 5], 2)
    targets = torch.zeros(3, 5, dtype=torch.long)
    targets[0, :3] = torch.tensor([1, 2, 3])
    targets[1, 0] = 4
    targets[2, :5] = torch.tensor([0, 4, 1, 3, 0])
    emissions.requires_grad_()
    crf.loss(emissions, lengths, targets).sum().backward()
    got = [emissions.grad, *(p.grad for p in crf.parameters())]

    twin = emissions.detach().clone().requires_grad_()
    parameters = [p.detach().clone().requires_grad_() for p in crf.parameters()]
    start, transitions, end = (p * crf.scale for p in parameters)

    def score(n: int, path: tuple[int, ...]) -> Tensor:
        steps = [transitions[a, b] for a, b in itertools.pairwise(path)]
        return sum((twin[n, t, tag] for t, tag in enumerate(path)), start[path[0]] + end[path[-1]]) + sum(steps)

    total = torch.zeros(())
    for n, length in enumerate(lengths.tolist()):
        paths = [
            path
            for path in itertools.product(range(5), repeat=length)
            if crf.begin[path[0]]
            and crf.finish[path[-1]]
            and all(crf.follow[a, b] for a, b in itertools.pairwise(path))
        ]
        gold = tuple(targets[n, :length].tolist())
        assert gold in paths
        total = total + torch.stack([score(n, path) for path in paths]).logsumexp(0) - score(n, gold)
    total.backward()
    for ours, theirs in zip(got, [twin.grad, *(p.grad for p in parameters)], strict=True):
        assert ours is not None
        torch.testing.assert_close(ours, theirs if theirs is not None else torch.zeros_like(ours), rtol=1e-4, atol=1e-5)


def test_a_batch_gives_what_single_texts_give() -> None:
    crf = make(3, "bioes", 4, 2.0)
    lengths = [1, 7, 33, 2, 120, 33]
    emissions, counts = batch(crf, lengths, 8, 3.0)
    targets = crf.best(emissions + torch.randn(emissions.shape, generator=torch.Generator().manual_seed(1)), counts)
    together = (
        crf.loss(emissions, counts, targets), crf.marginals(emissions, counts), crf.best(emissions, counts),
    )  # fmt: skip
    for n, length in enumerate(lengths):
        own, count = emissions[n : n + 1, :length], counts[n : n + 1]
        torch.testing.assert_close(together[0][n : n + 1], crf.loss(own, count, targets[n : n + 1, :length]))
        torch.testing.assert_close(together[1][n : n + 1, :length], crf.marginals(own, count))
        assert together[2][n, :length].tolist() == crf.best(own, count)[0].tolist()
    assert (together[0] >= -1e-3).all()


def test_tags_behind_the_end_of_a_text_mean_nothing() -> None:
    crf = make(1, "bio", 1)
    emissions, lengths = batch(crf, [2, 4], 3)
    tags = torch.tensor([[1, 2, 0, 0], [0, 1, 2, 2]])
    other = torch.tensor([[1, 2, 2, 1], [0, 1, 2, 2]])
    assert torch.equal(crf.loss(emissions, lengths, tags), crf.loss(emissions, lengths, other))


def test_long_texts_stay_finite_in_half_precision_too() -> None:
    crf = make(10, "bioes", 2)
    emissions, lengths = batch(crf, [512, 300], 6, 20.0)
    emissions = emissions.bfloat16().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        loss = crf.loss(emissions, lengths, crf.best(emissions, lengths)).sum()
    loss.backward()
    assert -1e-2 <= float(loss.detach()) < 1e9
    assert emissions.grad is not None and torch.isfinite(emissions.grad).all()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in crf.parameters())


def test_learning_finds_the_tags() -> None:
    crf = make(1, "bioes", 0, 0.1)
    emissions = torch.zeros(1, 6, 5, requires_grad=True)
    tags, lengths = torch.tensor([[0, 1, 2, 3, 4, 0]]), torch.tensor([6])
    optimiser = torch.optim.Adam([emissions, *crf.parameters()], lr=0.3)
    for _ in range(40):
        optimiser.zero_grad()
        crf.loss(emissions, lengths, tags).sum().backward()
        optimiser.step()
    assert torch.equal(crf.best(emissions, lengths), tags)
    assert float(crf.loss(emissions, lengths, tags).detach()) < 0.1
