"""Which matches are mentions, once it is known how probable each is: thresholds, and of overlapping ones the best.

Numpy and plain Python: a reader that is given thresholds and a decoder choose by the same lines.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from bisect import bisect_right
from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from ietool.core.candidates import Floor, Parts

Proposal = tuple[int, int, int, float]
"""(start, end, a number that is passed through, probability) of a mention, half-open."""

Mask = npt.NDArray[np.bool_]


def apart(spans: Sequence[Proposal]) -> list[Proposal]:
    """Of overlapping spans those that together are most probable, in the order of the text.

    Weighted interval scheduling with the weight log-odds-free p: the chosen spans have the largest sum of p.
    """
    if len(spans) < 2:
        return [span for span in spans if span[3] > 0]
    order = sorted(spans, key=lambda span: (span[1], -span[0]))
    best: list[float] = [0.0]
    chosen: list[tuple[int, bool]] = []
    ends = [span[1] for span in order]
    for i, (start, _, _, p) in enumerate(order):
        before = bisect_right(ends, start, 0, i)
        take = best[before] + p
        chosen.append((before, take > best[i]))
        best.append(max(take, best[i]))
    found: list[Proposal] = []
    i = len(order)
    while i:
        before, taken = chosen[i - 1]
        if taken:
            found.append(order[i - 1])
            i = before
        else:
            i -= 1
    return found[::-1]


class Chance(ABC):
    """What a model says of a match being a mention: some numbers, ``names`` them, and a rule that chooses by them.

    A threshold ``least`` is compared in double precision with what is given in single.
    """

    names: ClassVar[tuple[str, ...]]
    """Columns of the parts, (n, len(names))."""
    product: ClassVar[tuple[str, ...]]
    """The first of them, whose product is the probability of a mention."""

    def floor(self, least: float) -> Floor:
        """What a match needs at least to be chosen at a threshold."""
        return Floor(parts=dict.fromkeys(self.product, least))

    def are_thresholds(self, floor: Floor) -> bool:
        """Whether a floor names the parts of mentions: then it is the threshold that they will be chosen by."""
        return set(self.product) <= set(floor.parts or {})

    def probability(self, parts: Parts) -> Parts:
        """(n,): of each match being a mention."""
        return parts[:, : len(self.product)].prod(1)

    def above(self, parts: Parts, floor: Floor) -> Mask:
        """(n,): what exceeds the floor, and so may be chosen by thresholds that are no lower."""
        least = np.array([floor.of(name) for name in self.product])
        mask: Mask = np.all(self._products(parts) > least, axis=1)
        return mask

    @abstractmethod
    def chosen(self, parts: Parts, least: float) -> Mask:
        """(n,): what is chosen at a threshold."""

    def sure(self) -> tuple[float, ...]:
        """The parts of a mention that is given."""
        return tuple(float(name in self.product) for name in self.names)

    def _products(self, parts: Parts) -> npt.NDArray[np.float64]:
        return parts[:, : len(self.product)].astype(np.float64)


class SpanChance(Chance):
    """Every match has a probability of its own."""

    names = product = ("mention",)

    def chosen(self, parts: Parts, least: float) -> Mask:
        return self._products(parts)[:, 0] > least


class PointerChance(Chance):
    """Starts and ends have probabilities; a start goes with the nearest end that exceeds the threshold (kexue.fm 6919).

    ``nearer`` is the highest probability of an end between a match's start and its own end: at a threshold the match is
    chosen if its start and its end exceed it and nothing nearer does.
    """

    names = ("start", "end", "nearer")
    product = ("start", "end")

    def chosen(self, parts: Parts, least: float) -> Mask:
        mask: Mask = np.all(self._products(parts) > least, axis=1) & (parts[:, 2].astype(np.float64) <= least)
        return mask
