"""Every recipe finds on the pretend device what it finds on the CPU."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.pretend.counts import COPY_IN, COPY_OUT, WAIT
from tests.pretend.device import pretend
from tests.pretend.reading import find
from tests.pretend.targets import PREDICTING
from tests.recorded.flows import FLOWS, make_data, recorded
from tests.recorded.plain import differences

CPU = torch.device("cpu")


@pytest.mark.parametrize("name", list(FLOWS))
def test_predictions(name: str, tmp_path: Path) -> None:
    """By runs that find something, so that no stage is left out; what is copied and waited for is no more than the
    table says; and in half precision something is found, too."""
    make_data(name, tmp_path / "work", 4)
    expected, _ = find(name, tmp_path / "work", CPU)
    with pretend() as device:
        found, counts = find(name, tmp_path / "work", device)
        half, _ = find(name, tmp_path / "work", device, precision="bf16")
    assert not list(differences(recorded(expected), recorded(found)))
    assert holds_something(found) and holds_something(half)

    told, most = counts.told(), PREDICTING[name]
    assert told.copies_in <= most.copies_in, counts.places(COPY_IN)
    assert told.waits <= most.waits and told.copies_out <= most.copies_out, counts.places(WAIT, COPY_OUT)


def holds_something(found: Sequence[Any]) -> bool:
    """Whether any prediction has a triple, a mention, an answer or an entity: a number that is a probability."""
    return any(
        (isinstance(each, float) and each > 0) or (isinstance(each, list) and holds_something(each)) for each in found
    )
