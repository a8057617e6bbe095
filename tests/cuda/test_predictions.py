"""The recorded runs find the same on both devices; in half precision nearly the same."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.cuda.conftest import Work, on_devices
from tests.cuda.sides import apart, gap, predicted
from tests.recorded import doors, flows

NEAR = 1e-3
"""How far probabilities and scores may lie apart."""


@on_devices("ske", "ner-globalpointer")
def test_predictions_equal_those_of_the_cpu(name: str, device: str, work: Work) -> None:
    folder = work(name)
    run = flows.old_run(name, folder)
    for source in flows.FLOWS[name].inputs:
        with doors.working_in(folder):
            here, there = (predicted(name, run, folder / "data" / source, side) for side in ("cpu", device))
        told = apart(here, there)
        assert told.texts and not told.differ and told.highest < NEAR, (source, told)


@on_devices("ner-crf")
@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_half_precision_predicts_numbers(name: str, device: str, precision: str, work: Work) -> None:
    folder = work(name)
    run = flows.old_run(name, folder)
    with doors.working_in(folder):
        found = predicted(name, run, folder / "data" / f"few-{flows.FLOWS[name].inputs[0]}", device, precision)
    numbers = list(floats(found))
    assert numbers and all(map(math.isfinite, numbers))


def floats(value: Any) -> list[float]:
    """All numbers with a fraction in a plain value."""
    if isinstance(value, float):
        return [value]
    return [n for part in value for n in floats(part)] if isinstance(value, list | tuple) else []


plain = st.recursive(
    st.none() | st.integers() | st.text(max_size=3) | st.floats(0, 1), lambda part: st.lists(part, max_size=4)
)


@settings(max_examples=30)
@given(plain, st.floats(1e-6, 1e-2))
def test_a_gap_is_that_of_the_numbers_that_moved(value: Any, by: float) -> None:
    def moved(part: Any) -> Any:
        if isinstance(part, float):
            return part + by
        return [moved(p) for p in part] if isinstance(part, list) else part

    assert gap(value, value) == 0.0
    between = gap(value, moved(value))
    assert between == pytest.approx(by if floats(value) else 0.0)
    assert gap([value, 1], [value, 2]) is None and gap([value], [value, value]) is None
