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
    """The scores that exceed ``floor``, of each text the ``most`` highest; of equally high ones those that come first.

    Args:
        scores: (B, N); what must not be found is −∞ or below the floor.
        most: 1 or more.
    """
    hit = scores > floor
    if scores.device.type == "cpu" and int(torch.count_nonzero(hit)) <= most:
        text, place = hit.nonzero().unbind(1)
        return Above(text, place, scores[text, place], torch.zeros(len(scores), dtype=torch.int64))
    counts = hit.sum(1)
    of_text: list[int] = counts.tolist()  # a GPU is waited for but here
    if max(of_text, default=0) > most:
        hit = _strongest(scores, hit, most)
    found = sum(min(count, most) for count in of_text)
    text, place = torch.nonzero_static(hit, size=found).unbind(1)
    return Above(text, place, scores[text, place], (counts - most).clamp_min(0))


def _strongest(scores: Tensor, hit: Tensor, most: int) -> Tensor:
    # topk chooses among equal scores as it likes: its lowest value is a border, of which the first ones are taken.
    border = scores.masked_fill(~hit, -torch.inf).topk(most, dim=1).values[:, -1:]
    above_it, on_it = hit & (scores > border), hit & (scores == border)
    return above_it | (on_it & (on_it.cumsum(1) <= most - above_it.sum(1, keepdim=True)))
