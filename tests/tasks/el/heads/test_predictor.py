"""The decoder's choices against brute force, and the listwise loss against the softmax it stands for."""

from __future__ import annotations

from itertools import combinations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ietool.tasks.el.heads.linking import apart
from ietool.tasks.el.heads.losses import listwise_loss
from ietool.text.matching import leftmost_longest

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


def test_the_listwise_loss_is_a_softmax_over_candidates_and_none() -> None:
    scores = torch.tensor([1.0, -2.0, 0.5, 3.0])
    mention = torch.tensor([0, 0, 2, 2])  # the second of three mentions has no candidate, and counts nothing
    targets = torch.tensor([0.0, 1.0, 0.0, 0.0])  # the third is none of its candidates
    first = -torch.tensor([1.0, -2.0, 0.0]).log_softmax(0)[1]
    third = -torch.tensor([0.5, 3.0, 0.0]).log_softmax(0)[2]
    torch.testing.assert_close(listwise_loss(scores, mention, targets, 3), (first + third) / 2)
