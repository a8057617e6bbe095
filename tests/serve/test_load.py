"""``benchmarks/serve_load.py``: what it takes for the same answer, and for a quantile."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).resolve().parents[2] / "benchmarks"))

from serve_load import same, share


def test_answers_are_the_same_but_for_rounding() -> None:
    found = {"text": "a", "entities": [{"start": 1, "probability": 0.5}], "kept": None}
    assert same(found, {"text": "a", "entities": [{"start": 1, "probability": 0.5004}], "kept": None})
    for entities in ([], [{"start": 1, "probability": 0.51}], [{"start": 2, "probability": 0.5}], [{"start": 1}]):
        assert not same(found, {**found, "entities": entities})
    assert not same(found, {**found, "text": "b"}) and not same(found, None)


@pytest.mark.parametrize(("part", "value"), [(0.0, 1), (0.5, 3), (0.95, 5), (1.0, 5)])
def test_quantiles(part: float, value: float) -> None:
    assert share([5, 3, 1, 2, 4], part) == value
