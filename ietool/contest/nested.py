"""What a choice made on dev is worth on texts that it was not made on.

The texts are dealt into parts; for each part settings are chosen on the others and scored on it. What is chosen on all
of them and scored on the same is told beside: it flatters.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np
import numpy.typing as npt

from ietool.core.intake import Groups
from ietool.scoring.intervals import bootstrap
from ietool.scoring.report import Counts

S = TypeVar("S")
Ints = npt.NDArray[np.int64]
Measure = Callable[[Counts], npt.NDArray[np.float64]]
"""Sums (…, columns) → the primary measure (…)."""

RESAMPLES = 2000


@dataclass(frozen=True)
class Nested(Generic[S]):
    """An honest estimate.

    Attributes:
        chosen: on all parts.
        by_part: what was chosen without each part.
        before: the measure of the settings that were there before.
        optimistic: that of ``chosen``, on what it was chosen on.
        nested: that of the settings of ``by_part``, each on its own part.
        interval: 95 % of the nested gain, texts drawn anew; both sides have the same draws. None without texts.
        optimistic_interval: the same of the optimistic gain.
    """

    chosen: S
    by_part: Sequence[S]
    before: float
    optimistic: float
    nested: float
    interval: tuple[float, float] | None
    optimistic_interval: tuple[float, float] | None

    @property
    def gain(self) -> float:
        """What the choice is worth on texts that it has not seen."""
        return self.nested - self.before

    @property
    def optimistic_gain(self) -> float:
        """What it is worth on those that it was made on."""
        return self.optimistic - self.before


def nested(
    parts: Ints,
    choose: Callable[[Collection[int]], S],
    counts: Callable[[S], Counts],
    measure: Measure,
    before: S,
    *,
    groups: Ints | None = None,
    resamples: int = RESAMPLES,
) -> Nested[S]:
    """Choose on all parts but one and score on that one, for each part in turn.

    Args:
        parts: (texts,): the part of each text, 0 … k − 1; see :func:`parts_of`.
        choose: parts that may be looked at → settings.
        counts: settings → (texts, columns) of what adds up.
        before: settings that are there already.
        groups: (texts,): near-duplicates, which are drawn together; default: each text alone.
    """
    numbers = range(int(parts.max(initial=-1)) + 1)
    chosen = choose(list(numbers))
    by_part = [choose([n for n in numbers if n != part]) for part in numbers]
    plain, all_of_them, apart = counts(before), counts(chosen), np.zeros_like(counts(before))
    for part, settings in enumerate(by_part):
        apart[parts == part] = counts(settings)[parts == part]
    return Nested(
        chosen,
        by_part,
        before=float(measure(plain.sum(0))),
        optimistic=float(measure(all_of_them.sum(0))),
        nested=float(measure(apart.sum(0))),
        interval=gain_interval(plain, apart, measure, groups=groups, resamples=resamples),
        optimistic_interval=gain_interval(plain, all_of_them, measure, groups=groups, resamples=resamples),
    )


def gain_interval(
    before: Counts, after: Counts, measure: Measure, *, groups: Ints | None = None, resamples: int = RESAMPLES
) -> tuple[float, float] | None:
    """The 95 % interval of a gain: the same texts are drawn for both sides.

    Args:
        before, after: (texts, columns) of what adds up.
        groups: (texts,): texts that are drawn together.
    """
    width = before.shape[1]
    both = np.hstack([before, after])
    if groups is not None and len(groups):
        _, number = np.unique(groups, return_inverse=True)
        summed = np.zeros((int(number.max()) + 1, 2 * width))
        np.add.at(summed, number, both)
        both = summed

    def gains(sums: Counts) -> Mapping[str, npt.NDArray[np.float64]]:
        return {"gain": measure(sums[..., width:]) - measure(sums[..., :width])}

    return bootstrap(both, gains, resamples=resamples).get("gain")


def parts_of(groups: Ints, k: int, *, seed: int = 2019) -> Ints:
    """(texts,): the part of each text, k of about equal size; near-duplicates come into the same.

    Args:
        groups: (texts,): a number for each group of near-duplicates.
    """
    names, number, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    order = np.random.default_rng(seed).permutation(len(names))
    order = order[np.argsort(-sizes[order], kind="stable")]
    of_group, filled = np.zeros(len(names), np.int64), np.zeros(k, np.int64)
    for group in order.tolist():
        part = int(filled.argmin())
        of_group[group] = part
        filled[part] += sizes[group]
    found: Ints = of_group[number]
    return found


def groups_of(texts: Sequence[Sequence[str]]) -> Ints:
    """(examples,): a number for each group of examples that share a text, directly or through others.

    Args:
        texts: those by which each example is known, see :meth:`ietool.core.contract.Task.kin`.
    """
    with tempfile.TemporaryDirectory(prefix="ietool-") as scratch:
        groups = Groups(Path(scratch))
        try:
            for some in texts:
                groups.add(some)
            return groups.numbers().astype(np.int64)
        finally:
            groups.close()
