"""Efficient GlobalPointer: every pair of positions scored for every type at once (kexue.fm 8877), and its loss."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

NEVER = -1e4
"""Added where no span can be: its exponential is zero, its gradient no NaN."""


class Scores(NamedTuple):
    """Scores of pairs in factors: that of type r from i to j is ``pair[b, i, j] + first[b, r, i] + last[b, r, j]``.

    ``pair`` (B, T, T) is :data:`NEVER` where no span can be; ``first`` and ``last`` are (B, R, T). The whole is (B, R,
    T, T), which nothing here ever makes.
    """

    pair: Tensor
    first: Tensor
    last: Tensor

    def dense(self, sentence: Tensor, kind: Tensor) -> Tensor:
        """All scores of n (sentence, type) pairs: (n, T, T)."""
        return self.pair[sentence] + self.first[sentence, kind].unsqueeze(2) + self.last[sentence, kind].unsqueeze(1)

    def at(self, sentence: Tensor, i: Tensor, j: Tensor) -> Tensor:
        """Scores of all types at n places: (n, R)."""
        return self.pair[sentence, i, j].unsqueeze(1) + self.first[sentence, :, i] + self.last[sentence, :, j]


class EfficientGlobalPointer(nn.Module):
    """(B, T, H) → :class:`Scores`.

    One query and one key of ``head_size`` per position serve all types; a type has but a bias for the first and one for
    the last position, read from both.

    Args:
        size: H.
        types: R.
        spans: whether i and j are the first and last position of one span: then the query and key are turned by their
            position (rotary) and j must not lie before i. Otherwise any two positions may be a pair.
    """

    def __init__(self, size: int, types: int, head_size: int = 64, *, spans: bool = True) -> None:
        super().__init__()
        self.projection = nn.Linear(size, 2 * head_size)
        self.bias = nn.Linear(2 * head_size, 2 * types)
        # Of T² pairs few are right: beginning at even odds would cost the first epoch.
        nn.init.constant_(self.bias.bias, -3.0)
        self.head_size, self.types, self.spans = head_size, types, spans

    def forward(self, x: Tensor, inside: Tensor) -> Scores:
        """x (B, T, H), inside (B, T) bool: where spans may begin and end."""
        z = self.projection(x)
        q, k = z.float().chunk(2, -1)
        if self.spans:
            sin, cos = positions(x.shape[1], self.head_size, x.device)
            q, k = rotate(q, sin, cos), rotate(k, sin, cos)
        with torch.autocast(x.device.type, enabled=False):  # half precision would round off what tells spans apart
            pair = q @ k.transpose(1, 2) * self.head_size**-0.5
        allowed = inside.unsqueeze(1) & inside.unsqueeze(2)
        if self.spans:
            allowed = allowed.triu()
        pair = pair.masked_fill(~allowed, NEVER)
        first, last = self.bias(z).float().transpose(1, 2).chunk(2, 1)
        return Scores(pair, first, last)


def positions(length: int, size: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Sine and cosine of the rotary angles, (length, size / 2) each (kexue.fm 8265)."""
    frequency = 10000.0 ** (-torch.arange(0, size, 2, device=device) / size)
    angle = torch.arange(length, device=device).unsqueeze(1) * frequency
    return angle.sin(), angle.cos()


def rotate(x: Tensor, sin: Tensor, cos: Tensor) -> Tensor:
    """Turn neighbouring dimensions (2n, 2n + 1) of x (B, T, D) as a plane, by the angle of their position."""
    a, b = x[..., ::2], x[..., 1::2]
    return torch.stack([a * cos - b * sin, a * sin + b * cos], -1).flatten(-2)


def log_sums(scores: Scores) -> Tensor:
    """``log Σ_ij exp(score)`` for every sentence and type, (B, R), as matrix products: the factors of a score are
    summed one after another, in T²·R steps and T² + T·R memory. Only where all that counts lies so far below the
    highest factors that it vanishes beside them, the scores are summed as they stand."""
    (sums,) = log_sums_of([scores])
    return sums


