"""Queries run on tables, by SQLite in memory."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from ietool.tasks.nl2sql.data.example import AGGREGATES, CONNECTORS, OPERATORS, Cell, Query, Table
from ietool.tasks.nl2sql.sql.database import database_of

Rows = list[tuple[Cell, ...]]
"""What a query gives: its rows in the order of the table, each with its values sorted by their strings."""

CONNECTOR, EMPTY, ERROR = "connector", "empty", "error"

_COUNT = AGGREGATES.index("COUNT")


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a query did not run: ``connector`` (several conditions and no connector), ``empty`` (nothing selected, or no
    condition), ``error`` (an unknown column, too long a run)."""

    reason: str


def execute(query: Query, table: Table) -> Rows | Failure:
    """The rows that a query gives on its table. Values are bound as parameters: nothing of a cell or a question is ever
    part of the text of a statement.

    As TableQA's own engine has it: several conditions without a connector fail, and so does a query without any
    condition; one condition with a connector runs. Values are compared as SQLite does with the type of the column: a
    number written as text is a number in a column of numbers. A column that is selected twice with one aggregate comes
    once.

    Raises:
        UserError: the table cannot be run on at all.
    """
    if not query.connector and len(query.conditions) > 1:
        return Failure(CONNECTOR)
    if not query.select or not query.aggregates or not query.conditions:
        return Failure(EMPTY)
    database = database_of(table)  # what fails here is not the query's
    try:
        statement = _statement(query, table.width)
        rows = database.run(statement, [condition.value for condition in query.conditions])
    except (sqlite3.Error, LookupError, UnicodeEncodeError, OverflowError, MemoryError):
        return Failure(ERROR)
    return [tuple(sorted(row, key=str)) for row in rows]


def _statement(query: Query, width: int) -> str:
    """The text of a query, made of numbers alone.

    Raises:
        LookupError: one of them is out of bounds.
    """

    def column(number: int) -> str:
        if type(number) is not int or not 0 <= number < width:
            raise LookupError(number)
        return f"col_{number}"

    def one(names: Sequence[str], number: int) -> str:
        if type(number) is not int or not 0 <= number < len(names):
            raise LookupError(number)
        return names[number]

    pairs = dict.fromkeys(zip(query.select, query.aggregates, strict=False))
    selected = ", ".join(f"{one(AGGREGATES, aggregate)}({column(n)})" for n, aggregate in pairs)
    joint = f" {one(CONNECTORS, query.connector)} "
    where = joint.join(f"{column(c.column)} {one(OPERATORS, c.operator)} ?" for c in query.conditions)
    return f"SELECT {selected} FROM cells WHERE {where}"  # of numbers alone


def returns_something(rows: Rows | Failure, query: Query) -> bool:
    """Whether a query ran and gave anything: an aggregate over no row (NULL, or a count of 0) is nothing."""
    if isinstance(rows, Failure) or not rows:
        return False
    if not any(query.aggregates):
        return True
    # One row, also where no row of the table fits: a count is 0 then, all else NULL, a bare column beside it included.
    empty = (None, 0) if _COUNT in query.aggregates else (None,)
    return any(value not in empty for row in rows for value in row)
