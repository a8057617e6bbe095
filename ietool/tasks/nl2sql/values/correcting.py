"""What a stretch of a question means as a value of a column."""

from __future__ import annotations

import numpy as np
from rapidfuzz import fuzz, process

from ietool.tasks.nl2sql.data.example import EQUAL, OPERATORS, Table
from ietool.tasks.nl2sql.values.columns import Column, columns_of, normal
from ietool.tasks.nl2sql.values.dates import agree, whole_date
from ietool.tasks.nl2sql.values.numbers import find_numbers, plain
from ietool.tasks.nl2sql.values.units import meant

_LEAST = 0.2
"""Likeness below which a cell is not what a stretch means."""
_BY_CELL = (EQUAL, OPERATORS.index("!="))


def correct(text: str, table: Table, column: int, operator: int, *, most: int = 5) -> list[tuple[str, float]]:
    """Values that a stretch of a question may stand for in a column, the likeliest first, with their likeness (0 to 1).

    For ``==`` and ``!=`` on a text column these are cells of it (by edit distance); on a real one, and for ``>`` and
    ``<``, numbers that the stretch says, in the unit of the column. What is like nothing there stands for itself, as it
    was written, with likeness 0.

    Args:
        text: the stretch, as the question writes it.
        operator: a number of ``OPERATORS``.
        most: how many at most; at least one comes back.
    """
    known = columns_of(table).columns[column]
    text = text.strip()
    if known.real or operator not in _BY_CELL:
        found = _numbers(text, known)
        if found or known.real:
            return found[:most] or [(text, 0.0)]
    return _cells(text, known, most) or [(text, 0.0)]


def _numbers(text: str, column: Column) -> list[tuple[str, float]]:
    numbers = find_numbers(text)
    if not numbers:
        return []
    # The longest: 约3.5亿 says it with a word before, 第3季度2.1亿 has two.
    return meant(max(numbers, key=lambda one: one.end - one.start), column.header, column.numbers)


def _cells(text: str, column: Column, most: int) -> list[tuple[str, float]]:
    """Cells by likeness: 1 for the same text, 0.95 for the same number or date, else by edit distance, of the whole
    cell and of its part that is most like the stretch."""
    if not column.cells or not text:
        return []
    wanted = normal(text)
    likeness = sum(process.cdist([wanted], column.normals, scorer=scorer)[0] for scorer in _SCORERS)
    likeness = np.asarray(likeness, np.float64) / (100 * len(_SCORERS)) * 0.94
    for n in np.flatnonzero(likeness >= 0.93).tolist():
        if column.normals[n] == wanted:
            likeness[n] = 1.0
    numbers = find_numbers(text)
    if len(numbers) == 1 and column.worded:
        for n in column.worded.get(plain(numbers[0].value), ()):
            likeness[n] = max(likeness[n], 0.95)
    if (date := whole_date(text)) is not None:
        for n, other in column.dates:
            likeness[n] = max(likeness[n], 0.95 * agree(date, other))
    best = np.argsort(-likeness, kind="stable")[:most]
    return [(column.cells[n], float(likeness[n])) for n in best.tolist() if likeness[n] >= _LEAST]


_SCORERS = (fuzz.ratio, fuzz.partial_ratio)
