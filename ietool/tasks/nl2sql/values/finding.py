"""Values that a question mentions, by column of its table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ietool.tasks.nl2sql.data.example import Table
from ietool.tasks.nl2sql.values.columns import Columns, columns_of, normal
from ietool.tasks.nl2sql.values.dates import Date, agree, find_dates
from ietool.tasks.nl2sql.values.numbers import find_numbers, plain
from ietool.tasks.nl2sql.values.units import Cells, meant

CELL, NUMBER, LIKE = "cell", "number", "like"

_MOST_LIKE = 4
"""Cells of a column that are taken though they only are like a stretch of the question."""
_MOST_READINGS = 4
"""Readings of a number in a column."""
_LEAST_LIKE = 0.34
"""Of a cell's pairs of characters, weighed, that a question must have."""
_GAP = 3
"""From one pair to the next of a run: of 3, where one character between them differs."""


@dataclass(frozen=True, slots=True)
class Mention:
    """A value that a column may be compared with, and where the question says it.

    Attributes:
        column: whose value it is.
        value: as a query has it: a cell of a text column to the letter, or a number without needless zeros.
        start, end: the stretch of the question, half-open.
        kind: ``cell`` (a cell stands in the question), ``number`` (a number, of a real column), ``like`` (a cell is
            like a stretch of the question: a part of the name, the other way to write a date).
        likeness: 1 for a cell that stands there to the letter, or a number that is one of the column's as it is read;
            below it for what was worked out, over 0.
    """

    column: int
    value: str
    start: int
    end: int
    kind: str
    likeness: float


def find_values(question: str, table: Table) -> list[Mention]:
    """All the values that a question mentions, by column, then by place, then the likeliest first.

    A number is proposed for every real column, in the units that its header and its cells let expect; so the same
    stretch may have several values in one column.
    """
    columns = columns_of(table)
    best: dict[tuple[int, int, int, str], Mention] = {}
    text = normal(question)
    for one in (*_cells(text, columns), *_numbers(question, columns), *_dates(question, columns)):
        key = (one.column, one.start, one.end, one.value)
        if key not in best or best[key].likeness < one.likeness:
            best[key] = one
    literal = {(one.column, one.value) for one in best.values()}
    for one in _like(text, columns):
        if (one.column, one.value) not in literal:
            best[one.column, one.start, one.end, one.value] = one
    return sorted(best.values(), key=lambda one: (one.column, one.start, one.end, -one.likeness, one.value))


def find_all(questions: Sequence[str], tables: Sequence[Table]) -> list[list[Mention]]:
    """The mentions of each question in its table."""
    return [find_values(question, table) for question, table in zip(questions, tables, strict=True)]


def _cells(text: str, columns: Columns) -> Iterator[Mention]:
    """Cells of columns of text that stand in the question to the letter, but for case and width."""
    if columns.matcher is None:
        return
    for name, start, end in columns.matcher.find(text):
        if _splits(text, start) or _splits(text, end):
            continue
        for number, cell in columns.places[name]:
            yield Mention(number, columns.columns[number].cells[cell], start, end, CELL, 1.0)


def _splits(text: str, at: int) -> bool:
    """Whether a border lies within a number, or within a word of Latin letters."""
    if not 0 < at < len(text):
        return False
    one, other = text[at - 1], text[at]
    digits = one.isdecimal() and other.isdecimal()
    return digits or (one.isascii() and other.isascii() and one.isalpha() and other.isalpha())


def _numbers(question: str, columns: Columns) -> Iterator[Mention]:
    """Numbers of the question: of real columns in their units, of columns of text the cells that say the same."""
    for number in find_numbers(question):
        said = plain(number.value)
        for column in columns.columns:
            if column.real:
                readings = meant(number, column.header, column.numbers)[:_MOST_READINGS]
                for value, likeness in readings:
                    yield Mention(column.number, value, number.start, number.end, NUMBER, likeness)
            else:
                for cell in column.worded.get(said, ())[:_MOST_LIKE]:
                    yield Mention(column.number, column.cells[cell], number.start, number.end, LIKE, 0.9)


def _dates(question: str, columns: Columns) -> Iterator[Mention]:
    """Cells that are a date which the question names otherwise; in a column of numbers 2010.9, 201009 and 20100903."""
    for date in find_dates(question):
        for column in columns.columns:
            if column.real:
                for value in _as_numbers(date):
                    if _holds(column.numbers, float(value)):
                        yield Mention(column.number, value, date.start, date.end, NUMBER, 0.95)
                continue
            fits = [(agree(date, other), cell) for cell, other in column.dates]
            fits = sorted(((fit, cell) for fit, cell in fits if fit), key=lambda one: -one[0])
            # Of a month in a column of days none is meant.
            if fits and (len(fits) <= _MOST_LIKE or fits[0][0] > fits[_MOST_LIKE][0]):
                for fit, cell in fits[:_MOST_LIKE]:
                    yield Mention(column.number, column.cells[cell], date.start, date.end, LIKE, fit)


def _as_numbers(date: Date) -> Iterator[str]:
    """A date as columns of numbers have it."""
    if date.year is not None and date.month is not None:
        yield f"{date.year}.{date.month}"
        yield f"{date.year}{date.month:02}"
        if date.day is not None:
            yield f"{date.year}{date.month:02}{date.day:02}"


def _holds(numbers: Cells, value: float) -> bool:
    at = int(np.searchsorted(numbers, value))
    return at < len(numbers) and bool(numbers[at] == value)


def _like(text: str, columns: Columns) -> Iterator[Mention]:
    """Cells of columns of text that are like a stretch of the question: a part of a name, a letter amiss."""
    taken: Counter[int] = Counter()
    for cell, share in columns.alike.find(text, _LEAST_LIKE):
        number, n = columns.alike.cells[cell]
        if taken[number] < _MOST_LIKE and n not in columns.columns[number].said:
            wanted = columns.columns[number].normals[n]
            if wanted.strip() in text:
                continue
            start, end = _stretch(text, wanted)
            taken[number] += 1
            yield Mention(number, columns.columns[number].cells[n], start, end, LIKE, min(share, 0.99))


def _stretch(text: str, wanted: str) -> tuple[int, int]:
    """Where a question has most of what stands in a cell: the longest run of its pairs of characters, in which one
    character may differ."""
    pairs = {wanted[n : n + 2] for n in range(len(wanted) - 1)}
    best, best_count = (0, 0), 0
    start = last = -_GAP - 1
    count = 0
    for n in range(len(text) - 1):
        if text[n : n + 2] not in pairs:
            continue
        if n - last > _GAP:
            start, count = n, 0
        last, count = n, count + 1
        if count > best_count:
            best, best_count = (start, n + 2), count
    return best
