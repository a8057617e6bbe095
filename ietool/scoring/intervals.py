"""Bootstrap intervals of micro scores over texts."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from ietool.scoring.prf import PRFScore


def f1_interval(
    scores: Iterable[PRFScore], *, resamples: int = 2000, level: float = 0.95, seed: int = 2019
) -> tuple[float, float] | None:
    """The percentile bootstrap interval of micro F1 when texts are drawn anew with replacement.

    Texts with equal counts are interchangeable, so the draw is made over the distinct counts: one multinomial a
    resample, exact, and as fast for a million texts as for a hundred.

    Args:
        scores: the counts of each text.
        resamples: number of draws.
        level: share of the resampled values inside the interval.
        seed: the same texts always give the same interval.

    Returns:
        (low, high), or None when there are no texts.
    """
    counts = np.array([(s.hits, s.predicted, s.found, s.gold) for s in scores], dtype=np.int64).reshape(-1, 4)
    if not len(counts) or resamples < 1:
        return None
    kinds, sizes = np.unique(counts, axis=0, return_counts=True)  # [K, 4], [K]
    weights = np.random.default_rng(seed).multinomial(len(counts), sizes / len(counts), size=resamples)
    hits, predicted, found, gold = (weights @ kinds).T.astype(np.float64)  # [resamples] each
    precision = np.divide(hits, predicted, out=np.zeros_like(hits), where=predicted > 0)
    recall = np.divide(found, gold, out=np.zeros_like(found), where=gold > 0)
    total = precision + recall
    f1 = np.divide(2 * precision * recall, total, out=np.zeros_like(total), where=total > 0)
    tail = (1 - level) / 2
    low, high = np.quantile(f1, [tail, 1 - tail])
    return float(low), float(high)
