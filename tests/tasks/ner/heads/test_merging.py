"""From windows to texts, and from several models to one: against slow readings of the rules."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ietool.tasks.ner.heads.merging import Found, best_apart, owned, widened, without_overlaps
from ietool.text.windows import owners, windows

texts = st.text(st.sampled_from("山水。\n"), min_size=1, max_size=150)


# -- who has the say


@st.composite
def cuts(draw: st.DrawFn) -> list[tuple[int, int]]:
    """Windows in order, none within another; some overlap, some only touch."""
    found = [(0, draw(st.integers(1, 20)))]
    for _ in range(draw(st.integers(0, 5))):
        start = draw(st.integers(found[-1][0] + 1, found[-1][1]))
        found.append((start, draw(st.integers(found[-1][1] + 1, found[-1][1] + 20))))
    return found


@settings(max_examples=200)
@given(cuts(), st.lists(st.tuples(st.integers(0, 80), st.integers(1, 30)), max_size=10))
def test_the_middle_of_a_span_lies_on_one_side_of_the_middle_of_what_windows_share(
    own: list[tuple[int, int]], spans: list[tuple[int, int]]
) -> None:
    wanted = []
    for start, length in spans:
        middle = start + length / 2
        says = [
            n
            for n in range(len(own))
            if (n == 0 or middle >= (own[n][0] + own[n - 1][1]) / 2)
            and (n == len(own) - 1 or middle < (own[n + 1][0] + own[n][1]) / 2)
        ]
        assert len(says) == 1
        wanted += says
    starts = np.array([start for start, _ in spans], np.int32)
    ends = starts + np.array([length for _, length in spans], np.int32)
    assert owners(own, starts, ends).tolist() == wanted


@settings(max_examples=200)
@given(texts, st.integers(8, 40), st.data())
def test_what_edges_cut_is_left_out(text: str, size: int, data: st.DataObject) -> None:
    """Every window gives the entities it holds whole, and what its edges leave of others: the text has those that are
    there, as long as none is longer than what windows share."""
    overlap = data.draw(st.integers(1, size - 1))
    starts = st.integers(0, len(text) - 1)
    gold = data.draw(st.sets(st.tuples(starts, st.integers(1, overlap)).map(lambda s: (s[0], min(sum(s), len(text))))))
    cuts = windows(text, size, overlap)
    found = [[(max(a, start), min(b, end), 0, 0.5) for a, b in gold if a < end and start < b] for start, end in cuts]
    assert [(a, b) for a, b, _, _ in owned(cuts, found)] == sorted(gold)


def test_of_the_same_span_the_most_probable_counts() -> None:
    assert owned([(0, 9)], [[(1, 2, 0, 0.3), (1, 2, 0, 0.7), (1, 2, 1, 0.1)]]) == [(1, 2, 0, 0.7), (1, 2, 1, 0.1)]


# -- tokens of a file


def test_entities_keep_to_tokens() -> None:
    tokens = [(0, 2), (2, 3), (4, 8)]
    found = [(0, 1, 0, 0.5), (1, 3, 1, 0.6), (3, 4, 0, 0.9), (3, 5, 0, 0.7), (5, 6, 2, 0.8)]
    assert widened(found, tokens) == [(0, 2, 0, 0.5), (0, 3, 1, 0.6), (4, 8, 0, 0.7), (4, 8, 2, 0.8)]
    assert without_overlaps(widened(found, tokens)) == [(0, 3, 1, 0.6), (4, 8, 2, 0.8)]


# -- sets of spans apart


spans = st.lists(
    st.tuples(st.integers(0, 9), st.integers(1, 5), st.integers(0, 1), st.floats(0, 1)).map(
        lambda s: (s[0], s[0] + s[1], s[2], s[3])
    ),
    max_size=9,
)


def apart(some: tuple[Found, ...] | list[Found]) -> bool:
    return all(a[1] <= b[0] or b[1] <= a[0] for a, b in combinations(some, 2))


@settings(max_examples=200)
@given(spans, st.floats(0, 0.9))
def test_the_best_set_is_the_best_of_all_subsets(found: list[Found], least: float) -> None:
    def worth(some: tuple[Found, ...] | list[Found]) -> float:
        return sum(f[3] - least for f in some)

    subsets = (some for n in range(len(found) + 1) for some in combinations(found, n))
    best = max(worth(some) for some in subsets if apart(some))
    chosen = best_apart(found, least)
    assert worth(chosen) == pytest.approx(best, abs=1e-9)
    assert apart(chosen) and chosen == sorted(chosen) and all(f in found and f[3] > least for f in chosen)


@given(spans)
def test_without_overlaps_takes_the_most_probable_first(found: list[Found]) -> None:
    kept: list[Found] = []
    for one in sorted(found, key=lambda f: (-f[3], f[0] - f[1], f)):
        if apart([*kept, one]):
            kept.append(one)
    assert without_overlaps(found) == sorted(kept)
