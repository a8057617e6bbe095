"""Which stretches of a question may be values, and of which columns."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from ietool.tasks.nl2sql.data.example import EQUAL, REAL, Table
from ietool.tasks.nl2sql.values.correcting import correct
from ietool.tasks.nl2sql.values.finding import Mention, find_values

MOST_SPANS = 48
"""Stretches of a question that are looked at beside those that a model marks; of more the likeliest and longest."""
MOST_FORMS = 6
"""Values that a stretch may stand for in one column."""
FREE_FORMS = 3
"""The same of a stretch that only a model marks."""
REMEMBERED = 1 << 12
"""Questions of a table whose values are kept for the decoder that comes behind the reader, as long as the table is."""

CELL, NUMBER, LIKE, FREE = "cell", "number", "like", "free"
KINDS = (CELL, NUMBER, LIKE, FREE)
"""Why a stretch is a value: the first three as in :class:`Mention`; ``free``: a model marked it."""

OF_VALUE = len(KINDS) + 6
"""What tells of a stretch as a value of a column, see :func:`features_of`."""

Span = tuple[int, int]

_T = TypeVar("_T")
_known: WeakKeyDictionary[Table, dict[Hashable, Any]] = WeakKeyDictionary()


def _remembered(table: Table, key: Hashable, find: Callable[[], _T]) -> _T:
    known = _known.setdefault(table, {})
    found = known.get(key)
    if found is None:
        if len(known) >= REMEMBERED:
            known.clear()
        found = known[key] = find()
    return found  # type: ignore[no-any-return]


def values_of(question: str, table: Table) -> Mapping[Span, tuple[Mention, ...]]:
    """The stretches ``[start, end)`` of a question that are values of its table, each with what it may stand for: by
    column, of one column the likeliest first; at most ``MOST_FORMS`` of them."""
    return _remembered(table, question, lambda: _find_values(question, table))


def _find_values(question: str, table: Table) -> Mapping[Span, tuple[Mention, ...]]:
    found: dict[Span, list[Mention]] = {}
    forms: dict[tuple[int, int, int], int] = {}
    for mention in find_values(question, table):
        key = (mention.start, mention.end, mention.column)
        forms[key] = forms.get(key, 0) + 1
        if forms[key] <= MOST_FORMS:
            found.setdefault(key[:2], []).append(mention)
    if len(found) > MOST_SPANS:
        kept = sorted(found, key=lambda span: (-max(m.likeness for m in found[span]), span[0] - span[1], span))
        found = {span: found[span] for span in kept[:MOST_SPANS]}
    return {span: tuple(sorted(found[span], key=lambda m: m.column)) for span in sorted(found)}


def values_at(question: str, table: Table, start: int, end: int) -> tuple[Mention, ...]:
    """What a stretch may stand for in each column, in the same order: by what the question mentions, else by what the
    column has that is like it."""
    known = values_of(question, table).get((start, end))
    if known is not None:
        return known
    return _remembered(table, (question, start, end), lambda: _like(question, table, start, end))


def _like(question: str, table: Table, start: int, end: int) -> tuple[Mention, ...]:
    text = question[start:end]
    found = []
    for column, kind in enumerate(table.types):
        most = FREE_FORMS if kind == REAL else 1
        for value, likeness in correct(text, table, column, EQUAL, most=most)[:most]:
            found.append(Mention(column, value, start, end, FREE, likeness))
    return tuple(found)


def form_of(values: tuple[Mention, ...], number: int) -> tuple[int, int]:
    """(column, which of the values of that column) of the value with a number."""
    column = values[number].column
    return column, number - next(n for n, one in enumerate(values) if one.column == column)


def values_by_form(question: str, table: Table, start: int, end: int) -> dict[tuple[int, int], str]:
    """(column, form) → value, of all that :func:`form_of` tells of a stretch."""
    values = values_at(question, table, start, end)
    return {form_of(values, n): one.value for n, one in enumerate(values)}


def features_of(values: tuple[Mention, ...], table: Table, *, inner: bool) -> npt.NDArray[np.uint8]:
    """(n, OF_VALUE) of the values of a stretch, 0 to 255: one for each of ``KINDS``, the likeness, whether the column
    is of numbers, whether the value is the first, second or a later one of its column, and whether the stretch is
    ``inner``: lies within another."""
    out = np.zeros((len(values), OF_VALUE), np.uint8)
    base, form, before = len(KINDS), 0, -1
    for row, one in zip(out, values, strict=True):
        form = form + 1 if one.column == before else 0
        before = one.column
        row[KINDS.index(one.kind)] = 255
        row[base] = round(255 * min(max(one.likeness, 0.0), 1.0))
        row[base + 1] = 255 * (table.types[one.column] == REAL)
        row[base + 2 + min(form, 2)] = 255
        row[base + 5] = 255 * inner
    return out


def is_inner(span: Span, others: Mapping[Span, tuple[Mention, ...]]) -> bool:
    """Whether a stretch lies within a longer one that is a cell."""
    start, end = span
    return any(
        a <= start and end <= b and b - a > end - start and any(m.kind == CELL for m in values)
        for (a, b), values in others.items()
    )
