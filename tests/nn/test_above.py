"""Picking what lies above a floor, against sorting each text's scores."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ietool.nn.above import above

score = st.sampled_from([-torch.inf, 0.0, 0.1, 0.3, 0.5, 0.9, 1.0]) | st.floats(0, 1, width=32)
scores = st.integers(1, 12).flatmap(lambda n: st.lists(st.lists(score, min_size=n, max_size=n), min_size=1, max_size=4))


@given(scores, st.sampled_from([-1.0, 0.0, 0.3, 0.95, 1.0]) | st.floats(0, 1, width=32), st.integers(1, 13))
def test_the_highest_stay_in_their_order(rows: list[list[float]], floor: float, most: int) -> None:
    found = above(torch.tensor(rows), floor, most)
    wanted, left_out = [], []
    floor = float(np.float32(floor))
    for text, row in enumerate(torch.tensor(rows).tolist()):
        hits = [place for place, value in enumerate(row) if value > floor]
        best = sorted(hits, key=lambda place: (-row[place], place))[:most]
        wanted += [(text, place, row[place]) for place in sorted(best)]
        left_out.append(len(hits) - len(best))
    assert list(zip(found.text.tolist(), found.place.tolist(), found.value.tolist(), strict=True)) == wanted
    assert found.left_out.tolist() == left_out


def test_a_floor_in_double_precision_is_compared_in_that_of_the_scores() -> None:
    """0.3 in single precision is above 0.3: what a decoder compares in single precision must agree."""
    for value in (0.3, 0.1, 0.7):
        assert len(above(torch.tensor([[value]]), value, 5).place) == 0


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.skipif(
    not torch.cuda.is_available(), reason="no GPU"))])  # fmt: skip
def test_equal_scores_by_the_million(device: str) -> None:
    found = above(torch.ones(2, 1 << 20, device=device), 0.5, 10)
    assert found.place.tolist() == [*range(10)] * 2 and found.left_out.tolist() == [(1 << 20) - 10] * 2
