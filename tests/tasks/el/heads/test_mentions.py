"""Which matches are mentions, against brute force."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ietool.core.candidates import Floor
from ietool.tasks.el.heads.mentions import PointerChance, SpanChance, apart
from ietool.text.matching import leftmost_longest
from ietool.text.spans import nearest_spans

SPANS = st.lists(
    st.tuples(st.integers(0, 8), st.integers(1, 5), st.integers(1, 99)), max_size=7, unique_by=lambda s: s[:2]
).map(lambda spans: [(start, start + size, at, p / 100) for at, (start, size, p) in enumerate(spans)])


def overlap(one: tuple[int, ...], other: tuple[int, ...]) -> bool:
    return one[0] < other[1] and other[0] < one[1]


@given(SPANS)
def test_apart_is_the_best_of_all_choices(spans: list[tuple[int, int, int, float]]) -> None:
    chosen = apart(spans)
    assert not any(overlap(a, b) for a, b in combinations(chosen, 2))
    best = max(
        sum(span[3] for span in choice)
        for size in range(len(spans) + 1)
        for choice in combinations(spans, size)
        if not any(overlap(a, b) for a, b in combinations(choice, 2))
    )
    assert sum(span[3] for span in chosen) == pytest.approx(best)
    assert chosen == sorted(chosen)


@given(SPANS)
def test_maximum_matching_walks_the_text(spans: list[tuple[int, int, int, float]]) -> None:
    expected, at = [], 0
    while at < 14:
        here = [span for span in spans if span[0] == at]
        if here:
            expected.append(max(here, key=lambda span: span[1]))
            at = expected[-1][1]
        else:
            at += 1
    assert leftmost_longest(spans) == expected


@given(SPANS)
def test_what_was_chosen_is_chosen_again(spans: list[tuple[int, int, int, float]]) -> None:
    """A reader that is given thresholds leaves out overlaps, and the decoder chooses among what is left."""
    assert apart(apart(spans)) == apart(spans)


PROBABILITIES = st.sampled_from([0.0, 0.1, 0.25, 0.3, 0.5, 0.9])


@given(
    st.lists(st.tuples(PROBABILITIES, PROBABILITIES), min_size=1, max_size=9),
    st.lists(st.tuples(st.integers(0, 8), st.integers(1, 4)), max_size=12, unique=True),
    PROBABILITIES,
)
def test_a_start_goes_with_the_nearest_end(
    marks: list[tuple[float, float]], spans: list[tuple[int, int]], least: float
) -> None:
    p = np.array(marks, np.float32).astype(np.float64)  # thresholds are of double precision
    matches = [(a, a + size) for a, size in spans if a + size <= len(p)]
    parts = np.array(
        [(p[a, 0], p[b - 1, 1], p[a : b - 1, 1].max(initial=0.0)) for a, b in matches], np.float32
    ).reshape(-1, 3)
    starts, ends = np.flatnonzero(p[:, 0] > least), np.flatnonzero(p[:, 1] > least)
    zeros = np.zeros(len(p), np.int64)
    kept_s, kept_e, _ = nearest_spans(starts, ends, zeros[: len(starts)], zeros[: len(ends)], len(p))
    pairs = set(zip(starts[kept_s].tolist(), (ends[kept_e] + 1).tolist(), strict=True))
    chance = PointerChance()
    chosen = chance.chosen(parts, least)
    assert {m for m, yes in zip(matches, chosen.tolist(), strict=True) if yes} == pairs & set(matches)
    assert not (chosen & ~chance.above(parts, Floor(least))).any()  # a floor that is no higher loses none
    assert not (chosen & ~chance.above(parts, chance.floor(least))).any()
    assert chance.are_thresholds(chance.floor(least)) and not chance.are_thresholds(Floor(least))
    given_ = np.array([chance.sure()], np.float32)
    assert chance.probability(given_).tolist() == [1.0] and chance.chosen(given_, 0.99).all()


@given(st.lists(PROBABILITIES, max_size=6), PROBABILITIES)
def test_a_span_needs_more_than_the_threshold(probabilities: list[float], least: float) -> None:
    chance, parts = SpanChance(), np.array(probabilities, np.float32)[:, None]
    expected = [float(np.float32(p)) > least for p in probabilities]  # in double precision, as thresholds are
    assert chance.chosen(parts, least).tolist() == chance.above(parts, chance.floor(least)).tolist() == expected
