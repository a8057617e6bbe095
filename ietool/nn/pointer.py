"""Half pointer, half tagging: start and end probabilities per character, and their loss."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

# 1 - 1e-6: a saturated product keeps a finite logarithm and a gradient that does not vanish.
_CEILING = 1.0 - 1e-6


def product_cross_entropy(
    logits: Tensor, log_gates: Sequence[Tensor], positives: tuple[Tensor, ...], weight: Tensor
) -> Tensor:
    """Binary cross-entropy of ``σ(logits)·Π exp(log_gate)``, summed over all elements of weight 1.

    Negatives are taken in probability space (``log1p(−p)`` is exact where p underflows), positives in log space, where
    the product of several sigmoids cannot underflow.

    Args:
        logits: any shape.
        log_gates: logarithms of the factors, each of the same number of dimensions and broadcastable to ``logits``.
        positives: index tensors, one per dimension of ``logits``, of the elements with target 1, without repetition.
        weight: 0 on padding, else 1; broadcastable to ``logits``.

    Returns:
        The sum, a scalar in fp32.
    """
    logits = logits.float()
    log_positive = torch.nn.functional.logsigmoid(logits[positives])
    factor = weight.float()
    for gate in log_gates:
        log_positive = log_positive + gate.expand_as(logits)[positives]
        factor = factor * gate.exp()
    negative = (torch.sigmoid(logits) * factor).index_put(positives, logits.new_zeros(()))
    return -torch.log1p(negative * -_CEILING).sum() - log_positive.sum()
