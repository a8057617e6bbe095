"""Attention as the articles use it: no output projection, no residual."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def fused_is_slow(device: torch.device) -> bool:
    """Whether torch's fused attention is slow in bf16: where a CPU trains.

    It takes its gradients there in thousands of small products, each of which is set up anew: 2 to 6 times as long, so
    that a step of an encoder of 12 layers × 384 takes 1.6 times as long. In fp32, and without gradients, it is not.
    """
    return device.type == "cpu" and torch.is_grad_enabled() and torch.is_autocast_enabled("cpu")


def attend(q: Tensor, k: Tensor, v: Tensor, seen: Tensor) -> Tensor:
    """softmax(q·k / √d)·v over the keys that are seen.

    Args:
        q: (n, heads, L, d).
        k, v: (n, heads, M, d).
        seen: broadcast to (n, heads, L, M); bool, or what is added to the products, −∞ for a key that is not seen.

    Returns:
        (n, heads, L, d)
    """
    if not fused_is_slow(q.device):
        return F.scaled_dot_product_attention(q, k, v, attn_mask=seen)
    with torch.autocast("cpu", enabled=False):
        added = seen if seen.dtype == torch.bool else seen.float()
        return F.scaled_dot_product_attention(q.float(), k.float(), v.float(), attn_mask=added).to(v.dtype)


class SelfAttention(nn.Module):
    """(B, L, H) → (B, L, heads·head_size); keys outside the mask are never looked at, rows outside it come out zero."""

    def __init__(self, size: int, heads: int = 8, head_size: int = 16) -> None:
        super().__init__()
        self.heads, self.head_size = heads, head_size
        self.qkv = nn.Linear(size, 3 * heads * head_size, bias=False)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """x (B, L, H), mask (B, L) bool."""
        b, length, _ = x.shape
        q, k, v = self.qkv(x).view(b, length, 3, self.heads, self.head_size).permute(2, 0, 3, 1, 4).unbind(0)
        out = attend(q, k, v, mask[:, None, None, :])
        return out.transpose(1, 2).reshape(b, length, -1) * mask.unsqueeze(-1)


class CrossAttention(nn.Module):
    """The same from one sequence to another: (n, L, H) over (n, M, H) → (n, L, heads·head_size)."""

    def __init__(self, size: int, heads: int = 8, head_size: int = 16) -> None:
        super().__init__()
        self.heads, self.head_size = heads, head_size
        self.q = nn.Linear(size, heads * head_size, bias=False)
        self.kv = nn.Linear(size, 2 * heads * head_size, bias=False)

    def forward(self, x: Tensor, over: Tensor, mask: Tensor, bias: Tensor | None = None) -> Tensor:
        """x (n, L, H); over (n, M, H) where mask (n, M) bool is true, of at least one position each; ``bias``
        (n, heads, L, M) is added to what the attention compares."""
        n, length, _ = x.shape
        q = self.q(x).view(n, length, self.heads, self.head_size).transpose(1, 2)
        k, v = self.kv(over).view(n, over.shape[1], 2, self.heads, self.head_size).permute(2, 0, 3, 1, 4).unbind(0)
        seen = mask[:, None, None, :]
        if bias is not None:
            seen = bias.to(q.dtype).masked_fill(~seen, -torch.inf)
        out = attend(q, k, v, seen)
        return out.transpose(1, 2).reshape(n, length, -1)


class AdditivePooling(nn.Module):
    """(B, L, H) → (B, H): the mean weighted by softmax(w · tanh(W x)) over the positions inside (kexue.fm 5409)."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.inner = nn.Linear(size, size, bias=False)
        self.outer = nn.Linear(size, 1, bias=False)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """x (B, L, H), mask (B, L) bool, of at least one position each."""
        scores = self.outer(torch.tanh(self.inner(x))).squeeze(-1).float().masked_fill(~mask, -torch.inf)
        pooled: Tensor = (scores.softmax(-1).to(x.dtype).unsqueeze(1) @ x).squeeze(1)
        return pooled
