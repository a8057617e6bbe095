"""A question and its headers as one input, with characters of our own and with a tokenizer."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ietool.tasks.nl2sql.data.example import REAL, TEXT, Example, Table
from ietool.tasks.nl2sql.features.featurizer import Featurizer, Piece
from ietool.tasks.nl2sql.features.marks import (
    CELLS,
    CLASS,
    HEADER,
    IN_CELL,
    IN_NUMBER,
    NUMBERS,
    SHARED,
    TEXTS,
    shared,
)
from ietool.tasks.nl2sql.features.stretches import near
from ietool.text.characters import CharVocabulary
from ietool.text.encoding import TextEncoder
from ietool.text.tokens import fetch_tokenizer
from ietool.text.units import UnitReader
from tests.tasks.nl2sql.invented import FILMS, table
from tests.tasks.nl2sql.made import encoder_folder

QUESTION = "喜剧的影片里，票房超过800万的有几部？"


@pytest.fixture(scope="module", params=["characters", "tokens"])
def reader(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> UnitReader:
    if request.param == "characters":
        return TextEncoder(CharVocabulary(sorted({*QUESTION, *"".join(FILMS.header)})), None)
    folder = encoder_folder(tmp_path_factory.mktemp("encoder"), [Example(0, QUESTION, FILMS)], positions=96)
    return fetch_tokenizer(str(folder))


def piece_of(reader: UnitReader, question: str, of: Table, longest: int = 512, *, mark_cells: bool = True) -> Piece:
    (piece,) = Featurizer(reader, longest, mark_cells=mark_cells).pieces([Example(0, question, of)])
    return piece


def test_a_class_symbol_stands_before_the_question_and_each_header(reader: UnitReader) -> None:
    piece = piece_of(reader, QUESTION, FILMS)
    assert piece.columns.tolist() == [0, 1, 2, 3, 4] and piece.left_out == 0
    symbols = piece.cuts[:-1]
    assert np.flatnonzero(piece.marks & CLASS).tolist() == symbols.tolist()
    assert not piece.asked[symbols].any() and piece.cuts[-1] == len(piece)
    headers = [piece.units.ids[a:b].tolist() for a, b in pairwise(piece.cuts[1:])]
    for header, ids in zip(FILMS.header, headers, strict=True):
        own = reader.units(header).ids.tolist()
        assert ids in (own, [max(reader.unknown, 0), *own])
    assert len({piece.units.ids[at] for at in symbols}) == 1
    assert not piece.asked[piece.cuts[1] :].any()
    # Units of the question tell their characters.
    inside = np.flatnonzero(piece.asked)
    text = "".join(QUESTION[piece.units.starts[n] : piece.units.ends[n]] for n in inside)
    assert text == QUESTION.replace(" ", "")


def test_marks_tell_cells_and_numbers_and_types(reader: UnitReader) -> None:
    piece = piece_of(reader, QUESTION, FILMS)

    def marked(bit: int) -> str:
        at = [n for n in np.flatnonzero(piece.marks & bit) if piece.asked[n]]
        return "".join(QUESTION[piece.units.starts[n] : piece.units.ends[n]] for n in at)

    assert marked(IN_CELL) == "喜剧"
    assert marked(IN_NUMBER).startswith("800")
    assert marked(SHARED) == "影片票房"
    of_header = [
        int(np.bitwise_or.reduce(piece.marks[a:b])) for a, b in zip(piece.cuts[1:-1], piece.cuts[2:], strict=True)
    ]
    assert all(bits & HEADER for bits in of_header) and not piece.marks[: piece.cuts[1]].max() & HEADER
    assert [bool(bits & NUMBERS) for bits in of_header] == [kind == REAL for kind in FILMS.types]
    assert [bool(bits & IN_CELL) for bits in of_header] == [False, True, False, False, False]
    assert [bool(bits & SHARED) for bits in of_header] == [True, False, True, False, False]
    plain = piece_of(reader, QUESTION, FILMS, mark_cells=False)
    assert not (plain.marks & (IN_CELL | IN_NUMBER)).any() and (plain.marks & SHARED).any()
    assert plain.units.ids.tolist() == piece.units.ids.tolist()


def test_too_many_headers_are_ranked(reader: UnitReader) -> None:
    """Those whose cells are mentioned come first, then those that are most like the question."""
    wide = table(
        [["甲", "乙", *range(40), "喜剧"]], ["子", "丑", *(f"无关{n}栏" for n in range(40)), "别的"],
        [TEXT, TEXT, *[REAL] * 40, TEXT],
    )  # fmt: skip
    piece = piece_of(reader, "喜剧的丑有几个", wide, 64)
    assert len(piece) <= 64 and piece.left_out == 43 - len(piece.columns) > 0
    kept = piece.columns.tolist()
    assert kept == sorted(kept) and {1, 42} <= set(kept)
    assert piece.cuts[1] >= len("喜剧的丑有几个")
    whole = piece_of(reader, "喜剧的丑有几个", wide, 96)
    assert set(kept) < set(whole.columns.tolist())


def test_a_question_that_is_too_long_loses_its_end_and_says_so(reader: UnitReader) -> None:
    piece = piece_of(reader, "喜剧" * 60, FILMS, 60)
    assert piece.shortened and len(piece) <= 60 and len(piece.columns) >= 1
    assert int(piece.units.ends.max()) < 120
    assert not piece_of(reader, QUESTION, FILMS).shortened


@settings(max_examples=40)
@given(st.text("票房影片abc 1", max_size=12), st.text("票房影片ab1", max_size=5))
def test_what_is_shared_is_found_pair_by_pair(text: str, other: str) -> None:
    short = 1 in (len(text), len(other))
    wanted = [
        text[n] in other
        if short
        else any(text[m : m + 2] in other for m in (n - 1, n) if m >= 0 and m + 2 <= len(text))
        for n in range(len(text))
    ]
    assert shared(text, other).astype(bool).tolist() == wanted


def test_columns_are_linked_to_what_the_question_says_of_them(reader: UnitReader) -> None:
    piece = piece_of(reader, QUESTION, FILMS)

    def said(column: int, kind: int) -> str:
        at = [unit for place, unit, why in piece.links.tolist() if (place, why) == (column, kind)]
        return "".join(QUESTION[piece.units.starts[n] : piece.units.ends[n]] for n in at)

    assert [said(n, TEXTS) for n in range(5)] == ["影片", "", "票房", "", ""]
    assert [said(n, CELLS) for n in range(5)] == ["", "喜剧", "", "", ""]


@settings(max_examples=40)
@given(st.lists(st.sets(st.integers(0, 12), max_size=4), min_size=1, max_size=4), st.integers(0, 11), st.integers(1, 3))
def test_how_near_columns_are_named(names: list[set[int]], first: int, size: int) -> None:
    """Distances, column by column."""
    found = near([np.array(sorted(one), np.int32) for one in names], first, first + size)
    before = [min((first - n for n in one if n < first), default=0) for one in names]
    behind = [min((n - first - size + 1 for n in one if n >= first + size), default=0) for one in names]
    for side, distances in ((0, before), (1, behind)):
        least = min((d for d in distances if d), default=0)
        wanted = [255 // d if d else 0 for d in distances]
        assert found[:, side].tolist() == wanted
        assert found[:, 2 + side].tolist() == [255 * (d > 0 and 255 // d == 255 // least) for d in distances]


@pytest.mark.parametrize("question", ["", "？", "\ud800喜剧"])
def test_odd_questions_have_a_piece(reader: UnitReader, question: str, tmp_path: Path) -> None:
    piece = piece_of(reader, question, FILMS)
    assert len(piece.columns) == 5 and piece.marks[0] & CLASS
