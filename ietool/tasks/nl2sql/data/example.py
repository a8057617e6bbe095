"""What an example is: a question, the table that it asks, and the query that answers it.

The form of TableQA (Su Jianlin's article 6771, and the contest of 2019 that it tells of): a query selects columns, each
with an aggregate or none, from the rows that fulfil up to a few conditions, all of them joined by one connector.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

AGGREGATES = ("", "AVG", "MAX", "MIN", "COUNT", "SUM")
"""By their numbers in ``agg``."""

OPERATORS = (">", "<", "==", "!=")
"""By their numbers in ``conds``."""

CONNECTORS = ("", "and", "or")
"""By their numbers in ``cond_conn_op``; the first where there is at most one condition."""

EQUAL = 2
"""The number of ``==``."""

TEXT = "text"
REAL = "real"
TYPES = (TEXT, REAL)
"""What a column holds."""

Cell = str | float | int | None
"""What a cell holds; None where it is empty."""


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True, repr=False)
class Table:
    """A table that is asked. Equal to itself alone, so that what is worked out of it can be kept by it.

    Attributes:
        id: what questions name.
        header: the names of the columns; the same may stand twice.
        types: of the columns, each of ``TYPES``.
        rows: the cells, a row as long as the header; strings, numbers or None.
        title: what the table is about; empty where it has none.
    """

    id: str
    header: tuple[str, ...]
    types: tuple[str, ...]
    rows: Sequence[tuple[Cell, ...]]
    title: str = ""

    def __repr__(self) -> str:
        """Its id, and a mark of all that it holds: tables may be large, and are told apart for each question."""
        mark = _MARKS.get(self)
        if mark is None:
            held = repr((self.header, self.types, self.title)).encode("utf-8", "surrogatepass")
            digest = hashlib.blake2b(held, digest_size=16)
            for row in self.rows:
                digest.update(repr(row).encode("utf-8", "surrogatepass"))
            mark = _MARKS[self] = digest.hexdigest()
        return f"Table({self.id!r}, {mark})"

    @property
    def width(self) -> int:
        """The number of columns."""
        return len(self.header)

    def column(self, number: int) -> list[Cell]:
        """The cells of a column, by row."""
        return [row[number] for row in self.rows]


_MARKS: WeakKeyDictionary[Table, str] = WeakKeyDictionary()
"""Table → the mark of what it holds."""


@dataclass(frozen=True, slots=True, order=True)
class Condition:
    """What a row must fulfil: ``header[column] OPERATORS[operator] value``; the value is a string, of numbers too."""

    column: int
    operator: int
    value: str


@dataclass(frozen=True, slots=True)
class Query:
    """A query, in the numbers of TableQA.

    Attributes:
        select: columns that are selected.
        aggregates: of each of them, a number of ``AGGREGATES``.
        connector: a number of ``CONNECTORS``.
        conditions: in the order of the file.
    """

    select: tuple[int, ...]
    aggregates: tuple[int, ...]
    connector: int
    conditions: tuple[Condition, ...]

    @property
    def plain(self) -> dict[str, Any]:
        """The object ``sql`` of the files."""
        return {
            "sel": list(self.select),
            "agg": list(self.aggregates),
            "cond_conn_op": self.connector,
            "conds": [[c.column, c.operator, c.value] for c in self.conditions],
        }


@dataclass(frozen=True, slots=True)
class Example:
    """A question.

    Attributes:
        number: its place among the records of its file, from 0.
        question: as it was asked.
        table: the one that it asks.
        query: gold; None where the file has none.
        id: what the record has under ``id``; None without.
    """

    number: int
    question: str
    table: Table
    query: Query | None = None
    id: Any = None
    file: str = field(default="", compare=False)
    line: int = field(default=0, compare=False)

    @property
    def text(self) -> str:
        """The question, under the name that texts of all tasks have."""
        return self.question
