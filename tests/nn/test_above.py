"""Picking what lies above a floor, against sorting each text's scores."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ietool.nn import transfer
from ietool.nn.above import Above, AboveFloor, Hits
from ietool.nn.transfer import Asked

score = st.sampled_from([-torch.inf, 0.0, 0.1, 0.3, 0.5, 0.9, 1.0]) | st.floats(0, 1, width=32)
scores = st.integers(1, 12).flatmap(lambda n: st.lists(st.lists(score, min_size=n, max_size=n), min_size=1, max_size=4))


def above(scores: torch.Tensor, floor: float, most: int, room: int = 6) -> Above:
    sought = AboveFloor(scores, floor, most, lambda: scores, room)
    return sought.found(Asked(sought.tensors).wait())


@pytest.fixture(params=["here", "apart"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on the CPU, and as if it were a device of its own."""
    monkeypatch.setattr(transfer, "apart", lambda device: request.param == "apart")


@pytest.mark.usefixtures("way")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
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


@pytest.mark.usefixtures("way")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.booleans(), min_size=12, max_size=12), st.integers(0, 14))
def test_where_something_holds(held: list[bool], room: int) -> None:
    """In order, whatever room there is; what is strided as well as what is not."""
    hit = torch.tensor(held).reshape(3, 2, 2).permute(1, 2, 0)
    values = torch.arange(12).reshape(2, 2, 3), torch.arange(12.0).reshape(3, 2, 2).permute(1, 2, 0)
    hits = Hits(hit, values, lambda: (hit, values), room)
    at, first, second = hits.found(Asked(hits.tensors).wait())
    wanted = [place for place in np.ndindex(2, 2, 3) if hit[place]]
    assert [tuple(place) for place in at.tolist()] == wanted
    assert first.tolist() == [int(values[0][place]) for place in wanted]
    assert second.tolist() == [float(values[1][place]) for place in wanted]


@pytest.mark.usefixtures("way")
def test_a_floor_in_double_precision_is_compared_in_that_of_the_scores() -> None:
    """0.3 in single precision is above 0.3: what a decoder compares in single precision must agree."""
    for value in (0.3, 0.1, 0.7):
        assert len(above(torch.tensor([[value]]), value, 5).place) == 0


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.skipif(
    not torch.cuda.is_available(), reason="no GPU"))])  # fmt: skip
def test_equal_scores_by_the_million(device: str) -> None:
    found = above(torch.ones(2, 1 << 20, device=device), 0.5, 10)
    assert found.place.tolist() == [*range(10)] * 2 and found.left_out.tolist() == [(1 << 20) - 10] * 2
