"""The batches by which the speed of an epoch is told."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ietool.contest.compete.measuring import spread


def test_short_and_long_batches_have_their_share() -> None:
    lengths = list(range(1000))
    batches = [list(range(at, at + 10)) for at in range(0, 1000, 10)]
    picked = spread(batches[::-1], lengths, 8)
    means = [sum(lengths[i] for i in batch) / 10 for batch in picked]
    assert means == sorted(means) and len(picked) == 8
    assert sum(means) / 8 == pytest.approx(sum(lengths) / 1000, rel=0.02)


@given(st.lists(st.integers(1, 500), max_size=40), st.integers(1, 9))
def test_some_of_the_batches_are_picked_each_once(lengths: list[int], count: int) -> None:
    batches = [[n] for n in range(len(lengths))]
    picked = spread(batches, lengths, count)
    assert len(picked) == min(count, len(batches)) == len({batch[0] for batch in picked})
