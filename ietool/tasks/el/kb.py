"""The knowledge base: names in texts, candidates of names, entities of candidates. Compiled once, opened by memory map.

A compiled knowledge base is a folder of standard parts (``kb_build.py`` writes it, ``kb_info.py`` says what is in it)
that may be moved and copied: Arrow IPC files and a serialised automaton. Nothing in it is run, and damage is told.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import daachorse
import pyarrow as pa
from filelock import FileLock

from ietool import paths
from ietool.errors import UserError
from ietool.files import OnBad
from ietool.tasks.base import Progress, no_progress
from ietool.tasks.el.data import normalise
from ietool.tasks.el.kb_build import ENTITY_SCHEMA, ID_SCHEMA, NAME_SCHEMA, build
from ietool.tasks.el.kb_info import AGAIN, AUTOMATON, ENTITIES, FILES, IDS, INFO, NAMES, KBInfo, checksum
from ietool.tasks.el.kb_records import Entity
from ietool.text.characters import fold

__all__ = ["Entity", "KBInfo", "KnowledgeBase", "Match", "compile_kb", "open_any"]

FOLDER = "kb"
"""The compiled knowledge base in a prepared folder and in a run folder."""

Match = tuple[int, int, int]
"""(start, end, number of the name), end exclusive, in characters."""


class KnowledgeBase:
    """An open knowledge base. Names have numbers, entities have rows, both from 0 in the order of the source.

    Attributes:
        folder: where it is.
        info: what is in it.
    """

    def __init__(self, folder: Path, info: KBInfo) -> None:
        """Use :meth:`open`."""
        self.folder, self.info = folder, info
        _check_files(folder, info)
        self._automaton = _read_automaton(folder / AUTOMATON)
        names = _read_single(folder / NAMES, NAME_SCHEMA, info.names)
        ids = _read_single(folder / IDS, ID_SCHEMA, info.entities)
        self._names, self._ids = names.column("name"), ids.column("kb_id")
        lists = names.column("rows")
        self._row_starts, self._rows = lists.offsets.to_numpy(), lists.values.to_numpy()
        self._id_rows = ids.column("row").to_numpy()
        for path, rows in ((folder / NAMES, self._rows), (folder / IDS, self._id_rows)):
            if rows.min() < 0 or rows.max() >= info.entities:
                raise UserError("is damaged: it names entities that are not there", file=path, mend=AGAIN)
        self._entities = _EntityFile(folder / ENTITIES, info.entities)

    @classmethod
    def open(cls, folder: Path) -> KnowledgeBase:
        """The knowledge base compiled into a folder; nothing but names is read.

        Raises:
            UserError: the folder is none, or is damaged.
        """
        return cls(folder, KBInfo.load(folder))

    def __reduce__(self) -> Any:
        return KnowledgeBase.open, (self.folder,)  # for worker processes, which open it themselves

    @property
    def fingerprint(self) -> str:
        """Stands for the records it was made from."""
        return self.info.fingerprint

    # -- names
    def match(self, text: str) -> list[Match]:
        """Every occurrence of a name in the folded text, overlapping ones too, by their end, longest first."""
        return self._automaton.find_overlapping(_plain(fold(text)))

    def longest(self, text: str) -> list[Match]:
        """Maximum matching: from the left, the longest name at the first place where one begins, and on behind it."""
        best: dict[int, Match] = {}
        for match in self.match(text):  # ordered by end, so that the last of a start is its longest
            best[match[0]] = match
        found, free = [], 0
        for start in sorted(best):
            if start >= free:
                found.append(best[start])
                free = best[start][1]
        return found

    def name(self, number: int) -> str:
        """A name, normalised."""
        return self._names[number].as_py()

    def number(self, name: str) -> int | None:
        """The number of a name (not yet normalised); None if the knowledge base lacks it."""
        key = normalise(name)
        found = [n for start, end, n in self._automaton.find_overlapping(_plain(key)) if end - start == len(key)]
        return found[0] if found else None

    def candidates(self, number: int) -> list[int]:
        """Rows of the entities of a name, in order."""
        return self._rows[self._row_starts[number] : self._row_starts[number + 1]].tolist()

    # -- entities
    def entity(self, row: int) -> Entity:
        """The entity of a row."""
        return self.entities([row])[0]

    def entities(self, rows: Iterable[int]) -> list[Entity]:
        """The entities of some rows, in their order."""
        return self._entities.take(list(rows))

    def row(self, kb_id: str) -> int | None:
        """The row of an id; None if the knowledge base lacks it."""
        at = bisect_left(range(len(self._ids)), kb_id, key=lambda i: self._ids[i].as_py())
        return int(self._id_rows[at]) if at < len(self._ids) and self._ids[at].as_py() == kb_id else None

    def kb_id(self, row: int) -> str:
        """The id of a row."""
        return self._entities.kb_id(row)


class _EntityFile:
    """The file of entities, memory-mapped. A batch is checked when one of its entities is asked for the first time."""

    def __init__(self, path: Path, count: int) -> None:
        self._path = path
        self._reader = _open_arrow(path, ENTITY_SCHEMA)
        self._starts, self._batches = [0], []
        try:
            for index in range(self._reader.num_record_batches):
                batch = self._reader.get_batch(index)
                batch.validate()
                self._batches.append(batch)
                self._starts.append(self._starts[-1] + batch.num_rows)
        except (pa.ArrowException, OSError) as error:
            raise _damaged(path, error) from None
        if self._starts[-1] != count:
            raise _miscounted(path, self._starts[-1], count)
        self._checked = [False] * len(self._batches)

    def _find(self, row: int) -> tuple[Any, int]:
        """The batch of a row, checked, and the place in it."""
        if not 0 <= row < self._starts[-1]:
            raise IndexError(row)
        index = bisect_right(self._starts, row) - 1
        if not self._checked[index]:
            try:
                self._batches[index].validate(full=True)
            except pa.ArrowException as error:
                raise _damaged(self._path, error) from None
            self._checked[index] = True
        return self._batches[index], row - self._starts[index]

    def kb_id(self, row: int) -> str:
        batch, at = self._find(row)
        return batch.column(0)[at].as_py()

    def take(self, rows: list[int]) -> list[Entity]:
        found = []
        for row in rows:
            batch, at = self._find(row)
            kb_id, subject, aliases, types, predicates, objects = (column[at].as_py() for column in batch.columns)
            facts = tuple(zip(predicates, objects, strict=True))
            found.append(Entity(kb_id, subject, tuple(aliases), tuple(types), facts))
        return found


def compile_kb(
    source: Path, folder: Path, *, on_bad: OnBad | None = None, progress: Progress = no_progress
) -> KnowledgeBase:
    """Compile a kb_data file into a folder, and open it.

    Args:
        source: one JSON object a line; plain, gzip or zip.
        folder: appears when it is whole; an older knowledge base there is replaced.
        on_bad: told of bad records, which are then left out; without it the first one raises.

    Raises:
        UserError: naming file, line and field of a bad record; or what else keeps it from being made.
    """
    build(source, folder, on_bad=on_bad, progress=progress)
    return KnowledgeBase.open(folder)


def open_any(path: Path, *, progress: Progress = no_progress) -> KnowledgeBase:
    """The knowledge base of a compiled, a prepared or a run folder, or of a kb_data file.

    A file is compiled once, into ``kb/`` of the working folder, and found again by its content.

    Raises:
        UserError: there is none at ``path``, or it is damaged, or the file has a bad record.
    """
    if path.is_dir():
        for folder in (path, path / FOLDER):
            if (folder / INFO).is_file():
                return KnowledgeBase.open(folder)
        message = f"holds no compiled knowledge base (no {INFO} here or in {FOLDER}/)"
        raise UserError(message, file=path, mend="name a prepared folder, a run folder, or a kb_data file")
    if not path.is_file():
        raise UserError("no such file or folder", file=path, mend="check the path")
    with path.open("rb") as stream:
        mark = hashlib.file_digest(stream, lambda: hashlib.blake2b(digest_size=8)).hexdigest()
    folder = paths.home() / FOLDER / mark
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"cannot be written ({error.strerror})", file=folder, mend="set IETOOL_HOME") from None
    with FileLock(folder.parent / ".compiling.lock"):
        if (folder / INFO).is_file():
            try:
                return KnowledgeBase.open(folder)
            except UserError:  # of an older version, or damaged: it is ours to make again
                pass
        return compile_kb(path, folder, progress=progress)


def _check_files(folder: Path, info: KBInfo) -> None:
    """Raise UserError unless the files are there and, those that are read whole anyway, unchanged."""
    for name in FILES:
        path = folder / name
        try:
            size = path.stat().st_size
            if size != info.files[name]:
                raise UserError(
                    f"is cut off or changed: {size:,} bytes instead of {info.files[name]:,}", file=path, mend=AGAIN
                )
            if name != ENTITIES and checksum(path) != info.checksums[name]:
                raise UserError("is damaged: its checksum is not that of kb.json", file=path, mend=AGAIN)
        except OSError as error:
            what = "is missing" if isinstance(error, FileNotFoundError) else f"cannot be read ({error.strerror})"
            raise UserError(what, file=path, mend=AGAIN) from None


def _read_automaton(path: Path) -> daachorse.CharwiseDoubleArrayAhoCorasick:
    try:
        return daachorse.CharwiseDoubleArrayAhoCorasick.deserialize(path.read_bytes())
    except ValueError as error:
        raise _damaged(path, error) from None


def _open_arrow(path: Path, schema: Any) -> Any:
    try:
        reader = pa.ipc.open_file(pa.memory_map(str(path)))
    except (pa.ArrowException, OSError) as error:
        raise _damaged(path, error) from None
    if not reader.schema.equals(schema):
        raise UserError("has other columns than a knowledge base", file=path, mend=AGAIN)
    return reader


def _read_single(path: Path, schema: Any, count: int) -> Any:
    """The only batch of a file, checked."""
    reader = _open_arrow(path, schema)
    try:
        batch = reader.get_batch(0) if reader.num_record_batches == 1 else None
        if batch is not None:
            batch.validate(full=True)
    except (pa.ArrowException, OSError) as error:
        raise _damaged(path, error) from None
    if batch is None or batch.num_rows != count:
        raise _miscounted(path, 0 if batch is None else batch.num_rows, count)
    return batch


def _damaged(path: Path, error: Exception) -> UserError:
    return UserError(f"is damaged ({error})", file=path, mend=AGAIN)


def _miscounted(path: Path, found: int, count: int) -> UserError:
    return UserError(f"holds {found:,} records, {INFO} says {count:,}", file=path, mend=AGAIN)


def _plain(text: str) -> str:
    """The text with halves of surrogate pairs replaced, which no file can hold and the automaton does not take."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return "".join("\ufffd" if "\ud800" <= c <= "\udfff" else c for c in text)
    return text
