"""Two sides judged on the same texts: how much better one is, how sure that is, and the sign test on their items."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ietool.scoring.intervals import bootstrap, drawn_sums
from ietool.scoring.report import Counts

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Measure = Callable[[Counts], Floats]
"""Sums (…, columns) → the primary measure (…)."""

RESAMPLES = 2000


def together(counts: Counts, groups: Ints | None) -> Counts:
    """(groups, columns): the counts of texts that are drawn together, added up.

    Args:
        counts: (texts, columns).
        groups: (texts,): a number for each group; None: each text alone.
    """
    if groups is None or not len(groups):
        return counts
    _, number = np.unique(groups, return_inverse=True)
    summed = np.zeros((int(number.max()) + 1, counts.shape[1]))
    np.add.at(summed, number, counts)
    return summed


def gain_interval(
    before: Counts, after: Counts, measure: Measure, *, groups: Ints | None = None, resamples: int = RESAMPLES
) -> tuple[float, float] | None:
    """The 95 % interval of a gain: the same texts are drawn for both sides.

    Args:
        before, after: (texts, columns) of what adds up.
        groups: (texts,): texts that are drawn together.
    """
    width = before.shape[1]

    def gains(sums: Counts) -> Mapping[str, Floats]:
        return {"gain": measure(sums[..., width:]) - measure(sums[..., :width])}

    return bootstrap(together(np.hstack([before, after]), groups), gains, resamples=resamples).get("gain")


@dataclass(frozen=True)
class Paired:
    """How much better the second side is.

    Attributes:
        a, b: the measure of each run of a side.
        difference: the mean of ``b`` less that of ``a``.
        interval: 95 % of the difference; None where there are too few texts to draw from.
        probability: that ``b`` is better: the share of draws in which it is, those in which both are alike counted
            half; None likewise.
    """

    a: Sequence[float]
    b: Sequence[float]
    difference: float
    interval: tuple[float, float] | None
    probability: float | None


def paired(
    a: Sequence[Counts],
    b: Sequence[Counts],
    measure: Measure,
    *,
    groups: Ints | None = None,
    resamples: int = RESAMPLES,
    seed: int = 2019,
) -> Paired:
    """The paired bootstrap of Efron and Tibshirani (1993): texts are drawn anew with replacement, the same ones for
    both sides. Where a side has several runs, these are drawn anew too: what follows from their seeds alone differs
    from run to run.

    Args:
        a, b: (texts, columns) of what adds up, of each run of a side.
        measure: of which sides are compared.
        groups: (texts,): near-duplicates, which are drawn together; None: each text alone.
    """
    width = a[0].shape[1]
    every = [*a, *b]

    def values(sums: Counts) -> Floats:
        """(…, runs)."""
        return np.stack([measure(sums[..., n * width : (n + 1) * width]) for n in range(len(every))], -1)

    stacked = together(np.hstack(every), groups)
    whole = values(stacked.sum(0))
    one, other = whole[: len(a)], whole[len(a) :]
    difference = float(other.mean() - one.mean())
    if len(stacked) < 2 or resamples < 1:
        return Paired(one.tolist(), other.tolist(), difference, None, None)
    drawn = values(drawn_sums(stacked, resamples=resamples, seed=seed))
    dice = np.random.default_rng([seed, 1])
    weights = [dice.multinomial(n, np.full(n, 1 / n), resamples) / n for n in (len(a), len(b))]
    differences = (drawn[:, len(a) :] * weights[1]).sum(-1) - (drawn[:, : len(a)] * weights[0]).sum(-1)
    # Sums over runs of equal values are alike but for their last digits.
    signs = np.sign(np.where(np.abs(differences) < 1e-12, 0.0, differences))
    low, high = np.quantile(differences, [0.025, 0.975])
    return Paired(
        one.tolist(), other.tolist(), difference, (float(low), float(high)), float((1 + signs.mean()) / 2)
    )  # fmt: skip


def sign_test(better: int, worse: int) -> float:
    """The two-sided probability of the exact sign test: that of so uneven a division, or a more uneven one, of the
    items that differ if each is as likely to be better as worse. 1 where none differs.

    Ties are left out; of paired right and wrong answers this is McNemar's exact test.
    """
    count, less = better + worse, min(better, worse)
    if not count:
        return 1.0
    # The terms as multiples of the largest, the last one; from there downwards until they are too small to matter.
    log_last = math.lgamma(count + 1) - math.lgamma(less + 1) - math.lgamma(count - less + 1) - count * math.log(2)
    total = term = 1.0
    for k in range(less, 0, -1):
        term *= k / (count - k + 1)
        total += term
        if term < total * 1e-17:
            break
    return min(1.0, 2 * math.exp(log_last) * total)
