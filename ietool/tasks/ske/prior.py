"""The index of training triples, for distant supervision: which known triples could a text hold?"""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ietool.text.matching import NameMatcher

Fact = tuple[str, int, str]
"""(subject, label, object): one slot of a triple, by strings."""

ROWS, NAMES = "prior.npy", "prior_names.txt"


class PriorBuilder:
    """Counts, on disk, in how many texts each fact stands; memory does not grow with the number of facts."""

    def __init__(self, scratch: Path) -> None:
        self._db = sqlite3.connect(scratch / "facts.sqlite")
        self._db.executescript(
            "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF;"
            "CREATE TABLE facts (s TEXT, l INTEGER, o TEXT, n INTEGER, PRIMARY KEY (s, l, o)) WITHOUT ROWID;"
            "CREATE TABLE texts (hash BLOB PRIMARY KEY) WITHOUT ROWID;"
        )

    def first_time(self, digest: bytes) -> bool:
        """Whether this digest of a text is new."""
        return self._db.execute("INSERT OR IGNORE INTO texts VALUES (?)", (digest,)).rowcount == 1

    def seen(self, digest: bytes) -> bool:
        return self._db.execute("SELECT 1 FROM texts WHERE hash = ?", (digest,)).fetchone() is not None

    def add(self, facts: Collection[Fact]) -> None:
        """The facts of one text, each once."""
        self._db.executemany(
            "INSERT INTO facts VALUES (?, ?, ?, 1) ON CONFLICT DO UPDATE SET n = n + 1", sorted(facts)
        )

    def write(self, folder: Path) -> int:
        """Write the index; returns the number of facts."""
        db = self._db
        db.executescript(
            "CREATE TABLE names (id INTEGER PRIMARY KEY, name TEXT UNIQUE);"
            "INSERT INTO names SELECT row_number() OVER (ORDER BY name) - 1, name"
            " FROM (SELECT s AS name FROM facts UNION SELECT o FROM facts);"
        )
        with (folder / NAMES).open("w", encoding="utf-8") as out:
            # JSON strings: a name may hold a line end.
            out.writelines(
                json.dumps(name, ensure_ascii=False) + "\n" for (name,) in db.execute("SELECT name FROM names ORDER BY id")
            )
        count: int = db.execute("SELECT count(*) FROM facts").fetchone()[0]
        rows = np.lib.format.open_memmap(folder / ROWS, mode="w+", dtype=np.int32, shape=(count, 4))
        query = (
            "SELECT a.id, f.l, b.id, f.n FROM facts f JOIN names a ON a.name = f.s JOIN names b ON b.name = f.o"
            " ORDER BY a.id, b.id, f.l"
        )
        for i, row in enumerate(db.execute(query)):
            rows[i] = row
        rows.flush()
        db.close()
        return count


class PriorIndex:
    """Facts of the training texts by the names they join.

    Args:
        folder: holds what :meth:`PriorBuilder.write` wrote.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.rows: npt.NDArray[np.int32] = np.load(folder / ROWS, mmap_mode="r", allow_pickle=False)
        self.names = list(self._read_names())
        self._matcher = NameMatcher(self.names) if self.names else None
        # Rows are sorted by subject: those of subject i are rows[first[i]:first[i + 1]].
        self._first = np.searchsorted(self.rows[:, 0], np.arange(len(self.names) + 1))

    def _read_names(self) -> Iterator[str]:
        with (self.folder / NAMES).open(encoding="utf-8") as lines:
            for line in lines:
                yield json.loads(line)

    def find(self, text: str, own: Collection[Fact] = ()) -> npt.NDArray[np.int32]:
        """Known facts whose subject and object both stand in the text.

        Args:
            own: facts that this text itself states in the training data; they count once less, so that a fact which
                no other text supports gives no feature.

        Returns:
            (n, 5) rows of (subject start, end, label, object start, end), half-open, for every pair of occurrences.
        """
        if self._matcher is None:
            return np.zeros((0, 5), np.int32)
        spans: dict[int, list[tuple[int, int]]] = {}
        for name, start, end in self._matcher.find(text):
            spans.setdefault(name, []).append((start, end))
        found: list[tuple[int, int, int, int, int]] = []
        for s, s_spans in spans.items():
            low, high = self._first[s], self._first[s + 1]
            if low == high:
                continue
            rows = self.rows[low:high]
            if high - low > 64:  # a subject of many facts: let numpy drop those whose object is not here
                rows = rows[np.isin(rows[:, 2], np.fromiter(spans, np.int32, len(spans)))]
            for _, label, o, count in rows.tolist():
                if o not in spans:
                    continue
                if own and (self.names[s], label, self.names[o]) in own:
                    count -= 1
                if count > 0:
                    found.extend((*ss, label, *oo) for ss in s_spans for oo in spans[o])
        return np.array(found, np.int32).reshape(-1, 5)

    def by_label(self) -> dict[int, npt.NDArray[np.int32]]:
        """Row numbers of each label, to draw facts from."""
        labels = self.rows[:, 1]
        return {int(label): np.flatnonzero(labels == label).astype(np.int32) for label in np.unique(labels)}

    def copy(self, folder: Path) -> None:
        for name in (ROWS, NAMES):
            shutil.copyfile(self.folder / name, folder / name)


def facts_of(rows: Iterable[tuple[int, int, int, int, int]], text: str) -> set[Fact]:
    """The facts that labelled rows state, as strings."""
    return {(text[s0:s1], label, text[o0:o1]) for s0, s1, label, o0, o1 in rows}
