"""Scores of the last answers, by which other thresholds are tried without the model."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from ietool.core.candidates import Candidates

_OWN = 2048
"""Bytes that an entry takes besides its arrays and texts."""


@dataclass(frozen=True)
class Entry:
    """What was asked of a run, the candidates of each item, and the number of the input that it is of."""

    run: str
    items: Sequence[Any]
    found: Sequence[Candidates]
    of: Sequence[int]
    characters: int

    @property
    def size(self) -> int:
        """Bytes, about: a character takes up to four."""
        arrays = sum(one.rows.nbytes + one.parts.nbytes + one.whole.nbytes for one in self.found)
        return arrays + 4 * self.characters + _OWN * max(1, len(self.items))


class KeptScores:
    """The entries used last, by names that cannot be guessed.

    Args:
        most: entries.
        bytes: of all together; what is larger alone is not kept.
    """

    def __init__(self, most: int, bytes: int) -> None:
        self._most, self._bytes = most, bytes
        self._entries: OrderedDict[str, Entry] = OrderedDict()
        self.size = 0
        """Bytes, about."""

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, entry: Entry) -> str | None:
        """Keep an entry; its name, None where it is too large."""
        size = entry.size
        if size > self._bytes or not self._most:
            return None
        # Arrays are views of those of a whole batch, which would stay as long as one of them.
        whole = [
            replace(one, rows=one.rows.copy(), parts=one.parts.copy(), whole=one.whole.copy()) for one in entry.found
        ]
        entry = replace(entry, found=whole)
        while self._entries and (len(self._entries) >= self._most or self.size + size > self._bytes):
            _, old = self._entries.popitem(last=False)
            self.size -= old.size
        name = secrets.token_urlsafe(16)
        self._entries[name] = entry
        self.size += size
        return name

    def find(self, name: str) -> Entry | None:
        """The entry of a name; None where it is kept no longer."""
        entry = self._entries.get(name)
        if entry is not None:
            self._entries.move_to_end(name)
        return entry
