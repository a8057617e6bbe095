"""The paired bootstrap against one that draws texts one by one, the sign test against its definition."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ietool.scoring.intervals import prf_measures
from ietool.scoring.paired import Floats, paired, sign_test, together
from ietool.scoring.report import Counts


def f1(sums: Counts) -> Floats:
    return prf_measures(sums)["f1"]


def made(seed: int, texts: int, share: float) -> Counts:
    """(texts, 4): counts of texts with three gold items each, of which so many are found."""
    right = np.random.default_rng(seed).binomial(3, share, texts).astype(np.float64)
    three = np.full(texts, 3.0)
    return np.stack([right, three, right, three], -1)


def one_by_one(
    a: list[Counts], b: list[Counts], groups: list[int], draws: int
) -> tuple[float, tuple[float, float], float]:
    """(difference, 95 % interval, probability that b is better): groups and runs drawn by hand."""
    dice = np.random.default_rng(99)
    names = sorted(set(groups))
    members = {name: [n for n, group in enumerate(groups) if group == name] for name in names}

    def value(runs: list[Counts], texts: list[int]) -> float:
        return float(np.mean([f1(np.array([sum(run[n][k] for n in texts) for k in range(4)])) for run in runs]))

    found = []
    for _ in range(draws):
        texts = [n for name in dice.choice(names, len(names)) for n in members[int(name)]]
        sides = [[side[int(n)] for n in dice.integers(0, len(side), len(side))] for side in (a, b)]
        found.append(value(sides[1], texts) - value(sides[0], texts))
    every = list(range(len(groups)))
    low, high = np.quantile(found, [0.025, 0.975])
    better = np.mean([1.0 if d > 0 else 0.5 if d == 0 else 0.0 for d in found])
    return value(b, every) - value(a, every), (float(low), float(high)), float(better)


@pytest.mark.parametrize("runs", [1, 3])
def test_it_is_that_of_texts_and_runs_drawn_one_by_one(runs: int) -> None:
    a = [made(n, 24, 0.5) for n in range(runs)]
    b = [made(10 + n, 24, 0.56) for n in range(runs)]
    groups = [n // 2 for n in range(24)]
    found = paired(a, b, f1, groups=np.array(groups), resamples=8000)
    difference, interval, better = one_by_one(a, b, groups, 1200)
    assert found.difference == pytest.approx(difference)
    assert found.a == pytest.approx([float(f1(run.sum(0))) for run in a])
    assert found.interval == pytest.approx(interval, abs=0.03)
    assert found.probability == pytest.approx(better, abs=0.05)


def test_a_side_beside_itself_is_no_better() -> None:
    side = [made(1, 50, 0.6), made(2, 50, 0.6)]
    assert paired(side[:1], side[:1], f1).interval == (0.0, 0.0)
    assert paired(side[:1], side[:1], f1).probability == 0.5
    found = paired(side, side, f1)
    assert found.difference == 0 and found.probability == pytest.approx(0.5, abs=0.05)


def test_swapping_the_sides_swaps_the_answer() -> None:
    one, other = made(1, 60, 0.5), made(2, 60, 0.6)
    there, back = paired([one], [other], f1), paired([other], [one], f1)
    assert there.difference == -back.difference and there.interval is not None and back.interval is not None
    assert there.interval == pytest.approx((-back.interval[1], -back.interval[0]), abs=0.02)
    assert there.probability == pytest.approx(1 - (back.probability or 0), abs=0.03)


def test_copies_of_a_text_say_no_more_than_the_text() -> None:
    one, other = made(1, 40, 0.5), made(2, 40, 0.6)
    groups = np.repeat(np.arange(40), 9)
    copies = [np.repeat(one, 9, 0)], [np.repeat(other, 9, 0)]
    apart, joined = (paired(*copies, f1, groups=g).interval for g in (None, groups))
    assert apart is not None and joined is not None
    assert joined[1] - joined[0] == pytest.approx(3 * (apart[1] - apart[0]), rel=0.2)
    assert together(copies[0][0], groups).tolist() == (one * 9).tolist()


def test_no_text_and_no_draw_give_no_interval() -> None:
    empty = np.zeros((0, 4))
    assert paired([empty], [empty], f1) == paired([empty], [empty], f1, resamples=0)
    assert paired([empty], [empty], f1).interval is None
    assert paired([made(1, 3, 0.5)], [made(2, 3, 0.5)], f1, resamples=0).probability is None


@given(st.integers(0, 300), st.integers(0, 300))
def test_the_sign_test_is_its_definition(better: int, worse: int) -> None:
    count, less = better + worse, min(better, worse)
    tail = Fraction(sum(math.comb(count, k) for k in range(less + 1)), 2**count)
    assert sign_test(better, worse) == pytest.approx(float(min(Fraction(1), 2 * tail)), rel=1e-9)


def test_the_sign_test_of_many_items_and_of_none() -> None:
    assert sign_test(0, 0) == sign_test(1, 0) == 1.0
    assert sign_test(6, 0) == pytest.approx(2 / 64)
    assert sign_test(500_000, 500_000) == 1.0
    assert 0.3 < sign_test(100_200, 100_000) < 0.8 and sign_test(1_000_000, 0) == 0.0
