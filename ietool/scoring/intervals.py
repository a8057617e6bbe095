"""Bootstrap intervals of measures that follow from sums over texts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import numpy as np
import numpy.typing as npt

from ietool.scoring.prf import PRFScore

Floats = npt.NDArray[np.float64]

_BLOCK = 1 << 22
"""Numbers of a block of draws that are held at once."""

_MANY = 1 << 12
"""Distinct counts above which texts are drawn one by one, if most texts are unlike all others."""


def bootstrap(
    counts: Floats,
    measures: Callable[[Floats], Mapping[str, Floats]],
    *,
    resamples: int = 2000,
    level: float = 0.95,
    seed: int = 2019,
) -> dict[str, tuple[float, float]]:
    """The percentile interval of each measure when texts are drawn anew with replacement.

    Texts with equal counts are interchangeable, so the draw is made over the distinct counts: one multinomial a
    resample, exact, and as fast for a million texts as for a hundred where counts are few. Where thousands of texts are
    hardly ever alike, drawing the texts themselves is the same, and several times as fast.

    Args:
        counts: (texts, columns) of what adds up.
        measures: sums (resamples, columns) → measure → (resamples,).
        resamples: number of draws.
        level: share of the resampled values inside an interval.
        seed: the same texts always give the same intervals.

    Returns:
        Measure → (low, high); nothing where there are no texts or no draws.
    """
    if not len(counts) or resamples < 1:
        return {}
    sums = drawn_sums(counts, resamples=resamples, seed=seed)
    tail = (1 - level) / 2
    found = {}
    for name, values in measures(sums).items():
        low_value, high_value = np.quantile(values, [tail, 1 - tail])
        found[name] = (float(low_value), float(high_value))
    return found


def drawn_sums(counts: Floats, *, resamples: int = 2000, seed: int = 2019) -> Floats:
    """(resamples, columns): what the texts of each draw add up to; the draws are those of :func:`bootstrap`.

    Args:
        counts: (texts, columns) of what adds up; one text at least.
    """
    kinds, sizes = np.unique(counts, axis=0, return_counts=True)  # (K, columns), (K,)
    random = np.random.default_rng(seed)
    sums = np.empty((resamples, counts.shape[1]))
    if len(kinds) > _MANY and 4 * len(kinds) > len(counts):
        for number in range(resamples):
            times = np.bincount(random.integers(0, len(counts), size=len(counts)), minlength=len(counts))
            sums[number] = times.astype(np.float64) @ counts
    else:
        step = max(1, _BLOCK // len(kinds))
        for low in range(0, resamples, step):
            high = min(low + step, resamples)
            sums[low:high] = random.multinomial(len(counts), sizes / len(counts), size=high - low) @ kinds
    return sums


def prf_counts(scores: Iterable[PRFScore]) -> Floats:
    """(texts, 4): the counts of each text, in the columns that :func:`prf_measures` takes."""
    return np.array([(s.hits, s.predicted, s.found, s.gold) for s in scores], np.float64).reshape(-1, 4)


def prf_measures(sums: Floats) -> dict[str, Floats]:
    """Micro precision, recall and F1 from sums (…, 4) of hits, predicted, found and gold items."""
    hits, predicted, found, gold = np.moveaxis(sums, -1, 0)
    precision, recall = ratio(hits, predicted), ratio(found, gold)
    return {"precision": precision, "recall": recall, "f1": ratio(2 * precision * recall, precision + recall)}


def ratio(part: Floats, whole: Floats) -> Floats:
    """``part / whole``, 0 where there is nothing to divide by."""
    quotient: Floats = np.divide(part, whole, out=np.zeros_like(part, np.float64), where=whole > 0)
    return quotient


def f1_interval(scores: Iterable[PRFScore], *, resamples: int = 2000, seed: int = 2019) -> tuple[float, float] | None:
    """The interval of micro F1; None when there are no texts."""
    return bootstrap(prf_counts(scores), prf_measures, resamples=resamples, seed=seed).get("f1")
