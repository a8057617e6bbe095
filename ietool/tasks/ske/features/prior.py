"""The index of training triples, for distant supervision: which known triples could a text hold?"""

from __future__ import annotations

import json
import mmap
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ietool.errors import WHOLE, UserError, cause
from ietool.text.matching import Match, NameMatcher, NameTable

Fact = tuple[str, int, str]
"""(subject, label, object): one slot of a triple, by strings."""

ROWS, NAMES = "prior.npy", "prior_names.txt"


class PriorBuilder:
    """Counts, on disk, in how many texts each fact stands; memory does not grow with the number of facts."""

    def __init__(self, scratch: Path) -> None:
        self._db = sqlite3.connect(scratch / "facts.sqlite")
        self._db.executescript(
            "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA cache_size=-16384;"
            "CREATE TABLE facts (s TEXT, l INTEGER, o TEXT, n INTEGER, PRIMARY KEY (s, l, o)) WITHOUT ROWID;"
        )

    def knows(self, fact: Fact) -> bool:
        """Whether a text that was added states the fact."""
        query = "SELECT 1 FROM facts WHERE s = ? AND l = ? AND o = ?"
        return self._db.execute(query, fact).fetchone() is not None

    def add(self, facts: Collection[Fact]) -> None:
        """The facts of one text, each once."""
        self._db.executemany("INSERT INTO facts VALUES (?, ?, ?, 1) ON CONFLICT DO UPDATE SET n = n + 1", sorted(facts))

    def close(self) -> None:
        """Let go of the scratch file."""
        self._db.close()

    def write(self, folder: Path) -> int:
        """Write the index, once; returns the number of facts."""
        db = self._db
        db.executescript(
            "CREATE TABLE names (id INTEGER PRIMARY KEY, name TEXT UNIQUE);"
            "INSERT INTO names SELECT row_number() OVER (ORDER BY name) - 1, name"
            " FROM (SELECT s AS name FROM facts UNION SELECT o FROM facts);"
        )
        with (folder / NAMES).open("w", encoding="utf-8", newline="\n") as out:
            # JSON strings: a name may hold a line end.
            out.writelines(
                json.dumps(name, ensure_ascii=False) + "\n"
                for (name,) in db.execute("SELECT name FROM names ORDER BY id")
            )
        count: int = db.execute("SELECT count(*) FROM facts").fetchone()[0]
        query = (
            "SELECT a.id, f.l, b.id, f.n FROM facts f JOIN names a ON a.name = f.s JOIN names b ON b.name = f.o"
            " ORDER BY a.id, b.id, f.l"
        )
        with (folder / ROWS).open("wb") as file:
            # What np.save writes, as a stream: pages of a memory map would count as memory until they are flushed.
            header = {"descr": np.lib.format.dtype_to_descr(np.dtype(np.int32)), "fortran_order": False}
            np.lib.format.write_array_header_1_0(file, {**header, "shape": (count, 4)})
            found = db.execute(query)
            while block := found.fetchmany(4096):
                file.write(np.array(block, np.int32).tobytes())
        return count


class _NameFile(Sequence[str]):
    """The names of an index left in their file, read one at a time."""

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            self._offsets = np.fromiter(_offsets(file), np.int64)
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if len(self._offsets) > 1 else None

    def __len__(self) -> int:
        return len(self._offsets) - 1

    def __getitem__(self, index: Any) -> Any:
        if self._map is None or not 0 <= index < len(self):
            raise IndexError(index)
        return json.loads(self._map[self._offsets[index] : self._offsets[index + 1]])

    def holds(self, index: int, name: str) -> bool:
        """Whether ``self[index] == name``, without reading most names as JSON."""
        line = self._map[self._offsets[index] : self._offsets[index + 1]] if self._map is not None else b""
        return line[1:-2] == name.encode() if b"\\" not in line else json.loads(line) == name


def _read_rows(path: Path) -> npt.NDArray[np.int32]:
    try:
        rows = np.load(path, mmap_mode="r", allow_pickle=False)
        fits = rows.dtype == np.int32 and rows.ndim == 2 and rows.shape[1] == 4
    except (OSError, ValueError, EOFError):
        fits = False
    if not fits:
        raise UserError("is missing, or no index of training triples", file=path, mend=WHOLE)
    return rows.view(np.ndarray)


