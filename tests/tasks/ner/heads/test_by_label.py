"""Thresholds by type, against the rule as it reads."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ietool.core.candidates import Candidates
from ietool.errors import UserError
from ietool.tasks.ner.data.example import Example
from ietool.tasks.ner.heads.crf.decode import CRFDecoder
from ietool.tasks.ner.heads.globalpointer.decode import PointerDecoder
from ietool.tasks.ner.heads.merging import best_apart
from tests.tasks.ner.made import small_recipe

TYPES = ("地点", "人物", "机构")
POINTER, CRF = small_recipe("ner-globalpointer").decode, small_recipe("ner-crf").decode
TEXT = Example("林满在云州大学工作，何舟远没有出门")

rows = st.lists(
    st.tuples(st.integers(0, 12), st.integers(1, 4), st.integers(0, 2), st.integers(1, 99), st.booleans()),
    max_size=8,
    unique_by=lambda row: row[:3],
)
thresholds = st.dictionaries(st.sampled_from(TYPES), st.sampled_from([0.0, 0.2, 0.5, 0.8, 1.0]))


def candidates(some: list[Any], models: int = 1, path: bool = False) -> Candidates:
    places = np.array([(a, a + n, kind) for a, n, kind, _, _ in some], np.int32).reshape(-1, 3)
    parts = [[p / 100, float(on)] if path else [p / 100] for _, _, _, p, on in some]
    return Candidates(
        places, np.array(parts, np.float32).reshape(len(some), 1 + path), np.zeros(0, np.float32), models=models
    )


@given(rows, thresholds)
@settings(max_examples=80, deadline=None)
def test_spans_above_the_threshold_of_their_type(some: list[Any], by_label: dict[str, float]) -> None:
    decode: Any = POINTER.model_copy(update={"threshold": 0.5, "by_label": by_label})
    decoder = PointerDecoder(TYPES)
    said = decoder.decode(TEXT, candidates(some), decode)
    wanted = {(a, a + n, TYPES[kind]) for a, n, kind, p, _ in some
              if np.float32(p / 100) > np.float32(by_label.get(TYPES[kind], 0.5))}  # fmt: skip
    assert {(e.start, e.end, e.type) for e in said.entities} == wanted
    assert decoder.floor(decode).of("probability") == min([0.5, *by_label.values()])


@given(rows, thresholds)
@settings(max_examples=80, deadline=None)
def test_the_best_path_above_the_threshold_of_its_type(some: list[Any], by_label: dict[str, float]) -> None:
    decode: Any = CRF.model_copy(update={"threshold": 0.3, "by_label": by_label})
    found = candidates(some, path=True)
    chosen = CRFDecoder(TYPES).chosen(found, decode)
    wanted = [(a, a + n, kind) for a, n, kind, p, on in some
              if on and np.float32(p / 100) >= np.float32(by_label.get(TYPES[kind], 0.3))]  # fmt: skip
    assert [row[:3] for row in chosen] == wanted


@given(rows, thresholds)
@settings(max_examples=60, deadline=None)
def test_of_several_models_the_set_that_lies_highest_above_them(some: list[Any], by_label: dict[str, float]) -> None:
    decode: Any = CRF.model_copy(update={"threshold": 0.3, "by_label": by_label})
    found = candidates(some, models=2, path=True)
    chosen = CRFDecoder(TYPES).chosen(found, decode)

    def above(row: Any) -> float:
        return float(row[3]) - (by_label.get(TYPES[row[2]], 0.3) or 0.5)

    every = [(a, a + n, kind, float(np.float32(p / 100))) for a, n, kind, p, _ in some]
    able = [row for row in every if above(row) > 0]
    best = max(
        (sum(map(above, chosen_)) for size in range(len(able) + 1) for chosen_ in combinations(able, size)
         if all(a[1] <= b[0] or b[1] <= a[0] for a, b in combinations(chosen_, 2))),
        default=0.0,
    )  # fmt: skip
    assert sum(map(above, chosen)) == pytest.approx(best) and all(row in able for row in chosen)
    assert best_apart(every, 0.3) == best_apart(every, [0.3] * len(every))


def test_a_type_that_there_is_not() -> None:
    with pytest.raises(UserError) as caught:
        PointerDecoder(TYPES, {"地址": 0.3})
    assert str(caught.value).startswith("decode.by_label: no type is called '地址' → ")
