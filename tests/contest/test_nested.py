"""The nested estimate: near-duplicates stay together, and what is chosen by chance is worth nothing."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ietool.contest.nested import nested, parts_of
from ietool.core.kin import groups_of
from ietool.scoring.intervals import prf_measures
from ietool.scoring.paired import gain_interval
from ietool.scoring.report import Counts


@given(st.lists(st.integers(0, 12), min_size=1, max_size=60), st.integers(2, 6))
@settings(max_examples=60, deadline=None)
def test_groups_never_straddle_parts(numbers: list[int], k: int) -> None:
    groups = np.array(numbers)
    parts = parts_of(groups, k)
    assert ((parts >= 0) & (parts < k)).all()
    for group in set(numbers):
        assert len(set(parts[groups == group].tolist())) == 1
    sizes = np.bincount(parts, minlength=k)
    assert sizes.max() - sizes.min() <= max(map(numbers.count, numbers))
    assert (parts == parts_of(groups, k)).all()


def test_examples_that_share_a_text_are_of_one_group() -> None:
    groups = groups_of([["甲", "段一"], ["乙", "段二"], ["丙", "段二", "段三"], ["丁"], ["戊", "段三"]])
    assert groups.tolist() == [0, 1, 1, 3, 1]


def f1(sums: Counts) -> Counts:
    return prf_measures(sums)["f1"]


def chance(seed: int, texts: int = 120, settings_: int = 40) -> Counts:
    """(settings, texts, 4): counts of settings that differ by chance alone."""
    right = np.random.default_rng(seed).binomial(1, 0.5, (settings_, texts)).astype(float)
    one = np.ones_like(right)
    return np.stack([right, one, right, one], -1)


def test_what_is_chosen_by_chance_gains_nothing() -> None:
    """Of forty settings that are all the same one looks several points better on the texts that it was chosen on."""
    gains, flattering, covered = [], [], 0
    for seed in range(40):
        of = chance(seed)
        parts = parts_of(np.arange(of.shape[1]), 5)

        def choose(seen: Collection[int], of: Counts = of, parts: np.ndarray = parts) -> int:
            return int(f1(of[:, np.isin(parts, list(seen))].sum(1)).argmax())

        found = nested(parts, choose, lambda n, of=of: of[n], f1, 0, resamples=200)
        gains.append(found.gain)
        flattering.append(found.optimistic_gain)
        assert found.interval is not None
        covered += found.interval[0] <= 0 <= found.interval[1]
        assert found.optimistic == pytest.approx(float(f1(of[found.chosen].sum(0))))
    assert min(flattering) >= 0 and np.mean(flattering) > 0.06
    assert abs(np.mean(gains)) < 0.02 and covered >= 35


def test_what_is_truly_better_is_found() -> None:
    of = chance(3)
    of[7, :, [0, 2]] = 1.0
    parts = parts_of(np.arange(of.shape[1]), 4)
    seen_by: list[list[int]] = []

    def choose(seen: Collection[int]) -> int:
        seen_by.append(sorted(seen))
        return int(f1(of[:, np.isin(parts, list(seen))].sum(1)).argmax())

    found = nested(parts, choose, lambda n: of[n], f1, 0)
    assert (found.chosen, found.by_part, found.nested) == (7, [7] * 4, 1.0)
    assert found.gain == found.optimistic_gain == 1.0 - found.before
    assert found.interval is not None and found.interval[0] > 0.3
    assert seen_by == [[0, 1, 2, 3], [1, 2, 3], [0, 2, 3], [0, 1, 3], [0, 1, 2]]


def test_texts_of_a_group_are_drawn_together() -> None:
    """Copies of a text say no more than the text."""
    of = chance(1, texts=60)
    before, after = np.repeat(of[0], 9, 0), np.repeat(of[1], 9, 0)
    groups = np.repeat(np.arange(60), 9)
    apart, together = (gain_interval(before, after, f1, groups=g) for g in (None, groups))
    assert apart is not None and together is not None
    assert together[1] - together[0] == pytest.approx(3 * (apart[1] - apart[0]), rel=0.15)
    assert gain_interval(before[:0], after[:0], f1) is None
