"""Picking what lies above a floor out of dense scores, before any Python object is made, without waiting for a device.

How much lies above it is known only when the device is done. So it is asked for as much as there mostly is at once, and
told how much there was; what did not go in is fetched afterwards.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ietool.nn import transfer

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[Any]

ROOM = 4096
"""So many places are asked of a device at once: some for each of a batch's texts, 80 KB and more."""


class Hits:
    """The places where something holds, and what stands there.

    Args:
        hit: (…) bool.
        values: each of the shape of ``hit``.
        again: gives both anew, where there are more than ``room`` places; until then nothing of them is kept.

    Attributes:
        tensors: what is to be asked of the device; :meth:`found` takes it as arrays.
    """

    def __init__(
        self, hit: Tensor, values: Sequence[Tensor], again: Callable[[], tuple[Tensor, Sequence[Tensor]]],
        room: int | None = None,
    ) -> None:  # fmt: skip
        self._again, self._room, self._waits = again, ROOM if room is None else room, not transfer.apart(hit.device)
        if self._waits:
            self.tensors = _exact(hit, values)
        else:
            at = torch.nonzero_static(hit, size=self._room, fill_value=0)
            self.tensors = [at, *(value[at.unbind(1)] for value in values), hit.sum()]

    def found(self, arrays: Sequence[npt.NDArray[Any]]) -> list[npt.NDArray[Any]]:
        """(n, d) places in order, and (n,) of each of the values there."""
        if self._waits:
            return list(arrays)
        count = int(arrays[-1])
        if count > self._room:
            return transfer.Asked(_exact(*self._again())).wait()
        return [array[:count] for array in arrays[:-1]]


def _exact(hit: Tensor, values: Sequence[Tensor]) -> list[Tensor]:
    at = torch.nonzero(hit)
    return [at, *(value[at.unbind(1)] for value in values)]


class Above(NamedTuple):
    """What lies above a floor: ``text`` (n,) and ``place`` (n,) of each in (B, N) scores, in that order, its ``value``
    (n,); and ``left_out`` (B,), how many of a text were left out because there were too many."""

    text: Integers
    place: Integers
    value: Floats
    left_out: Integers


class AboveFloor:
    """The scores that exceed a floor, of each text the highest; of equally high ones those that come first.

    Args:
        scores: (B, N); what must not be found is −∞ or below the floor.
        floor: to be exceeded.
        most: of a text, 1 or more.
        again: gives the scores anew, where there are more of them than is common; until then they are not kept.

    Attributes:
        tensors: as in :class:`Hits`.
    """

    def __init__(
        self, scores: Tensor, floor: float, most: int, again: Callable[[], Tensor], room: int | None = None
    ) -> None:
        self._floor, self._most, self._again = floor, most, again
        self._hits: Hits | None = None
        if not transfer.apart(scores.device):
            self.tensors = self._exact(scores)
            return
        hit = scores > floor
        self._hits = Hits(hit, [scores], self._anew, room)
        self.tensors = [*self._hits.tensors, hit.sum(1)]

    def _anew(self) -> tuple[Tensor, Sequence[Tensor]]:
        scores = self._again()
        return scores > self._floor, [scores]

    def found(self, arrays: Sequence[npt.NDArray[Any]]) -> Above:
        """What there is."""
        if self._hits is None:
            return Above(*arrays)
        *hits, counts = arrays
        if (counts > self._most).any():
            return Above(*transfer.Asked(self._exact(self._again())).wait())
        at, value = self._hits.found(hits)
        return Above(at[:, 0], at[:, 1], value, np.zeros_like(counts))

    def _exact(self, scores: Tensor) -> list[Tensor]:
        """Text, place, value and how many are left out."""
        hit = scores > self._floor
        left_out = torch.zeros(len(scores), dtype=torch.int64, device=scores.device)
        if int(torch.count_nonzero(hit)) > self._most:
            counts = hit.sum(1)
            left_out = (counts - self._most).clamp_min(0)
            if int(counts.max()) > self._most:
                hit = _strongest(scores, hit, self._most)
        text, place = hit.nonzero().unbind(1)
        return [text, place, scores[text, place], left_out]


def _strongest(scores: Tensor, hit: Tensor, most: int) -> Tensor:
    # topk chooses among equal scores as it likes: its lowest value is a border, of which the first ones are taken.
    border = scores.masked_fill(~hit, -torch.inf).topk(most, dim=1).values[:, -1:]
    above_it, on_it = hit & (scores > border), hit & (scores == border)
    return above_it | (on_it & (on_it.cumsum(1) <= most - above_it.sum(1, keepdim=True)))


def score_near(probability: float) -> float:
    """A score a little below that of a probability: what exceeds that lies above this. Infinite near 0."""
    p = probability - 1e-6
    return math.log(p) - math.log1p(-p) if p > 0.0 else -math.inf


def probability_of(scores: Tensor) -> Tensor:
    """float32, to the last digit the same wherever a score stands among others: sigmoids of single precision are
    not."""
    return scores.double().sigmoid().float()
