"""Tables in SQLite, in memory: filled once, then closed to everything but reading, with an end to what runs too long.

Columns are called ``col_0``, ``col_1`` …; nothing of a cell, a header or a question is ever part of a statement.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Sequence

from ietool.errors import UserError, reason_of
from ietool.tasks.nl2sql.data.example import REAL, Cell, Table
from ietool.tasks.nl2sql.data.holding import Holding

STEPS = 50_000_000
"""Instructions of SQLite's machine that a query may take: some ten on each of a million rows."""
_EVERY = 100_000
"""Instructions between two looks at how many they were."""
KEPT, FEW = 64, 16
"""Answers of a table that are kept, of so many rows at most: where thresholds are sought the same queries come again
and again."""

_ALLOWED = frozenset(
    (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION)
)  # no write, no pragma, no attach
_FUNCTIONS = frozenset(("avg", "max", "min", "count", "sum"))


class _Clock:
    """Counts the instructions of a statement. Apart from the database, which would hold itself by it, and whose memory
    would be given back only by and by."""

    def __init__(self) -> None:
        self.steps = 0

    def __call__(self) -> int:
        self.steps += _EVERY
        return int(self.steps > STEPS)


class Database:
    """One table in a database of its own.

    Args:
        table: is copied.

    Raises:
        UserError: SQLite cannot hold it.
    """

    def __init__(self, table: Table) -> None:
        # Isolated from every file; shared by no other connection.
        self._db = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
        self._clock = _Clock()
        self._answers: dict[tuple[object, ...], list[tuple[Cell, ...]]] = {}
        try:
            self._fill(table)
        except (sqlite3.Error, UnicodeEncodeError, OverflowError) as error:
            raise UserError(f"SQLite cannot hold the table {table.id!r} ({reason_of(error)})", mend="mend it") from None
        self._db.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
        self._db.execute("PRAGMA query_only = 1")
        self._db.set_authorizer(_authorised)
        self._db.set_progress_handler(self._clock, _EVERY)

    def _fill(self, table: Table) -> None:
        kinds = ", ".join(f"col_{n} {'REAL' if kind == REAL else 'TEXT'}" for n, kind in enumerate(table.types))
        self._db.execute(f"CREATE TABLE cells ({kinds})")
        marks = ", ".join("?" * table.width)
        self._db.execute("BEGIN")
        self._db.executemany(f"INSERT INTO cells VALUES ({marks})", table.rows)
        self._db.execute("COMMIT")

    def run(self, statement: str, values: Sequence[Cell]) -> list[tuple[Cell, ...]]:
        """The rows of a statement with its values bound.

        Raises:
            sqlite3.Error: it does not run, may not, or takes too long.
        """
        self._clock.steps = 0
        if not all(isinstance(value, str | int | float | None) for value in values):
            return self._db.execute(statement, values).fetchall()  # refused: no value of SQLite's
        key = (statement, *((type(value), value) for value in values))  # 1 and 1.0 are other texts
        rows = self._answers.get(key)
        if rows is None:
            rows = self._db.execute(statement, values).fetchall()
            if len(rows) <= FEW:
                if len(self._answers) >= KEPT:
                    del self._answers[next(iter(self._answers))]
                self._answers[key] = rows
        return rows

    def __del__(self) -> None:
        if hasattr(self, "_db"):
            self._db.close()


def _authorised(action: int, first: str | None, second: str | None, database: str | None, trigger: str | None) -> int:
    if action not in _ALLOWED or (action == sqlite3.SQLITE_FUNCTION and str(second).lower() not in _FUNCTIONS):
        return sqlite3.SQLITE_DENY
    return sqlite3.SQLITE_OK


_OF_THREAD = threading.local()


def database_of(table: Table) -> Database:
    """The database of a table, of each thread its own."""
    known: Holding[Database] | None = getattr(_OF_THREAD, "databases", None)
    if known is None:
        known = _OF_THREAD.databases = Holding(Database)
    return known.of(table)
