"""What is worked out of tables, and kept of those that were asked last."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from threading import Lock
from typing import Generic, TypeVar
from weakref import WeakKeyDictionary

from ietool.tasks.nl2sql.data.example import Table

HELD = 1 << 20
"""Cells of the tables that are held at a time, whatever is held of them."""

_T = TypeVar("_T")


def cells_of(table: Table) -> int:
    """How much of the room a table takes: its cells; a small one has its cost as well."""
    return max(64, len(table.rows) * table.width)


class Holding(Generic[_T]):
    """Something of each table, made when it is asked for: kept as long as the table is, of the tables asked last, up to
    a number of cells.

    Args:
        make: of a table.
        most: cells; one larger table is kept by itself.
    """

    def __init__(self, make: Callable[[Table], _T], most: int = HELD) -> None:
        self._make, self._most = make, most
        self._held: WeakKeyDictionary[Table, _T] = WeakKeyDictionary()
        self._cells = 0
        self._lock = Lock()

    def of(self, table: Table) -> _T:
        """That of a table."""
        with self._lock:
            found = self._held.pop(table, None)
            if found is not None:
                self._held[table] = found  # the last one again
                return found
        made = self._make(table)
        with self._lock:
            if table not in self._held:
                self._cells += cells_of(table)
            self._held[table] = made
            self._drop()
        return made

    def _drop(self) -> None:
        if self._cells <= self._most:
            return
        self._cells = sum(map(cells_of, list(self._held)))  # without the tables that are gone
        for table in list(self._held)[:-1]:
            if self._cells <= self._most:
                return
            del self._held[table]
            self._cells -= cells_of(table)

    def __len__(self) -> int:
        return len(self._held)


def by_table(tables: Iterable[Hashable]) -> list[int]:
    """The numbers of questions, from 0, those of one table one after another: what is worked out of it need not be
    worked out again.

    Args:
        tables: that of each question, or what stands for it.
    """
    groups: dict[Hashable, list[int]] = {}
    for number, table in enumerate(tables):
        groups.setdefault(table, []).append(number)
    return [number for group in groups.values() for number in group]
