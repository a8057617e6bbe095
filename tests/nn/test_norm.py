"""The conditional layer norm against its formula."""

from __future__ import annotations

import torch
from torch import nn

from ietool.nn.norm import ConditionalLayerNorm


def test_equals_the_formula() -> None:
    torch.manual_seed(1)
    layer = ConditionalLayerNorm(5, 3).double()
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.normal_()
    x, condition = torch.randn(2, 4, 5).double(), torch.randn(2, 1, 3).double()
    found = layer(x, condition)
    for b in range(2):
        gain = layer.norm.weight + layer.gain.weight @ condition[b, 0]
        bias = layer.norm.bias + layer.shift.weight @ condition[b, 0]
        for t in range(4):
            mean = sum(x[b, t]) / 5
            variance = sum((v - mean) ** 2 for v in x[b, t]) / 5
            torch.testing.assert_close(found[b, t], (x[b, t] - mean) / (variance + 1e-12) ** 0.5 * gain + bias)


def test_begins_as_a_plain_layer_norm() -> None:
    torch.manual_seed(1)
    layer, plain = ConditionalLayerNorm(6, 4), nn.LayerNorm(6, eps=1e-12)
    x = torch.randn(3, 7, 6)
    torch.testing.assert_close(layer(x, torch.randn(3, 1, 4)), plain(x))


def test_gradients_reach_the_condition() -> None:
    layer = ConditionalLayerNorm(3, 2).double()
    nn.init.normal_(layer.gain.weight)
    nn.init.normal_(layer.shift.weight)
    x = torch.randn(2, 3, dtype=torch.float64, requires_grad=True)
    condition = torch.randn(2, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(layer, (x, condition))
