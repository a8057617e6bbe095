"""All places where a mention may start or end."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


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
