"""Cross-entropy where only some have a target."""

from __future__ import annotations

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
