"""Records of train that belong together: near-duplicates, which folds must not part."""

from __future__ import annotations

import sqlite3
from array import array
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ietool.files.records import digest

GROUPS = "groups.npy"
"""Of a prepared folder: a number for every record of train; records of one number are near-duplicates of each other."""


class Groups:
    """Which records belong together because they share a text, directly or through others.

    The texts lie on disk, so that memory grows by four bytes a record alone.
    """

    def __init__(self, scratch: Path) -> None:
        self._db = sqlite3.connect(scratch / "groups.sqlite")
        self._db.executescript(
            "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA cache_size=-16384;"
            "CREATE TABLE texts (hash BLOB PRIMARY KEY, row INTEGER) WITHOUT ROWID;"
            "CREATE TABLE left_out (hash BLOB PRIMARY KEY) WITHOUT ROWID;"
        )
        self._parent = array("i")

    def add(self, texts: Iterable[str]) -> None:
        """The next record, with the texts by which it is known."""
        row = len(self._parent)
        self._parent.append(row)
        for text in texts:
            mark = digest(text)
            if self._db.execute("INSERT OR IGNORE INTO texts VALUES (?, ?)", (mark, row)).rowcount != 1:
                other = self._db.execute("SELECT row FROM texts WHERE hash = ?", (mark,)).fetchone()[0]
                one, two = self._root(row), self._root(other)
                self._parent[max(one, two)] = min(one, two)

    def leave_out(self, texts: Iterable[str]) -> None:
        """A record that is left out, with the texts by which it is known."""
        self._db.executemany("INSERT OR IGNORE INTO left_out VALUES (?)", [(digest(text),) for text in texts])

    def knows_left_out(self, texts: Iterable[str]) -> bool:
        """Whether one of the texts belongs to a record that is left out."""
        marks = ((digest(text),) for text in texts)
        return any(self._db.execute("SELECT 1 FROM left_out WHERE hash = ?", mark).fetchone() for mark in marks)

    def _root(self, row: int) -> int:
        while self._parent[row] != row:
            self._parent[row] = self._parent[self._parent[row]]
            row = self._parent[row]
        return row

    def numbers(self) -> npt.NDArray[np.int32]:
        """(records,): the number of each record's group, which is that of its first record."""
        return np.array([self._root(row) for row in range(len(self._parent))], np.int32)

    def close(self) -> None:
        """Let go of the scratch file."""
        self._db.close()
