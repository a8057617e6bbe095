"""Two predictions on the same texts: what the second repaired, and what it broke."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from ietool.report.classes.study import Study
from ietool.scoring.classes import MISSED, SPURIOUS, ErrorClasses
from ietool.scoring.intervals import bootstrap
from ietool.scoring.report import Counts
from ietool.tables import Cell, Table

REPAIRED, BROKEN = "repaired", "broken"
_RESAMPLES = 2000


@dataclass(frozen=True)
class Changes:
    """What differs between two predictions.

    Attributes:
        of: (0 or 1 for the prediction, number of the outcome) → ``repaired`` or ``broken``. What was repaired is an
            error of the first that the second has not; what was broken, one of the second that the first has not.
    """

    of: dict[tuple[int, int], str]

    def texts(self, studies: Sequence[Study]) -> dict[Hashable, set[str]]:
        """Key of a text → what happened in it."""
        found: dict[Hashable, set[str]] = {}
        for (side, number), change in self.of.items():
            found.setdefault(studies[side].report.outcomes[number].key, set()).add(change)
        return found


def changes(studies: Sequence[Study], classes: ErrorClasses) -> Changes:
    """The errors that only one of two predictions makes."""
    first, second = (
        {
            (outcome.key, classes.error_of(outcome)): number
            for number, outcome in enumerate(one.report.outcomes)
            if outcome.verdict in (SPURIOUS, MISSED)
        }
        for one in studies
    )
    return Changes(
        {(0, number): REPAIRED for key, number in first.items() if key not in second}
        | {(1, number): BROKEN for key, number in second.items() if key not in first}
    )


def difference(studies: Sequence[Study]) -> tuple[float, tuple[float, float] | None]:
    """(second minus first of the primary measure, its paired 95 % interval); None where texts cannot be paired."""
    one, two = (study.report for study in studies)
    gain = two.values[two.primary] - one.values[one.primary]
    if one.counts is None or two.counts is None or list(one.keys) != list(two.keys):
        return gain, None
    measures, width = one.measures, one.counts.shape[1]
    if measures is None or two.counts.shape != one.counts.shape:
        return gain, None

    def minus(sums: Counts) -> dict[str, Counts]:
        first, second = measures(sums[..., :width]), measures(sums[..., width:])
        return {"gain": np.asarray(second[one.primary]) - np.asarray(first[one.primary])}

    both = np.concatenate([one.counts, two.counts], axis=1).astype(np.float64)
    return gain, bootstrap(both, minus, resamples=_RESAMPLES).get("gain")


def change_table(studies: Sequence[Study], found: Changes, classes: ErrorClasses) -> Table:
    """What was repaired and broken by class of error, the largest change first."""
    counts: Counter[tuple[str, str]] = Counter()
    for (side, number), change in found.of.items():
        counts[studies[side].classes[number] or studies[side].report.outcomes[number].verdict, change] += 1
    names = {name for name, _ in counts}
    rows: list[Sequence[Cell]] = []
    for name in sorted(names, key=lambda name: (-sum(counts[name, c] for c in (REPAIRED, BROKEN)), name)):
        repaired, broken = counts[name, REPAIRED], counts[name, BROKEN]
        rows.append((name, repaired, broken, f"{repaired - broken:+,}"))
    return Table("", ("class", REPAIRED, BROKEN, "fewer errors"), rows)
