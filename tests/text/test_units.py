"""Spans of characters as spans of units, against a literal loop; readers of prepared folders."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ietool.errors import UserError
from ietool.recipe import DGCNNSection
from ietool.text.encoding import CHARACTERS, TextEncoder
from ietool.text.readers import copy_reader, open_reader, write_reader
from ietool.text.units import Units, character_units


def made(pieces: list[tuple[int, int]]) -> Units:
    zeros = np.zeros(len(pieces), np.int32)
    at = np.array(pieces, np.int32).reshape(-1, 2)
    return Units(np.arange(len(pieces), dtype=np.int32), zeros, zeros.astype(np.uint8), at[:, 0], at[:, 1])


@st.composite
def units_of_a_text(draw: st.DrawFn) -> Units:
    """Tokens from left to right, with blanks between some, characters that several tokens share, special tokens."""
    pieces = [(0, 0)] if draw(st.booleans()) else []
    at = draw(st.integers(0, 2))
    for size, gap, copies in draw(st.lists(st.tuples(st.integers(1, 4), st.integers(0, 2), st.integers(1, 2)))):
        pieces += [(at, at + size)] * copies
        at += size + gap
    return made([*pieces, (0, 0)] if draw(st.booleans()) else pieces)


def literal(units: Units, start: int, end: int) -> tuple[int, int] | None:
    first = last = None
    for i in range(len(units)):
        if units.ends[i] > units.starts[i]:
            if units.starts[i] == start and first is None:
                first = i
            if units.ends[i] == end:
                last = i
    return None if first is None or last is None or last < first else (first, last + 1)


spans = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), max_size=30)


@given(units_of_a_text(), spans)
def test_spans_are_those_of_the_loop(units: Units, wanted: list[tuple[int, int]]) -> None:
    own = [(int(a), int(b)) for a in units.starts[units.inside] for b in units.ends[units.inside]]
    wanted = wanted + own[:60]
    expected = [literal(units, *span) for span in wanted]
    assert [units.span_of(*span) for span in wanted] == expected
    many = units.spans_of(np.array(wanted, np.int32).reshape(-1, 2))
    assert many.shape == (len(wanted), 2)
    assert [None if row[0] < 0 else tuple(row) for row in many.tolist()] == expected
    assert all(row == [-1, -1] for row in many.tolist() if row[0] < 0)
    for span, found in zip(wanted, expected, strict=True):
        if found is not None:
            assert units.text_span(*found) == span
            assert units.inside[found[0]] and units.inside[found[1] - 1]


@given(st.integers(0, 20), spans)
def test_units_of_one_character_change_nothing(length: int, wanted: list[tuple[int, int]]) -> None:
    zeros = np.zeros(length, np.int32)
    units = character_units(zeros, zeros, zeros.astype(np.uint8))
    assert len(units) == length and units.inside.all()
    for start, end in wanted:
        assert units.span_of(start, end) == ((start, end) if start < end <= length else None)
    kept = [span for span in wanted if span[0] < span[1] <= length]
    assert units.spans_of(np.array(kept)).tolist() == [list(span) for span in kept]
    assert all(units.text_span(*span) == span for span in kept)


def test_a_subword_across_the_border() -> None:
    units = made([(0, 0), (0, 3), (3, 5), (6, 7), (0, 0)])
    assert units.inside.tolist() == [False, True, True, True, False]
    assert units.span_of(0, 5) == (1, 3) and units.span_of(3, 7) == (2, 4)
    assert units.span_of(0, 4) is None and units.span_of(1, 5) is None
    assert units.span_of(5, 7) is None  # the blank is nobody's
    assert units.span_of(0, 0) is None


def test_the_reader_of_a_folder_without_tokenizer_reads_characters(tmp_path: Path) -> None:
    characters = Counter("山水山水人")
    reader = write_reader(tmp_path, DGCNNSection(), characters)
    assert isinstance(reader, TextEncoder) and reader.size == 4
    copy = open_reader(_made(tmp_path / "run", tmp_path))
    text = "山人Ａ 水"
    for found in (reader.units(text), *copy.units_all([text])):
        assert found.ids.tolist() == [2, reader.unknown, reader.unknown, reader.unknown, 3]
        assert found.starts.tolist() == [0, 1, 2, 3, 4] and found.ends.tolist() == [1, 2, 3, 4, 5]
    (tmp_path / "run" / CHARACTERS).unlink()
    with pytest.raises(UserError, match="is missing"):
        open_reader(tmp_path / "run")


def _made(folder: Path, source: Path) -> Path:
    folder.mkdir()
    copy_reader(source, folder)
    return folder
