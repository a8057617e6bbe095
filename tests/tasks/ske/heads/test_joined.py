"""Triples of one head in the terms that all heads have: one probability a row."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ietool.core.candidates import Candidates
from ietool.tasks.ske.data.example import Example
from ietool.tasks.ske.heads.decoder import JoinedRows, SkeDecoder
from ietool.tasks.ske.heads.gplinker.decode import LinkDecoder
from ietool.tasks.ske.heads.stages.decode import StageDecoder
from tests.tasks.ske.made import head_of_corpus, prepare_small, small_recipe

share = st.floats(0, 1, width=32)


def of(kind: type[SkeDecoder], *rows: list[float]) -> list[float]:
    """What a head's decoder makes of parts; no schema is needed for it."""
    made: list[float] = kind.plain(object.__new__(kind), np.array(rows, np.float32))[:, 0].tolist()
    return made


@settings(max_examples=100, deadline=None)
@given(st.lists(share, min_size=6, max_size=6))
def test_of_pointers_the_nearest_end_alone_counts(p: list[float]) -> None:
    """Literally: start and end hold for subject and object, and no end that is nearer does."""
    subject_start, subject_end, subject_nearer, object_start, object_end, object_nearer = p
    wanted = subject_start * subject_end * (1 - subject_nearer) * object_start * object_end * (1 - object_nearer)
    assert of(StageDecoder, p) == [pytest.approx(wanted, abs=1e-6)]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.lists(share, min_size=4, max_size=4), max_size=3))
def test_of_links_the_weakest_part_counts(rows: list[list[float]]) -> None:
    if rows:
        assert of(LinkDecoder, *rows) == [min(row) for row in rows]
    assert LinkDecoder.plain(object.__new__(LinkDecoder), np.empty((0, 4), np.float32)).shape == (0, 1)


def test_a_start_takes_its_nearest_end_beside_other_heads_too(tmp_path: Path) -> None:
    """Two ends behind one start, both probable: as the head alone decides, so decides what joins it with others."""
    recipe = small_recipe()
    folder = prepare_small(recipe, head_of_corpus(tmp_path), tmp_path / "out")
    own, joined = StageDecoder(recipe, folder), JoinedRows(recipe, folder)
    text = Example("张三李四写了红楼梦")
    rows = np.array([[0, 2, 0, 6, 9, 0], [0, 4, 0, 6, 9, 0]], np.int32)
    parts = np.array([[0.9, 0.8, 0.0, 0.9, 0.9, 0.0], [0.9, 0.7, 0.8, 0.9, 0.9, 0.0]], np.float32)
    none = np.empty(0, np.float32)
    decode = recipe.decode.model_copy(update={"triple": 0.3, "apply_rules": False})
    found = own.decode(text, Candidates(rows, parts, none), recipe.decode.model_copy(update={"apply_rules": False}))
    plain = own.plain(parts)
    assert plain[1, 0] < 0.3 < own.layout.probability(parts)[1]
    both = joined.decode(text, Candidates(rows, plain.astype(np.float32), none), decode)
    names = [[one.triple.subject for one in each.triples] for each in (found, both)]
    assert names == [["张三"], ["张三"]]