def _offsets(lines: Iterable[bytes]) -> Iterator[int]:
    at = 0
    yield at
    for line in lines:
        at += len(line)
        yield at


class PriorIndex:
    """Facts of the training texts by the names they join.

    Args:
        folder: holds what :meth:`PriorBuilder.write` wrote.
        compact: keep names on disk and hashes of them in memory instead of the names and an automaton: slower for one
            text, but memory hardly grows with the index.
    """

    def __init__(self, folder: Path, *, compact: bool = False) -> None:
        self.folder = folder
        # A plain view: a memory map's own indexing takes longer than the look-up.
        self.rows: npt.NDArray[np.int32] = _read_rows(folder / ROWS)
        try:
            self.names: Sequence[str] = _NameFile(folder / NAMES) if compact else list(self._read_names())
        except FileNotFoundError:
            raise UserError("is missing", file=folder / NAMES, mend=WHOLE) from None
        except (OSError, ValueError) as error:
            raise UserError(f"is no list of names ({cause(error)})", file=folder / NAMES, mend=WHOLE) from None
        if len(self.rows) and int(self.rows[:, [0, 2]].max()) >= len(self.names):
            raise UserError("has fewer names than prior.npy joins", file=folder / NAMES, mend=WHOLE)
        self._matcher: NameMatcher | NameTable | None = None
        if self.names:
            names = self.names
            self._matcher = (
                NameTable(self._read_names, names.holds) if isinstance(names, _NameFile) else NameMatcher(names)
            )
        # Rows are sorted by subject: those of subject i are rows[first[i]:first[i + 1]].
        self._first = np.searchsorted(self.rows[:, 0], np.arange(len(self.names) + 1, dtype=np.int32)).astype(np.int32)

    def _read_names(self) -> Iterator[str]:
        with (self.folder / NAMES).open(encoding="utf-8", newline="\n") as lines:
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
        return self._rows_of(text, self._matcher.find(text) if self._matcher is not None else [], own)

    def find_all(self, texts: Sequence[str], owns: Sequence[Collection[Fact]]) -> list[npt.NDArray[np.int32]]:
        """:meth:`find` for several texts at once."""
        found = self._matcher.find_all(texts) if self._matcher is not None else [[] for _ in texts]
        return [self._rows_of(text, m, own) for text, m, own in zip(texts, found, owns, strict=True)]

    def _rows_of(self, text: str, matches: Sequence[Match], own: Collection[Fact]) -> npt.NDArray[np.int32]:
        if not matches:
            return np.zeros((0, 5), np.int32)
        spans: dict[int, list[tuple[int, int]]] = {}
        for name, start, end in matches:
            spans.setdefault(name, []).append((start, end))
        found: list[tuple[int, int, int, int, int]] = []
        names = np.fromiter(spans, np.int32, len(spans))
        lows, highs = self._first[names], self._first[names + 1]
        some = np.flatnonzero(highs > lows)
        for s, low, high in zip(names[some].tolist(), lows[some].tolist(), highs[some].tolist(), strict=True):
            rows = self.rows[low:high]
            if high - low > 16:  # a subject of many facts: let numpy drop those whose object is not here
                rows = rows[np.isin(rows[:, 2], names)]
            for _, label, o, count in rows.tolist():
                if o not in spans:
                    continue
                s_spans, o_spans = spans[s], spans[o]
                if own and (text[slice(*s_spans[0])], label, text[slice(*o_spans[0])]) in own:
                    count -= 1
                if count > 0:
                    found.extend((*ss, label, *oo) for ss in s_spans for oo in o_spans)
        return np.array(found, np.int32).reshape(-1, 5)

    def by_label(self) -> dict[int, npt.NDArray[np.int32]]:
        """Row numbers of each label, to draw facts from."""
        labels = self.rows[:, 1]
        return {int(label): np.flatnonzero(labels == label).astype(np.int32) for label in np.unique(labels)}


def facts_of(rows: Iterable[tuple[int, int, int, int, int]], text: str) -> set[Fact]:
    """The facts that labelled rows state, as strings."""
    return {(text[s0:s1], label, text[o0:o1]) for s0, s1, label, o0, o1 in rows}
