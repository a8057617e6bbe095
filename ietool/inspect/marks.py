"""Which files have which texts and names: on disk, so that memory does not grow with their number."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from pathlib import Path

from ietool.files.records import digest
from ietool.text.characters import whole

HELD = 1 << 16
"""Marks that are held in memory as well: names come again and again."""


class Marks:
    """Strings, each with the set of files that have it.

    Args:
        scratch: a folder for the scratch file.
        name: of that file.

    Raises:
        sqlite3.OperationalError: from every method, when the disk is full.
    """

    def __init__(self, scratch: Path, name: str) -> None:
        self._db = sqlite3.connect(scratch / f"{name}.sqlite")
        self._db.executescript(
            "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA cache_size=-16384;"
            "CREATE TABLE marks (hash BLOB PRIMARY KEY, files BLOB) WITHOUT ROWID;"
        )
        self._held: dict[bytes, int] = {}

    def add(self, text: str, file: int) -> int:
        """Note that a file has a string.

        Args:
            file: its number, from 0 on.

        Returns:
            The files that had it before, this one among them, as a sum of powers of two.
        """
        mark, bit = digest(whole(text)), 1 << file
        known = self._held.get(mark)
        if known is None:
            row = self._db.execute("SELECT files FROM marks WHERE hash = ?", (mark,)).fetchone()
            known = 0 if row is None else int.from_bytes(row[0], "little")
            if len(self._held) >= HELD:
                self._held.clear()
        if not known & bit:
            files = known | bit
            kept = files.to_bytes((files.bit_length() + 7) // 8, "little")
            self._db.execute("INSERT OR REPLACE INTO marks VALUES (?, ?)", (mark, kept))
        self._held[mark] = known | bit
        return int(known)

    def add_all(self, texts: Iterable[str], file: int) -> int:
        """The same of several strings; gives the files that had one of them before."""
        before = 0
        for text in dict.fromkeys(texts):  # one that it has twice is not kin of itself
            before |= self.add(text, file)
        return before

    def close(self) -> None:
        """Let go of the scratch file."""
        self._db.close()
