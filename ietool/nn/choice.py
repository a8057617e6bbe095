"""Choices: where only some have a target, and where the candidates of each are of any number."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def known_cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """Cross-entropy, a mean over those that have a target; 0 where none has.

    Nothing is picked out: to know how many have one, a GPU would be waited for.

    Args:
        logits: (n, classes).
        targets: (n,) classes, −1: none.
    """
    summed = F.cross_entropy(logits.float(), targets, ignore_index=-1, reduction="sum")
    return summed / (targets >= 0).sum().clamp(min=1)


def listwise_loss(scores: Tensor, group: Tensor, targets: Tensor, groups: int) -> Tensor:
    """Cross-entropy of the softmax over each group's candidates and the choice of none, whose logit is 0.

    Args:
        scores: (P,).
        group: (P,) which group a candidate is of: the candidates of a mention, say.
        targets: (P,) 1 at the gold candidate.
        groups: m, those without candidates included; these count nothing.

    Returns:
        The mean over groups that have candidates.
    """
    total = log_partition(scores, group, groups)
    with_gold = torch.zeros(groups, device=scores.device).index_add(0, group, targets * scores)
    proposed = torch.zeros(groups, device=scores.device).index_fill(0, group, 1.0)
    # A group without gold among its candidates has the target "none", whose logit 0 is what the sum gives it.
    return ((total - with_gold) * proposed).sum() / proposed.sum().clamp(min=1)


def log_partition(scores: Tensor, group: Tensor, groups: int) -> Tensor:
    """(m,) log(1 + Σ exp(score)) over the candidates of each group."""
    highest = torch.zeros(groups, device=scores.device).scatter_reduce(0, group, scores, "amax").detach()
    summed = torch.exp(-highest).index_add(0, group, torch.exp(scores - highest[group]))
    return highest + torch.log(summed)