def log_sums_of(many: Sequence[Scores]) -> list[Tensor]:
    """:func:`log_sums` of several scores. A GPU is waited for once, to know whether anything vanishes."""
    factored = [_factored(scores) for scores in many]
    lost = [total.detach() < 1e-20 for _, total in factored]
    if not bool(torch.stack([each.any() for each in lost]).any()):
        return [sums for sums, _ in factored]
    found = []
    for scores, (sums, _), where in zip(many, factored, lost, strict=True):
        sentence, kind = torch.nonzero(where, as_tuple=True)
        if len(sentence):
            sums = sums.index_put((sentence, kind), scores.dense(sentence, kind).flatten(1).logsumexp(1))
        found.append(sums)
    return found


def _factored(scores: Scores) -> tuple[Tensor, Tensor]:
    """The sums, (B, R), and what they are logarithms of, beside the highest factors: nearly 0 where all vanishes."""
    highest = scores.pair.amax(2).detach()  # (B, T)
    grid = (scores.pair - highest.unsqueeze(2)).exp()
    first = scores.first + highest.unsqueeze(1)
    top_first, top_last = first.amax(2, keepdim=True).detach(), scores.last.amax(2, keepdim=True).detach()
    with torch.autocast(grid.device.type, enabled=False):
        inner = grid @ (scores.last - top_last).exp().transpose(1, 2)  # (B, T, R)
    total = ((first - top_first).exp().transpose(1, 2) * inner).sum(1)
    return total.clamp_min(1e-30).log() + (top_first + top_last).squeeze(2), total


class Loss(NamedTuple):
    """``total`` is summed over types, a mean over sentences; ``dense`` (n, T, T) are the scores of those (sentence,
    type) pairs that have a positive or a mark."""

    total: Tensor
    dense: Tensor


def groups_of(places: Tensor, types: int) -> Tensor:
    """(sentence, type) pairs that places (4, n) are of, as numbers sentence · types + type, each once, in order."""
    return (places[0] * types + places[1]).unique()


def multilabel_loss(
    scores: Scores,
    positives: Tensor,
    marks: Tensor | None = None,
    mark_weight: Tensor | None = None,
    groups: Tensor | None = None,
    sums: Tensor | None = None,
) -> Loss:
    """Multi-label cross-entropy from the indices of positives alone (kexue.fm 7359, 8888): for each sentence and type
    ``log(1 + Σ_negative e^s) + log(1 + Σ_positive e^−s)``.

    Args:
        positives: (4, n) of (sentence, type, i, j), each once.
        marks: (4, m) of places whose score is raised, each once.
        mark_weight: (R,) by how much, per type.
        groups: :func:`groups_of` positives and marks, where it is known: a GPU is waited for to find it.
        sums: :func:`log_sums` of the scores, where they are known.
    """
    batch, types = scores.first.shape[:2]
    loss = F.softplus(log_sums(scores) if sums is None else sums)
    if groups is None:
        groups = groups_of(positives if marks is None else torch.cat([positives, marks], 1), types)
    known, sentence, kind = groups, groups // types, groups % types
    dense = scores.dense(sentence, kind)
    if marks is not None and mark_weight is not None and marks.shape[1]:
        at = torch.searchsorted(known, marks[0] * types + marks[1])
        dense = dense.index_put((at, marks[2], marks[3]), mark_weight[marks[1]], accumulate=True)
    at = torch.searchsorted(known, positives[0] * types + positives[1])
    place = (at, positives[2], positives[3])
    chosen = dense[place]
    negative = dense.index_put(place, dense.new_full((), NEVER)).flatten(1).logsumexp(1)
    # log(1 + Σ e^−s) of each group: a scattered log-sum-exp, the 1 being e^0.
    lowest = dense.new_zeros(len(known)).scatter_reduce(0, at, -chosen.detach(), "amax")
    summed = (-lowest).exp().scatter_add(0, at, (-chosen - lowest[at]).exp())
    by_group = F.softplus(negative) + summed.log() + lowest
    rest = loss.flatten().index_fill(0, known, 0.0).sum()
    return Loss((rest + by_group.sum()) / batch, dense)
