"""The one bootstrap: against drawing texts one by one, and against the intervals that earlier versions gave."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ietool.scoring import intervals
from ietool.scoring.intervals import Floats, bootstrap, f1_interval, prf_counts, prf_measures, ratio
from ietool.scoring.prf import PRFScore

counts = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(0, 3), st.integers(0, 3)).map(
        lambda c: PRFScore(min(c[0], c[1]), c[1], min(c[2], c[3]), c[3])
    ),
    min_size=1,
    max_size=12,
)


def at_once(scores: list[PRFScore], resamples: int, seed: int = 2019) -> tuple[float, float]:
    """As it was once: whole numbers, all draws at once."""
    table = np.array([(s.hits, s.predicted, s.found, s.gold) for s in scores], dtype=np.int64).reshape(-1, 4)
    kinds, sizes = np.unique(table, axis=0, return_counts=True)
    weights = np.random.default_rng(seed).multinomial(len(table), sizes / len(table), size=resamples)
    hits, predicted, found, gold = (weights @ kinds).T.astype(np.float64)
    precision = np.divide(hits, predicted, out=np.zeros_like(hits), where=predicted > 0)
    recall = np.divide(found, gold, out=np.zeros_like(found), where=gold > 0)
    total = precision + recall
    f1 = np.divide(2 * precision * recall, total, out=np.zeros_like(total), where=total > 0)
    tail = (1 - 0.95) / 2
    low, high = np.quantile(f1, [tail, 1 - tail])
    return float(low), float(high)


@given(counts, st.integers(1, 300))
def test_f1_intervals_are_to_the_digit_what_they_were(scores: list[PRFScore], resamples: int) -> None:
    assert f1_interval(scores, resamples=resamples) == at_once(scores, resamples)


@given(counts)
def test_blocks_of_draws_are_the_draws(scores: list[PRFScore]) -> None:
    whole = bootstrap(prf_counts(scores), prf_measures, resamples=100)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(intervals, "_BLOCK", 7)
        assert bootstrap(prf_counts(scores), prf_measures, resamples=100) == whole


def test_it_is_that_of_texts_drawn_one_by_one() -> None:
    dice = np.random.default_rng(5)
    table = dice.integers(0, 4, (40, 3)).astype(np.float64)

    def measures(sums: Floats) -> Mapping[str, Floats]:
        return {"share": ratio(sums[..., 0], sums.sum(-1)), "rest": ratio(sums[..., 1], sums[..., 0] + 1)}

    found = bootstrap(table, measures, resamples=20000, seed=1)
    drawn = [measures(table[dice.integers(0, 40, 40)].sum(0)) for _ in range(20000)]
    for name, (low, high) in found.items():
        values = np.array([float(one[name]) for one in drawn])
        spread = values.std()
        assert low == pytest.approx(np.quantile(values, 0.025), abs=0.08 * spread)
        assert high == pytest.approx(np.quantile(values, 0.975), abs=0.08 * spread)
    narrower = bootstrap(table, measures, resamples=20000, level=0.5, seed=1)
    assert all(found[name][0] < low < high < found[name][1] for name, (low, high) in narrower.items())


@given(counts)
def test_measures_are_those_of_the_sum(scores: list[PRFScore]) -> None:
    measured = prf_measures(prf_counts(scores).sum(0))
    total = sum(scores, PRFScore())
    assert {name: float(value) for name, value in measured.items()} == pytest.approx(
        {"precision": total.precision, "recall": total.recall, "f1": total.f1}
    )


def test_nothing_gives_no_interval() -> None:
    assert bootstrap(np.zeros((0, 4)), prf_measures) == {} and f1_interval([]) is None
    assert bootstrap(np.ones((3, 4)), prf_measures, resamples=0) == {}
    assert f1_interval([PRFScore(1, 1, 1, 1)] * 5) == (1.0, 1.0)
    assert f1_interval([PRFScore(0, 0, 0, 0)] * 5) == (0.0, 0.0)


def test_texts_in_another_order_have_the_same_interval() -> None:
    scores = [PRFScore(n % 2, 2, n % 3, 3) for n in range(30)]
    assert f1_interval(reversed(scores)) == f1_interval(scores)
