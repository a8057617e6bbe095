"""Which of several values is taken where more than one scores best."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


def middle_of_best(values: Sequence[T], scores: Sequence[float]) -> T:
    """The value that scores best; of several that score the same the middle one, which is farthest from doing harm."""
    top = max(scores)
    best = [value for value, score in zip(values, scores, strict=True) if score == top]
    return best[len(best) // 2]
