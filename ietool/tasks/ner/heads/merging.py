"""From what windows say to what a text says."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

Found = tuple[int, int, int, float]
"""(start, end, number of the type, probability) of an entity, in characters of the text."""


def owned(windows: Sequence[tuple[int, int]], found: Sequence[Iterable[Found]]) -> list[Found]:
    """The entities of a text from those of its windows, each once.

    Where two windows overlap, the earlier one has the say up to the middle of what they share: an entity counts if its
    own middle lies there. So one of up to half an overlap is seen with context on both sides, and what the edge of a
    window cut in two is left out, as long as all of it is shorter than the overlap.

    Args:
        windows: [start, end) of each, in order.
        found: the entities of each.
    """
    kept: dict[tuple[int, int, int], float] = {}
    for n, ((start, end), entities) in enumerate(zip(windows, found, strict=True)):
        low = 0.0 if n == 0 else (start + windows[n - 1][1]) / 2
        high = float("inf") if n == len(windows) - 1 else (windows[n + 1][0] + end) / 2
        for a, b, kind, probability in entities:
            if low <= (a + b) / 2 < high:
                kept[a, b, kind] = max(probability, kept.get((a, b, kind), 0.0))
    return [(*key, probability) for key, probability in sorted(kept.items())]


def widened(found: Iterable[Found], tokens: Sequence[tuple[int, int]]) -> list[Found]:
    """Entities moved to the borders of tokens, (start, end) each and in order: what begins or ends within a token has
    all of it. What lies between two is left out."""
    starts, ends = [a for a, _ in tokens], [b for _, b in tokens]
    kept = []
    for a, b, kind, probability in found:
        first, last = bisect_right(ends, a), bisect_left(starts, b) - 1
        if first <= last:
            kept.append((starts[first], ends[last], kind, probability))
    return kept


def without_overlaps(found: Iterable[Found]) -> list[Found]:
    """Of entities that overlap the most probable, of equally probable ones the longest."""
    kept: list[Found] = []
    taken: set[int] = set()
    for a, b, kind, probability in sorted(found, key=lambda f: (-f[3], f[0] - f[1], f)):
        if taken.isdisjoint(range(a, b)):
            kept.append((a, b, kind, probability))
            taken.update(range(a, b))
    return sorted(kept)


Array = npt.NDArray[np.float64]


UnitRow = tuple[int, int, int, float]
"""(first unit, the one behind the last, number of the type, probability)."""
