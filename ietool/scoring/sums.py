"""Bootstrap intervals of measures that follow from sums over questions."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ietool.tasks.qa.score.judged import Sums, Values


def intervals(
    rows: Sums, values: Callable[[Sums], Values], *, resamples: int, level: float = 0.95, seed: int = 2019
) -> dict[str, tuple[float, float]]:
    """Percentile intervals when questions are drawn anew with replacement.

    Args:
        rows: [questions, columns].
        values: measures from sums [..., columns].
        resamples: number of draws.
        level: share of the resampled values inside an interval.
        seed: the same questions always give the same intervals.

    Returns:
        Measure → (low, high); nothing where there are no questions or no draws.
    """
    if not len(rows) or resamples < 1:
        return {}
    rng = np.random.default_rng(seed)
    drawn = np.empty((resamples, rows.shape[1]))
    for number in range(resamples):
        # How often each question is drawn, instead of the drawn rows: one product of vector and matrix.
        times = np.bincount(rng.integers(0, len(rows), size=len(rows)), minlength=len(rows))
        drawn[number] = times.astype(np.float64) @ rows
    tail = (1 - level) / 2
    found = {}
    for name, several in values(drawn).items():
        low, high = np.quantile(several, [tail, 1 - tail])
        found[name] = (float(low), float(high))
    return found
