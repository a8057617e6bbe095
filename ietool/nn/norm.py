"""A layer norm whose gain and bias follow a condition (kexue.fm 7124)."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn


class ConditionalLayerNorm(nn.Module):
    """Normalise over H, then gain and bias, each plus a linear function of the condition that starts at zero.

    Args:
        size: H.
        condition: C, the condition's size.
    """

    def __init__(self, size: int, condition: int, epsilon: float = 1e-12) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(size, eps=epsilon)
        self.gain = nn.Linear(condition, size, bias=False)
        self.shift = nn.Linear(condition, size, bias=False)
        nn.init.zeros_(self.gain.weight)
        nn.init.zeros_(self.shift.weight)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """x (…, H), condition (…, C), broadcastable → (…, H)."""
        plain = F.layer_norm(x, self.norm.normalized_shape, eps=self.norm.eps)
        return plain * (self.norm.weight + self.gain(condition)) + (self.norm.bias + self.shift(condition))
