"""Losses of a reader: where an answer starts and ends, if there is one."""

from __future__ import annotations

import torch
from torch import Tensor


def focal_loss(probabilities: Tensor, gold: Tensor, inside: Tensor, alpha: float = 0.25, gamma: float = 2.0) -> Tensor:
    """Focal loss (Lin et al. 2017) of probabilities against 0 and 1, a mean over characters (kexue.fm 5409).

    Args:
        probabilities, gold: (B, L, 2).
        inside: (B, L) bool.
    """
    p = probabilities.clamp(1e-7, 1 - 1e-6)
    right = torch.where(gold > 0, p, 1 - p)
    weight = torch.where(gold > 0, alpha, 1 - alpha)
    each = -weight * (1 - right) ** gamma * right.log()
    return (each.sum(-1) * inside).sum() / inside.sum().clamp(min=1)


def choice_loss(logits: Tensor, gold: Tensor, inside: Tensor, known: Tensor) -> Tensor:
    """−log of the probability that is given to the gold starts and ends, or, where there are none, to none of them.

    Args:
        logits: (B, L, 2), against the logit 0 of none.
        gold: (B, L, 2) of 0 and 1: any of them is right.
        inside: (B, L) bool.
        known: (B,) bool, which pairs count.

    Returns:
        The mean over these pairs, of start and end together.
    """
    logits = logits.masked_fill(~inside.unsqueeze(-1), -torch.inf)
    none = logits.new_zeros(logits.shape[0], 1, 2)
    everything = torch.cat([logits, none], 1).logsumexp(1)
    # exp(-inf) everywhere would make the gradient of logsumexp undefined: a large negative number does not.
    wanted = logits.masked_fill(gold <= 0, -1e30).logsumexp(1)
    wanted = torch.where(gold.sum(1) > 0, wanted, torch.zeros_like(wanted))
    each = (everything - wanted).sum(-1)
    return (each * known).sum() / known.sum().clamp(min=1)
