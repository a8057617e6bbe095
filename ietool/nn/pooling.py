"""One vector of several: of spans, of whole texts."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def span_vectors(states: Tensor, spans: Tensor) -> Tensor:
    """First and last vector and the mean of spans (3, n) of text, start and inclusive end: (B, L, H) → (n, 3H)."""
    text, start, end = spans
    return torch.cat([states[text, start], states[text, end], span_means(states, spans)], -1)


def span_means(states: Tensor, spans: Tensor) -> Tensor:
    """Means over spans (3, n): (B, L, H) → (n, H)."""
    row, start, end = spans
    sums = F.pad(states.float().cumsum(1), (0, 0, 1, 0))
    return ((sums[row, end + 1] - sums[row, start]) / (end - start + 1).unsqueeze(-1)).to(states.dtype)


def highest(states: Tensor, inside: Tensor) -> Tensor:
    """(n, L, H) → (n, H), over the positions inside."""
    return states.masked_fill(~inside.unsqueeze(-1), torch.finfo(states.dtype).min).amax(1)
