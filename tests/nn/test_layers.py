"""Layers against what they are said to equal."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from ietool.nn.attention import CrossAttention, SelfAttention, attend, fused_is_slow
from ietool.nn.lstm import BiLSTM


def test_the_bilstm_is_that_of_packed_sequences() -> None:
    torch.manual_seed(1)
    ours = BiLSTM(6, 4)
    library = nn.LSTM(6, 4, batch_first=True, bidirectional=True)
    with torch.no_grad():
        for name, value in ours.there.named_parameters():
            getattr(library, name).copy_(value)
        for name, value in ours.back.named_parameters():
            getattr(library, name + "_reverse").copy_(value)
    x, lengths = torch.randn(3, 7, 6), torch.tensor([7, 1, 4])
    packed = nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
    expected, _ = nn.utils.rnn.pad_packed_sequence(library(packed)[0], batch_first=True)
    torch.testing.assert_close(ours(x, lengths), expected)


def test_padding_does_not_reach_the_bilstm() -> None:
    torch.manual_seed(1)
    lstm = BiLSTM(3, 2)
    x = torch.randn(1, 5, 3)
    wide = torch.cat([x, torch.full((1, 4, 3), 9.0)], 1)
    alone, padded = lstm(x, torch.tensor([5])), lstm(wide, torch.tensor([5]))
    torch.testing.assert_close(padded[:, :5], alone)
    assert not padded[:, 5:].any()


def test_cross_attention_is_softmax_of_scaled_products_inside_the_mask() -> None:
    torch.manual_seed(2)
    layer = CrossAttention(5, heads=2, head_size=3)
    x, over, mask = torch.randn(1, 2, 5), torch.randn(1, 4, 5), torch.tensor([[True, True, False, True]])
    q, kv = layer.q(x)[0].detach(), layer.kv(over)[0].detach()
    out = layer(x, over, mask)[0].detach()
    for row in range(2):
        for head in range(2):
            part = slice(3 * head, 3 * head + 3)
            scores = [float(q[row, part] @ kv[m, :6][part]) / 3**0.5 for m in (0, 1, 3)]
            weights = torch.tensor(scores).softmax(0)
            values = torch.stack([kv[m, 6:][part] for m in (0, 1, 3)])
            torch.testing.assert_close(out[row, part], weights @ values)


@pytest.mark.parametrize("biased", [False, True])
def test_attention_in_bf16_is_that_of_fp32(biased: bool) -> None:
    """Training in bf16 on a CPU: values and gradients are those of fp32, as far as bf16 holds them."""
    torch.manual_seed(0)
    heads = [torch.randn(3, 2, 7, 8, requires_grad=True) for _ in range(3)]
    mask = (torch.arange(7) < torch.tensor([7, 3, 1])[:, None])[:, None, None, :]
    seen = torch.randn(3, 2, 7, 7).masked_fill(~mask, -torch.inf) if biased else mask
    expected = F.scaled_dot_product_attention(*heads, attn_mask=seen)
    wanted = torch.autograd.grad(expected.square().sum(), heads)
    with torch.autocast("cpu", torch.bfloat16):
        assert fused_is_slow(torch.device("cpu")) and not fused_is_slow(torch.device("meta"))
        halves = [one.bfloat16() for one in heads]
        found = attend(*halves, seen)
        assert found.dtype == torch.bfloat16
        with torch.no_grad():
            assert not fused_is_slow(torch.device("cpu"))
    given = torch.autograd.grad(found.float().square().sum(), heads)
    torch.testing.assert_close(found.float(), expected, rtol=0.03, atol=0.03)
    for ours, theirs in zip(given, wanted, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0.1, atol=0.1)


def test_a_row_that_sees_nothing_stays_zero_in_bf16() -> None:
    layer, x = SelfAttention(8, heads=2, head_size=4), torch.randn(2, 5, 8)
    mask = torch.arange(5) < torch.tensor([5, 0])[:, None]
    with torch.autocast("cpu", torch.bfloat16):
        out = layer(x, mask)
    out.float().sum().backward()
    assert not out[1].any() and torch.isfinite(out).all()
    assert torch.isfinite(layer.qkv.weight.grad).all()  # type: ignore[arg-type]
