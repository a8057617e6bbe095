"""Cells of LSTMs and GRUs as CUDA has them, each in one operator with a backward pass of its own; here of plain ones.

What a forward pass keeps for its backward pass is laid out as CUDA's operators have it.
"""

from __future__ import annotations

import torch
from torch import Tensor


def lstm_cell(
    inner: Tensor, hidden: Tensor, state: Tensor, inner_bias: Tensor | None = None, hidden_bias: Tensor | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """Gates of the input and of the last output (B, 4H), the last state (B, H) → output, state, activated gates."""
    gates = inner + hidden
    if inner_bias is not None and hidden_bias is not None:
        gates = gates + inner_bias + hidden_bias
    i, f, c, o = gates.chunk(4, 1)
    i, f, c, o = i.sigmoid(), f.sigmoid(), c.tanh(), o.sigmoid()
    now = f * state + i * c
    return o * now.tanh(), now, torch.cat([i, f, c, o], 1)


def lstm_cell_backward(
    grad_out: Tensor | None, grad_state: Tensor | None, state: Tensor, now: Tensor, kept: Tensor, has_bias: bool
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Gradients of the gates (B, 4H), of the last state (B, H) and of a bias (4H,)."""
    i, f, c, o = kept.chunk(4, 1)
    squashed = now.tanh()
    nothing = torch.zeros_like(now)
    out = nothing if grad_out is None else grad_out
    into = out * o * (1 - squashed**2) + (nothing if grad_state is None else grad_state)
    gates = torch.cat(
        [into * c * i * (1 - i), into * state * f * (1 - f), into * i * (1 - c**2), out * squashed * o * (1 - o)], 1
    )
    return gates, into * f, gates.sum(0) if has_bias else None


def gru_cell(
    inner: Tensor, hidden: Tensor, last: Tensor, inner_bias: Tensor | None = None, hidden_bias: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Gates of the input and of the last output (B, 3H), the last output (B, H) → output, what backward needs."""
    r1, z1, n1 = (inner if inner_bias is None else inner + inner_bias).chunk(3, 1)
    r2, z2, n2 = (hidden if hidden_bias is None else hidden + hidden_bias).chunk(3, 1)
    r, z = (r1 + r2).sigmoid(), (z1 + z2).sigmoid()
    n = (n1 + r * n2).tanh()
    return n + z * (last - n), torch.cat([r, z, n, last, n2], 1)


def gru_cell_backward(
    grad: Tensor, kept: Tensor, has_bias: bool
) -> tuple[Tensor, Tensor, Tensor, Tensor | None, Tensor | None]:
    """Gradients of both gates (B, 3H), of the last output (B, H) and of both biases (3H,)."""
    r, z, n, last, n2 = kept.chunk(5, 1)
    into_n = grad * (1 - z) * (1 - n**2)
    into_z = grad * (last - n) * z * (1 - z)
    into_r = into_n * n2 * r * (1 - r)
    inner, hidden = torch.cat([into_r, into_z, into_n], 1), torch.cat([into_r, into_z, into_n * r], 1)
    return inner, hidden, grad * z, inner.sum(0) if has_bias else None, hidden.sum(0) if has_bias else None
