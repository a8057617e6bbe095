"""A linear-chain CRF: log partition, best path and marginals, vectorised over the batch (Lafferty et al. 2001).

The libraries there are (pytorch-crf and TorchCRF, silent for years; torch-struct, which holds (B, L, T, T) potentials)
have no marginals or no transitions that are ruled out.

Shapes: B batch, L units, T tags. A text's units stand at the left, ``lengths`` (B,) says how many, at least one.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

NEVER = -1e4
"""The score of a transition that is ruled out: finite, since −∞ − −∞ is no number."""


class Chains(NamedTuple):
    """Sums over paths, as logarithms: ``before`` (B, L, T) over those up to a unit with a tag there, its emission
    included; ``behind`` (B, L, T) over those from there on, its emission left out; ``partition`` (B,) over all."""

    before: Tensor
    behind: Tensor
    partition: Tensor


def run_chains(emissions: Tensor, lengths: Tensor, start: Tensor, transitions: Tensor, end: Tensor) -> Chains:
    """Forward and backward sums, in double precision; what stands behind a text's end means nothing.

    Args:
        emissions: (B, L, T).
        lengths: (B,).
        start, end: (T,) scores of the first and the last tag.
        transitions: (T, T) scores of a tag, the row, before another, the column.
    """
    emissions, start, transitions, end = (x.double() for x in (emissions, start, transitions, end))
    length, last = emissions.shape[1], lengths - 1
    forward = transitions.exp()
    backward = forward.T.contiguous()
    rows = [start + emissions[:, 0]]
    for t in range(1, length):
        rows.append(_log_matmul(rows[-1], forward) + emissions[:, t])
    before = torch.stack(rows, 1)
    partition = torch.logsumexp(before[torch.arange(len(last), device=last.device), last] + end, 1)
    rows = [end.expand(len(last), -1)]
    for t in range(length - 2, -1, -1):
        row = _log_matmul(rows[-1] + emissions[:, t + 1], backward)
        rows.append(torch.where((last == t).unsqueeze(1), end, row))
    return Chains(before, torch.stack(rows[::-1], 1), partition)


def _log_matmul(x: Tensor, matrix: Tensor) -> Tensor:
    """log(exp(x) @ matrix), (B, T) and (T, T). Seven times as fast as a log-sum-exp over (B, T, T); only what lies 690
    and more below the greatest of a row is lost, a probability of 10^−300."""
    top = x.amax(1, keepdim=True)
    return ((x - top).exp() @ matrix).clamp_min(1e-300).log() + top


class _LogPartition(torch.autograd.Function):
    """The logarithm of the sum over all paths. Its gradients are the marginals, from one backward pass of the chain:
    nothing is kept of each step, and none is gone through again."""

    @staticmethod
    def forward(
        ctx: Any, emissions: Tensor, lengths: Tensor, start: Tensor, transitions: Tensor, end: Tensor
    ) -> Tensor:
        chains = run_chains(emissions, lengths, start, transitions, end)
        ctx.save_for_backward(emissions, lengths, transitions, *chains)
        return chains.partition.to(emissions.dtype)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        emissions, lengths, transitions, before, behind, partition = ctx.saved_tensors
        inside = torch.arange(emissions.shape[1], device=lengths.device) < lengths[:, None]
        weight = (inside * grads[0].double()[:, None]).unsqueeze(-1)
        marginals = (before + behind - partition[:, None, None]).masked_fill(~inside.unsqueeze(-1), -torch.inf).exp()
        marginals = marginals * weight
        # P(i at t − 1, j at t) = exp(before_i + transition_ij + emission_j + behind_j − partition), summed over texts
        # and units as one product of matrices. What is ruled out may come to exp(600) here, times zero.
        top = before[:, :-1].amax(2, keepdim=True)
        leave = (before[:, :-1] - top).exp()
        arrive = emissions[:, 1:] + behind[:, 1:] - partition[:, None, None] + top
        arrive = arrive.masked_fill(~inside[:, 1:, None], -torch.inf).clamp_max(600).exp() * weight[:, 1:]
        pairs = torch.einsum("bti,btj->ij", leave, arrive) * transitions.double().exp()
        last = marginals[torch.arange(len(lengths), device=lengths.device), lengths - 1]
        kind = emissions.dtype
        return marginals.to(kind), None, marginals[:, 0].sum(0).to(kind), pairs.to(kind), last.sum(0).to(kind)


class CRF(nn.Module):
    """Scores of tags beside one another, some ruled out.

    Args:
        begin, follow, finish: (T,), (T, T), (T,) bool: which tags a text may begin with, which may follow which, and
            which it may end with.
        scale: the scores are this times the parameters. An optimiser such as Adam moves every parameter by about the
            rate, whatever its gradient; beside a pretrained encoder that rate is so small that scores of transitions
            stay near zero. A scale of n gives them n times the rate (kexue.fm 7196).
    """

    begin: Tensor
    follow: Tensor
    finish: Tensor

    def __init__(
        self,
        begin: npt.NDArray[np.bool_],
        follow: npt.NDArray[np.bool_],
        finish: npt.NDArray[np.bool_],
        scale: float = 1.0,
    ) -> None:
        super().__init__()
        self.scale = scale
        count = len(begin)
        self.start = nn.Parameter(torch.zeros(count))
        self.transitions = nn.Parameter(torch.zeros(count, count))
        self.end = nn.Parameter(torch.zeros(count))
        for name, mask in (("begin", begin), ("follow", follow), ("finish", finish)):
            self.register_buffer(name, torch.from_numpy(np.array(mask)))

    def scores(self) -> tuple[Tensor, Tensor, Tensor]:
        """(T,) of a first tag, (T, T) of a tag before another, (T,) of a last tag."""
        pairs = ((self.start, self.begin), (self.transitions, self.follow), (self.end, self.finish))
        start, transitions, end = ((p.float() * self.scale).masked_fill(~allowed, NEVER) for p, allowed in pairs)
        return start, transitions, end

    def log_partition(self, emissions: Tensor, lengths: Tensor) -> Tensor:
        """(B,): the logarithm of the sum over all paths of exp(score)."""
        result: Tensor = _LogPartition.apply(emissions.float(), lengths, *self.scores())
        return result

    def path_score(self, emissions: Tensor, lengths: Tensor, tags: Tensor) -> Tensor:
        """(B,): the score of one path each; tags (B, L), anything behind a text's end."""
        start, transitions, end = self.scores()
        inside = torch.arange(tags.shape[1], device=tags.device) < lengths[:, None]
        own = emissions.float().gather(2, tags.unsqueeze(2)).squeeze(2)
        steps = transitions[tags[:, :-1], tags[:, 1:]]
        last = tags.gather(1, (lengths - 1).unsqueeze(1)).squeeze(1)
        return (own * inside).sum(1) + (steps * inside[:, 1:]).sum(1) + start[tags[:, 0]] + end[last]

    def loss(self, emissions: Tensor, lengths: Tensor, tags: Tensor) -> Tensor:
        """(B,): −log P(tags)."""
        return self.log_partition(emissions, lengths) - self.path_score(emissions, lengths, tags)

    @torch.no_grad()
    def chains(self, emissions: Tensor, lengths: Tensor) -> Chains:
        """Forward and backward sums, from which marginals follow."""
        return run_chains(emissions.float(), lengths, *self.scores())

    @torch.no_grad()
    def marginals(self, emissions: Tensor, lengths: Tensor) -> Tensor:
        """(B, L, T): how probable each tag is at each unit; zero behind a text's end."""
        before, behind, partition = self.chains(emissions, lengths)
        inside = torch.arange(emissions.shape[1], device=lengths.device) < lengths[:, None]
        single = before + behind - partition[:, None, None]
        return single.masked_fill(~inside.unsqueeze(-1), -torch.inf).exp().float()

    @torch.no_grad()
    def best(self, emissions: Tensor, lengths: Tensor) -> Tensor:
        """(B, L): the path of the highest score (Viterbi); 0 behind a text's end."""
        emissions = emissions.float()
        start, transitions, end = self.scores()
        count, length, _ = emissions.shape
        last = lengths - 1
        score = start + emissions[:, 0]
        # Behind a text's end every tag comes from itself, at no cost, so that all texts end together.
        itself = torch.arange(len(start), device=emissions.device).expand(count, -1)
        score = torch.where((last == 0).unsqueeze(1), score + end, score)
        sources = []
        for t in range(1, length):
            value, source = (score.unsqueeze(2) + transitions).max(1)
            value = value + emissions[:, t] + (last == t).unsqueeze(1) * end
            inside = (t < lengths).unsqueeze(1)
            score = torch.where(inside, value, score)
            sources.append(torch.where(inside, source, itself))
        tag = score.argmax(1)
        path = [tag]
        for source in reversed(sources):
            tag = source.gather(1, tag.unsqueeze(1)).squeeze(1)
            path.append(tag)
        inside = torch.arange(length, device=emissions.device) < lengths[:, None]
        return torch.stack(path[::-1], 1) * inside
