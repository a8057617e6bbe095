"""From what windows say to what a text says."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence

import numpy as np

from ietool.text.windows import owners

Found = tuple[int, int, int, float]
"""(start, end, number of the type, probability) of an entity, in characters of the text."""


def owned(windows: Sequence[tuple[int, int]], found: Sequence[Iterable[Found]]) -> list[Found]:
    """The entities of a text from those of its windows, each once; see :func:`owners`."""
    kept: dict[tuple[int, int, int], float] = {}
    for n, entities in enumerate(found):
        for a, b, kind, probability in entities:
            if owners(windows, np.array([a]), np.array([b]))[0] == n:
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


def best_apart(found: Sequence[Found], least: float | Sequence[float]) -> list[Found]:
    """The set of entities that do not overlap with the greatest sum of what each is above ``least``, one for all or
    one each: where several models are averaged, no path says which spans go together."""
    each = least if isinstance(least, Sequence) else [least] * len(found)
    pairs = sorted(
        ((f, own) for f, own in zip(found, each, strict=True) if f[3] > own), key=lambda p: (p[0][1], p[0][0], p[0][2])
    )
    able = [f for f, _ in pairs]
    ends = [f[1] for f in able]
    best = [0.0]  # of the first n entities
    taken: list[int] = []  # where the n-th is taken, how many come before it
    for n, ((start, _, _, probability), own) in enumerate(pairs):
        before = bisect_right(ends, start, 0, n)
        with_it = best[before] + probability - own
        taken.append(before if with_it > best[-1] else -1)
        best.append(max(with_it, best[-1]))
    kept, n = [], len(able)
    while n:
        if taken[n - 1] >= 0:
            kept.append(able[n - 1])
            n = taken[n - 1]
        else:
            n -= 1
    return sorted(kept)
