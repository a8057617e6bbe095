"""Names that stand several times in a file: each by itself, so that none is lost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from typing import TypeVar

_Name = TypeVar("_Name", bound=Hashable)


def numbered(names: Iterable[_Name]) -> list[tuple[_Name, int]]:
    """Each name with how often it came before."""
    seen: Counter[_Name] = Counter()
    found = []
    for name in names:
        found.append((name, seen[name]))
        seen[name] += 1
    return found


def numbered_as(gold: Sequence[_Name], predicted: Sequence[_Name]) -> list[tuple[_Name, int]]:
    """Each predicted name, numbered so that it is held against the same of ``numbered(gold)``: of one that stands
    several times in gold the first with the first. Where predictions have it more often, the last ones count; those
    before them are repeated further down, and have a number below 0.
    """
    wanted, given = Counter(gold), Counter(predicted)
    return [(name, n - max(0, given[name] - max(1, wanted[name]))) for name, n in numbered(predicted)]
