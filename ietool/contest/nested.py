"""What a choice made on dev is worth on texts that it was not made on.

The texts are dealt into parts; for each part settings are chosen on the others and scored on it. What is chosen on all
of them and scored on the same is told beside: it flatters.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

from ietool.scoring.paired import RESAMPLES, Ints, Measure, gain_interval
from ietool.scoring.report import Counts

S = TypeVar("S")


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
