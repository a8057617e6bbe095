"""Files of tables: TableQA's ``*.tables.json``, and SQLite databases where there is nothing else."""

from __future__ import annotations

import math
import re
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ietool.errors import UserError, reason_of
from ietool.files.documents import Place, read_documents
from ietool.files.plain_json import json_kind
from ietool.tasks.nl2sql.data.example import REAL, TEXT, TYPES, Cell, Table
from ietool.tasks.nl2sql.data.sources import is_database
from ietool.tasks.nl2sql.data.tables import TableBook

_FORMAT = 'write {"id": …, "header": […], "types": […], "rows": [[…], …]} a line'
_MEND = "mend the table"
_PREFIX = re.compile(r"^Table_")
"""What TableQA's databases put before an id."""


def read_tables(path: str | Path) -> TableBook:
    """The tables of a file, plain, gzip or zip, a record a line or one list; or those of an SQLite database, which is
    opened for reading alone.

    Raises:
        UserError: naming file, line and field of a bad table; there is none; two tables have one id.
    """
    book = TableBook(path)
    tables = _of_database(Path(path)) if is_database(path) else _of_records(path)
    for place, table in tables:
        if not book.add(table):
            raise place.error("id", f"{table.id!r} is that of another table above", "give each table an id of its own")
    if not len(book):
        raise UserError("holds no table", file=path, mend=_FORMAT)
    return book


def _of_records(path: str | Path) -> Iterator[tuple[Place, Table]]:
    for place, record in read_documents(path, None):
        yield place, parse_table(record, place)


def parse_table(record: Any, place: Place) -> Table:
    """The validated table of a record.

    Raises:
        UserError: naming the field that is wrong.
    """
    if not isinstance(record, dict):
        raise place.error("", f"is {json_kind(record)}, an object is needed", _FORMAT)
    for key in ("id", "header", "rows"):
        if key not in record:
            mend = "is it a file of questions? " * ("question" in record) + _FORMAT
            raise place.error(key, "is missing", mend)
    header = record["header"]
    if not isinstance(header, list) or not header or not all(isinstance(name, str) for name in header):
        what = "is empty" if header == [] else f"is {json_kind(header)}" if not isinstance(header, list) else "holds"
        what += " what is no string" if what == "holds" else ""
        raise place.error("header", f"{what}, a list of names is needed", _MEND)
    if len(header) > MOST_COLUMNS:
        what = f"has {len(header):,} columns, and SQLite holds no table of more than {MOST_COLUMNS:,}"
        raise place.error("header", what, "leave out columns that nobody asks, and number those of the queries anew")
    rows = _rows(record["rows"], len(header), place)
    types = record.get("types")
    if types is None:
        types = [_type_of([row[n] for row in rows]) for n in range(len(header))]
    elif not isinstance(types, list) or len(types) != len(header):
        what = f"has {len(types)} entries" if isinstance(types, list) else f"is {json_kind(types)}"
        raise place.error("types", f"{what}, and the header {len(header)} columns", _MEND)
    for n, kind in enumerate(types):
        if kind not in TYPES:
            raise place.error(f"types[{n}]", f"is none of {', '.join(TYPES)}", _MEND)
    title = record.get("title") or record.get("name") or ""
    return Table(_id(record["id"], place, "id"), tuple(header), tuple(types), rows, title if _is_text(title) else "")


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _id(value: Any, place: Place, field: str) -> str:
    """The id of a table, as text."""
    if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
        what = "is empty" if value == "" else f"is {json_kind(value)}, a string is needed"
        raise place.error(field, what, _MEND)
    return str(value)


table_id = _id


def _rows(rows: Any, width: int, place: Place) -> tuple[tuple[Cell, ...], ...]:
    if not isinstance(rows, list):
        raise place.error("rows", f"is {json_kind(rows)}, a list of rows is needed", _MEND)
    for n, row in enumerate(rows):
        if not isinstance(row, list):
            raise place.error(f"rows[{n}]", f"is {json_kind(row)}, a list of cells is needed", _MEND)
        if len(row) != width:
            raise place.error(f"rows[{n}]", f"has {len(row)} cells, and the header {width} columns", _MEND)
        for m, cell in enumerate(row):
            if type(cell) not in _CELLS:
                what = f"is {json_kind(cell)}, a string, a number or null is needed"
                raise place.error(f"rows[{n}][{m}]", what, _MEND)
            if type(cell) is int and abs(cell) > _FLOAT:
                raise place.error(f"rows[{n}][{m}]", "is a number too large", _MEND)
    return tuple(tuple(map(_plain, row)) for row in rows)


MOST_COLUMNS = 2000
"""SQLite's own bound, unless it is built with another: on a wider table no query could be run."""
_CELLS = frozenset((str, int, float, type(None)))
_FLOAT = int(sys.float_info.max)
_LARGEST = 1 << 63
"""SQLite holds no larger integers."""


def _plain(cell: Cell) -> Cell:
    return float(cell) if type(cell) is int and not -_LARGEST <= cell < _LARGEST else cell


def _type_of(cells: list[Cell]) -> str:
    """The type of a column that tells none: a number where no cell is anything else."""
    known = [cell for cell in cells if cell is not None]
    return REAL if known and all(isinstance(cell, int | float) for cell in known) else TEXT


def _of_database(path: Path) -> Iterator[tuple[Place, Table]]:
    place = Place(str(path))
    try:
        with closing(sqlite3.connect(f"file:{quote(str(path.resolve()))}?mode=ro&immutable=1", uri=True)) as db:
            db.text_factory = lambda raw: raw.decode("utf-8", "replace")
            names = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            for name in names:
                columns = list(db.execute("SELECT name, type FROM pragma_table_info(?)", (name,)))
                if not columns or name.startswith("sqlite_"):
                    continue
                escaped = name.replace('"', '""')
                rows = tuple(tuple(map(_stored, row)) for row in db.execute(f'SELECT * FROM "{escaped}"'))
                types = tuple(TEXT if _holds_text(kind) else REAL for _, kind in columns)
                yield place, Table(_PREFIX.sub("", name), tuple(column for column, _ in columns), types, rows)
    except sqlite3.Error as error:
        raise place.error("", f"cannot be read ({reason_of(error)})", "copy it again") from None


def _holds_text(declared: str) -> bool:
    """Whether a column of this declared type holds text, by SQLite's own rules of affinity."""
    kind = declared.upper()
    return "INT" not in kind and (not kind or any(word in kind for word in ("CHAR", "CLOB", "TEXT", "BLOB", "STR")))


def _stored(cell: Any) -> Cell:
    if isinstance(cell, bytes):
        return cell.decode("utf-8", "replace")
    if isinstance(cell, float) and not math.isfinite(cell):
        return None
    kept: Cell = cell
    return kept
