"""Whether a model's probabilities are right: of what it is 80 % sure of, four in five should be right."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ietool.report.classes.study import Study
from ietool.scoring.classes import RIGHT
from ietool.tables import Table

BINS = 10


@dataclass(frozen=True)
class Bin:
    """Predicted items whose probabilities lie in ``[low, high)``, the last one with its end.

    Attributes:
        chance: the mean of their probabilities.
        right: the share of them that is right.
    """

    low: float
    high: float
    items: int
    chance: float
    right: float


def bins(judged: Iterable[tuple[float, bool]]) -> list[Bin]:
    """The bins that hold an item, lowest first.

    Args:
        judged: (probability, whether it was right) of predicted items.
    """
    sums = [[0, 0.0, 0] for _ in range(BINS)]
    for chance, right in judged:
        one = sums[min(BINS - 1, max(0, int(chance * BINS)))]
        one[0] += 1
        one[1] += chance
        one[2] += right
    return [
        Bin(n / BINS, (n + 1) / BINS, int(count), total / count, hits / count)
        for n, (count, total, hits) in enumerate(sums)
        if count
    ]


def gap(found: Iterable[Bin]) -> float:
    """The expected calibration error: the mean distance of probability and share, weighted by items; 0 for none."""
    listed = list(found)
    items = sum(one.items for one in listed)
    return sum(one.items * abs(one.chance - one.right) for one in listed) / items if items else 0.0


def of_study(one: Study) -> list[Bin]:
    """The bins of a prediction; none where its probabilities are not known."""
    return bins(
        (chance, outcome.verdict == RIGHT)
        for chance, outcome in zip(one.chances, one.report.outcomes, strict=True)
        if chance is not None
    )


def table(found: Iterable[Bin]) -> Table:
    """A row a bin."""
    rows = [(f"{one.low:.1f} – {one.high:.1f}", one.items, one.chance, one.right) for one in found]
    return Table("", ("probability", "items", "mean probability", "right"), rows)
