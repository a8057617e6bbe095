"""Picking what lies above a floor out of dense scores, at most so much of a text, before any Python object is made."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class Above(NamedTuple):
    """What lies above a floor: ``text`` (n,) and ``place`` (n,) of each in a (B, N) tensor, in that order, its
    ``value`` (n,); and ``left_out`` (B,), how many of a text were left out because there were too many."""

    text: Tensor
    place: Tensor
    value: Tensor
    left_out: Tensor


def above(scores: Tensor, floor: float, most: int) -> Above:
    """The scores that exceed ``floor``, of each text the ``most`` highest.

    Args:
        scores: (B, N); what must not be found is −∞ or below the floor.
    """
    hit = scores > floor
    text, place = hit.nonzero().unbind(1)
    counts = torch.bincount(text, minlength=len(scores))
    if len(text) and int(counts.max()) > most:
        # Positions again in the order in which they stand, so that the cap changes nothing but the number.
        best = scores.masked_fill(~hit, -torch.inf).topk(most, dim=1).indices.sort(1).values
        text, place = torch.zeros_like(hit).scatter_(1, best, hit.gather(1, best)).nonzero().unbind(1)
    return Above(text, place, scores[text, place], (counts - most).clamp_min(0))
