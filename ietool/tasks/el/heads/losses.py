"""All candidates of a mention at once; all places where a mention may start or end."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def listwise_loss(scores: Tensor, mention: Tensor, targets: Tensor, mentions: int) -> Tensor:
    """Cross-entropy of the softmax over each mention's candidates and the choice of none, whose logit is 0.

    Args:
        scores: (P,).
        mention: (P,) which mention a candidate is of.
        targets: (P,) 1 at the gold candidate.
        mentions: m, those without candidates included; these count nothing.

    Returns:
        The mean over mentions that have candidates.
    """
    total = log_partition(scores, mention, mentions)
    with_gold = torch.zeros(mentions, device=scores.device).index_add(0, mention, targets * scores)
    proposed = torch.zeros(mentions, device=scores.device).index_fill(0, mention, 1.0)
    # A mention without gold among its candidates has the target "none", whose logit 0 is what the sum gives it.
    return ((total - with_gold) * proposed).sum() / proposed.sum().clamp(min=1)


def log_partition(scores: Tensor, mention: Tensor, mentions: int) -> Tensor:
    """(m,) log(1 + Σ exp(score)) over the candidates of each mention."""
    highest = torch.zeros(mentions, device=scores.device).scatter_reduce(0, mention, scores, "amax").detach()
    summed = torch.exp(-highest).index_add(0, mention, torch.exp(scores - highest[mention]))
    return highest + torch.log(summed)


def border_loss(logits: Tensor, borders: Tensor, inside: Tensor) -> Tensor:
    """Binary cross-entropy of where any mention starts and ends.

    Args:
        logits: (B, L, 2).
        borders: (3, k) of text, start and inclusive end.
        inside: (B, L) bool.

    Returns:
        The mean over the positions inside of the sum of both.
    """
    text, start, end = borders
    targets = torch.zeros_like(logits, dtype=torch.float32)
    targets[text, start, 0] = 1.0
    targets[text, end, 1] = 1.0
    loss = F.binary_cross_entropy_with_logits(logits.float(), targets, reduction="none").sum(-1)
    return (loss * inside).sum() / inside.sum()
