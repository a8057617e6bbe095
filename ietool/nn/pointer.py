"""Half pointer, half tagging: start and end probabilities per character, their loss and their spans."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

# 1 - 1e-6: a saturated product keeps a finite logarithm and a gradient that does not vanish.
_CEILING = 1.0 - 1e-6


def product_cross_entropy(
    logits: Tensor, log_gate: Tensor, positives: tuple[Tensor, ...], weight: Tensor
) -> Tensor:
    """Binary cross-entropy of ``σ(logits)·exp(log_gate)``, summed over all elements with weight 0 or 1.

    Negatives are taken in probability space (``log1p(−p)`` is exact where p underflows), positives in log space, where
    the product of several sigmoids cannot underflow.

    Args:
        logits: (N, L, R) or (N, L).
        log_gate: log of the gates' product, broadcastable to ``logits``.
        positives: index tensors, one per dimension of ``logits``, of the elements with target 1, without repetition.
        weight: broadcastable to ``logits``; 0 on padding.

    Returns:
        The sum, a scalar in fp32.
    """
    logits = logits.float()
    gates = log_gate.float()
    log_positive = torch.nn.functional.logsigmoid(logits[positives]) + gates.expand_as(logits)[positives]
    # A where-mask rather than an in-place write: one multiplication, and autograd needs no copy.
    negative = weight.float().expand_as(logits).clone()
    negative[positives] = 0.0
    p = torch.sigmoid(logits) * gates.exp()
    return -torch.log1p(p * negative * -_CEILING).sum() - log_positive.sum()


def nearest_spans(
    starts: npt.NDArray[np.integer], ends: npt.NDArray[np.integer], groups_s: npt.NDArray[np.integer], groups_e: npt.NDArray[np.integer], length: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Give each start the nearest end at or after it within its group, for all groups at once.

    Args:
        starts, groups_s: positions that pass the start threshold and the group (sentence, relation …) of each.
        ends, groups_e: the same for ends; both sorted by (group, position).
        length: more than any position.

    Returns:
        Indices into ``starts`` that found an end, indices into ``ends``, and the group, in the order of ``starts``.
    """
    key_s = groups_s.astype(np.int64) * length + starts
    key_e = groups_e.astype(np.int64) * length + ends
    at = np.searchsorted(key_e, key_s, side="left")
    inside = at < len(key_e)
    kept = np.flatnonzero(inside)
    kept = kept[key_e[at[kept]] // length == groups_s[kept]]
    return kept, at[kept], groups_s[kept].astype(np.int64)
