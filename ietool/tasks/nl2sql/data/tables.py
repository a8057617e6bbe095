"""Tables on disk: read once, validated, kept one a line in a plain file, and taken from there when a question asks.

Memory holds where each line begins, and the tables asked last, up to a number of cells. A table that others hold as
well is never read a second time.
"""

from __future__ import annotations

import json
import tempfile
from array import array
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, cast
from weakref import WeakValueDictionary

from ietool.errors import WHOLE, UserError
from ietool.files.plain_json import dump_json
from ietool.files.records import digest
from ietool.tasks.nl2sql.data.example import Cell, Table
from ietool.tasks.nl2sql.data.holding import HELD, cells_of

TABLES_FILE = "tables.jsonl"
"""Of a prepared folder: the tables of all its questions."""


def dump_table(table: Table) -> str:
    """A table as one line, without its end."""
    return dump_json(
        {
            "id": table.id,
            "title": table.title,
            "header": table.header,
            "types": table.types,
            "rows": list(table.rows),
        },
        separators=(",", ":"),
    )


def load_table(line: str | bytes) -> Table:
    """The table of such a line."""
    record = json.loads(line)
    # Columns repeat few strings: a street, a brand, a date.
    shared: dict[str, str] = {}

    def cell(value: Cell) -> Cell:
        return shared.setdefault(value, value) if type(value) is str else value

    rows = tuple(tuple(map(cell, row)) for row in record["rows"])
    return Table(record["id"], tuple(record["header"]), tuple(record["types"]), rows, record["title"])


class TableWriter:
    """Puts tables into a file, each once.

    Args:
        path: the file; made anew.
    """

    def __init__(self, path: Path) -> None:
        self._out = path.open("wb")
        self._numbers: dict[bytes, int] = {}

    def __len__(self) -> int:
        return len(self._numbers)

    def add(self, table: Table) -> int:
        """The number of the table's line, from 0; that of the first one of the same content."""
        line = dump_table(table)
        mark = digest(line)
        number = self._numbers.get(mark)
        if number is None:
            number = self._numbers[mark] = len(self._numbers)
            self._out.write(line.encode() + b"\n")
        return number

    def flush(self) -> None:
        """What was added so far can be read, by a fresh :class:`Tables`."""
        self._out.flush()

    def close(self) -> None:
        """Finish the file."""
        self._out.close()

    def __enter__(self) -> TableWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Tables:
    """The tables of a file that :class:`TableWriter` wrote, by number.

    The same table is the same object as long as anybody holds it: what others keep by it lives as long.

    Args:
        stream: the file, opened for reading; stays open.
        name: for messages.
    """

    def __init__(self, stream: BinaryIO, name: str | Path) -> None:
        self._stream, self._name = stream, name
        self._held: OrderedDict[int, Table] = OrderedDict()
        self._cells = 0
        # All that live, those included that only others hold: a second copy would be worked out a second time.
        self._living: WeakValueDictionary[int, Table] = WeakValueDictionary()
        self._begins = array("q", [0])
        stream.seek(0)
        for line in stream:
            self._begins.append(self._begins[-1] + len(line))

    @classmethod
    def open(cls, folder: Path) -> Tables:
        """Those of a prepared folder or run folder.

        Raises:
            UserError: the file is missing.
        """
        path = folder / TABLES_FILE
        try:
            return cls(path.open("rb"), path)
        except OSError:
            raise UserError("is missing", file=path, mend=WHOLE) from None

    def __len__(self) -> int:
        return len(self._begins) - 1

    def __getitem__(self, number: int) -> Table:
        table = self._held.get(number)
        if table is not None:
            self._held.move_to_end(number)
            return table
        table = self._living.get(number)
        if table is None:
            table = self._living[number] = self._read(number)
        self._held[number] = table
        self._cells += cells_of(table)
        while self._cells > HELD and len(self._held) > 1:
            self._cells -= cells_of(self._held.popitem(last=False)[1])
        return table

    def _read(self, number: int) -> Table:
        if not 0 <= number < len(self):
            raise UserError(f"has no table {number}", file=self._name, mend=WHOLE)
        self._stream.seek(self._begins[number])
        try:
            return load_table(self._stream.read(self._begins[number + 1] - self._begins[number]))
        except (ValueError, KeyError, TypeError):
            raise UserError("holds no table", file=self._name, line=number + 1, mend=WHOLE) from None

    def __iter__(self) -> Iterator[Table]:
        return (self[number] for number in range(len(self)))


class TableBook:
    """The tables of a file of a user's, by id. Those of one id are one table.

    Args:
        path: for messages.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = str(path)
        # Open as long as this is.
        self._file = tempfile.NamedTemporaryFile(prefix="ietool-", suffix=".jsonl")  # noqa: SIM115
        self._writer: TableWriter | None = TableWriter(Path(self._file.name))
        self._numbers: dict[str, int] = {}
        self._tables: Tables | None = None

    def __len__(self) -> int:
        return len(self._numbers)

    def __contains__(self, id: str) -> bool:
        return id in self._numbers

    @property
    def only(self) -> str | None:
        """The id of the only table; None where there are several."""
        return next(iter(self._numbers)) if len(self._numbers) == 1 else None

    def add(self, table: Table) -> bool:
        """Take one more; False where another table has its id already."""
        assert self._writer is not None, "tables are added before they are asked for"
        number = self._writer.add(table)
        return self._numbers.setdefault(table.id, number) == number

    def find(self, id: str) -> Table | None:
        """The table of an id."""
        if self._tables is None:
            assert self._writer is not None
            self._writer.close()
            self._writer = None
            self._tables = Tables(cast(BinaryIO, self._file), self.path)
        number = self._numbers.get(id)
        return None if number is None else self._tables[number]
