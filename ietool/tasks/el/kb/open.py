"""Reading the files of a compiled knowledge base: memory-mapped, checked before they are believed."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, overload

import daachorse
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ietool.errors import UserError
from ietool.tasks.el.kb.build import ENTITY_SCHEMA, ID_SCHEMA, NAME_SCHEMA
from ietool.tasks.el.kb.info import AGAIN, AUTOMATON, ENTITIES, FILES, IDS, INFO, NAMES, KBInfo, checksum
from ietool.tasks.el.kb.records import Entity

Rows = npt.NDArray[np.int32]


def _numbers(column: Any) -> Rows:
    """A column of integers where it lies in the file. Arrow's own ``to_numpy`` would import pandas: half a second."""
    values: Rows = np.frombuffer(column.buffers()[1] or b"", np.int32)
    return values[column.offset : column.offset + len(column)]


class Strings(Sequence[str]):
    """A column of strings where it lies in the file; ten times faster than Arrow's own scalars."""

    def __init__(self, column: Any) -> None:
        _, starts, content = column.buffers()
        self._starts: Rows = np.frombuffer(starts or b"", np.int32)[column.offset : column.offset + len(column) + 1]
        self._content = memoryview(content or b"")

    def __len__(self) -> int:
        return len(self._starts) - 1

    @overload
    def __getitem__(self, at: int) -> str: ...
    @overload
    def __getitem__(self, at: slice) -> list[str]: ...
    def __getitem__(self, at: int | slice) -> str | list[str]:
        content = self._content
        if isinstance(at, slice):
            starts = self._starts[at.start : at.stop + 1].tolist()
            return [str(content[a:b], "utf-8") for a, b in pairwise(starts)]
        if not 0 <= at < len(self):
            raise IndexError(at)
        return str(content[self._starts[at] : self._starts[at + 1]], "utf-8")


class _Lists:
    """A column of lists of strings."""

    def __init__(self, column: Any) -> None:
        self._starts: Rows = _numbers(column.offsets)
        self._values = Strings(column.values)

    def __getitem__(self, at: int) -> list[str]:
        return self._values[int(self._starts[at]) : int(self._starts[at + 1])]


class EntityFile(Sequence[Entity]):
    """The entities. A batch of the file is checked when one of its entities is asked for the first time."""

    def __init__(self, folder: Path, info: KBInfo) -> None:
        self._path = folder / ENTITIES
        self._reader = _open_arrow(self._path, ENTITY_SCHEMA)
        self._starts = [0]
        try:
            for index in range(self._reader.num_record_batches):
                self._starts.append(self._starts[-1] + self._reader.get_batch(index).num_rows)
        except (pa.ArrowException, OSError) as error:
            raise _damaged(self._path, error) from None
        if len(self) != info.entities:
            raise _miscounted(self._path, len(self), info.entities)
        self._batches: list[tuple[Strings, Strings, _Lists, _Lists, _Lists, _Lists] | None]
        self._batches = [None] * self._reader.num_record_batches

    def __len__(self) -> int:
        return self._starts[-1]

    @overload
    def __getitem__(self, row: int) -> Entity: ...
    @overload
    def __getitem__(self, row: slice) -> list[Entity]: ...
    def __getitem__(self, row: int | slice) -> Entity | list[Entity]:
        """The entity of a row. Raises UserError if its part of the file is damaged."""
        if isinstance(row, slice):
            return [self[i] for i in range(*row.indices(len(self)))]
        batch, at = self._find(row)
        kb_id, subject, aliases, types, predicates, objects = (column[at] for column in batch)
        if len(predicates) != len(objects):
            raise UserError(f"is damaged: the facts of {kb_id!r} are torn apart", file=self._path, mend=AGAIN)
        return Entity(kb_id, subject, tuple(aliases), tuple(types), tuple(zip(predicates, objects, strict=True)))

    def kb_id(self, row: int) -> str:
        """The id of a row alone."""
        batch, at = self._find(row)
        return batch[0][at]

    def subject(self, row: int) -> str:
        """The subject of a row alone."""
        batch, at = self._find(row)
        return batch[1][at]

    def _find(self, row: int) -> tuple[Any, int]:
        """The columns of the batch that a row is in, and its place there."""
        if not 0 <= row < len(self):
            raise IndexError(row)
        index = bisect_right(self._starts, row) - 1
        batch = self._batches[index]
        if batch is None:
            try:
                read = self._reader.get_batch(index)
                read.validate(full=True)
                strings, lists = read.columns[:2], read.columns[2:]
                batch = (*map(Strings, strings), *map(_Lists, lists))  # type: ignore[assignment]
            except (pa.ArrowException, OSError, ValueError) as error:  # ValueError: a buffer of no whole numbers
                raise _damaged(self._path, error) from None
            self._batches[index] = batch
        return batch, row - self._starts[index]


def check_files(folder: Path, info: KBInfo) -> None:
    """Raise UserError unless the files are there and, those that are read whole anyway, unchanged."""
    for name in FILES:
        path = folder / name
        try:
            size = path.stat().st_size
            if size != info.files[name]:
                what = f"is cut off or changed: {size:,} bytes instead of {info.files[name]:,}"
                raise UserError(what, file=path, mend=AGAIN)
            if name != ENTITIES and checksum(path) != info.checksums[name]:
                raise UserError(f"is damaged: its checksum is not that in {INFO}", file=path, mend=AGAIN)
        except OSError as error:
            what = "is missing" if isinstance(error, FileNotFoundError) else f"cannot be read ({error.strerror})"
            raise UserError(what, file=path, mend=AGAIN) from None


def read_automaton(folder: Path) -> daachorse.CharwiseDoubleArrayAhoCorasick:
    """The automaton of all names. Raises UserError if it is damaged."""
    path = folder / AUTOMATON
    try:
        return daachorse.CharwiseDoubleArrayAhoCorasick.deserialize(path.read_bytes())
    except (OSError, ValueError) as error:
        raise _damaged(path, error) from None


def read_names(folder: Path, info: KBInfo) -> tuple[Strings, Rows, Rows]:
    """Names; where the rows of each begin, one entry more than names; the rows. Raises UserError if damaged."""
    batch = _read_single(folder / NAMES, NAME_SCHEMA, info.names)
    lists = batch.column("rows")
    starts, rows = _numbers(lists.offsets), _numbers(lists.values)
    _check_rows(folder / NAMES, rows, info)
    return Strings(batch.column("name")), starts, rows


def read_ids(folder: Path, info: KBInfo) -> tuple[Strings, Rows]:
    """Ids in order, and the row of each. Raises UserError if damaged."""
    batch = _read_single(folder / IDS, ID_SCHEMA, info.entities)
    rows = _numbers(batch.column("row"))
    _check_rows(folder / IDS, rows, info)
    return Strings(batch.column("kb_id")), rows


def _check_rows(path: Path, rows: Rows, info: KBInfo) -> None:
    if len(rows) and (rows.min() < 0 or rows.max() >= info.entities):
        raise UserError("is damaged: it names entities that are not there", file=path, mend=AGAIN)


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
