"""What the input says of each unit besides itself: marks, as bits that are embedded and added."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from ietool.tasks.nl2sql.data.example import REAL, Table
from ietool.tasks.nl2sql.features.values import CELL, NUMBER
from ietool.tasks.nl2sql.values.finding import Mention
from ietool.text.characters import fold

CLASS, HEADER, NUMBERS, IN_CELL, LIKE_CELL, IN_NUMBER, SHARED = (1 << n for n in range(7))
"""The symbol before a question or header, from which it is classified; a header; one of a column of numbers. What the
question says of a cell, or like one, or as a number: marked where it stands, and at the header of the column. And what
question and headers have in common."""

BITS = 7

TEXTS, CELLS = range(2)
"""Why a unit of the question and a column belong together: it says a part of the header, or a cell of the column."""

Marks = npt.NDArray[np.int32]


def question_marks(question: str, mentions: Iterable[Mention]) -> Marks:
    """(characters,): what of the question its mentions are."""
    found = np.zeros(len(question), np.int32)
    for one in mentions:
        found[one.start : one.end] |= _bit(one.kind)
    return found


def header_marks(table: Table, mentions: Iterable[Mention]) -> list[int]:
    """Of each header: the type of the column, and whether the question mentions a cell of it. Numbers could be of any
    column of numbers, so they tell nothing here."""
    found = [HEADER | (NUMBERS if kind == REAL else 0) for kind in table.types]
    for one in mentions:
        if one.kind != NUMBER:
            found[one.column] |= _bit(one.kind)
    return found


def cell_marks(question: str, mentions: Iterable[Mention]) -> Marks:
    """(characters,): what of the question is a cell, or like one, of the columns that are mentioned."""
    return question_marks(question, (one for one in mentions if one.kind != NUMBER))


def shared(text: str, other: str) -> Marks:
    """(characters,): :data:`SHARED` where two characters in a row stand in the other text too, or where one of the two
    is a single character."""
    text, other = fold(text), fold(other)
    found = np.zeros(len(text), np.int32)
    if len(text) == 1 or len(other) == 1:
        found[[n for n, character in enumerate(text) if character in other]] = SHARED
        return found
    pairs = {other[n : n + 2] for n in range(len(other) - 1)}
    for n in range(len(text) - 1):
        if text[n : n + 2] in pairs:
            found[n : n + 2] = SHARED
    return found


def _bit(kind: str) -> int:
    return IN_CELL if kind == CELL else IN_NUMBER if kind == NUMBER else LIKE_CELL
