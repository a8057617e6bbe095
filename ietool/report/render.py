"""Drawing tables: Rich on a terminal, aligned plain text elsewhere; and JSON."""

from __future__ import annotations

import dataclasses
import json
import sys
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ietool.tables import Cell, Table

if TYPE_CHECKING:
    from rich.console import Console


def console(*, stderr: bool = False) -> Console:
    """A Rich console on standard output or error. No control codes unless that is a terminal."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    # Rich alone would also colour a pipe when FORCE_COLOR or a CI variable is set.
    return Console(file=stream, force_terminal=stream.isatty(), highlight=False, markup=False, emoji=False)


def cell_text(cell: Cell) -> str:
    """How a cell is shown: four decimals, a dash for None, control characters made visible."""
    if cell is None:
        return "–"
    if isinstance(cell, float):
        return f"{cell:.4f}"
    text = str(cell)
    if text.isprintable():
        return text
    # Texts come from strangers' files: an escape sequence in one must not reach the terminal.
    return "".join(
        c if c.isprintable() or unicodedata.category(c) == "Zs" else repr(c)[1:-1] if c not in "\n\t" else " "
        for c in text
    )


def render(table: Table, console: Console) -> None:
    """Print a table with its title above and its note below."""
    if console.is_terminal:
        _render_rich(table, console)
    else:
        console.file.write(plain(table))
        console.file.flush()


def render_all(tables: Iterable[Table], console: Console) -> None:
    """Print tables with a blank line between them."""
    for number, table in enumerate(tables):
        if number and not console.is_terminal:  # Rich's own have one
            console.file.write("\n")
        render(table, console)


def plain(table: Table) -> str:
    """The table as aligned text, nothing cut off; Chinese characters count as two columns."""
    from rich.cells import cell_len

    rows = [[cell_text(cell) for cell in row] for row in table.rows]
    right = _right_aligned(table)
    widths = [
        max([cell_len(name), *(cell_len(row[index]) for row in rows)]) for index, name in enumerate(table.columns)
    ]

    def line(cells: Sequence[str]) -> str:
        parts = []
        for text, width, to_right in zip(cells, widths, right, strict=True):
            space = " " * (width - cell_len(text))
            parts.append(space + text if to_right else text + space)
        return "  ".join(parts).rstrip() + "\n"

    out = [f"{table.title}\n"] if table.title else []
    if table.columns:
        out += [line(list(table.columns)), line(["-" * width for width in widths])]
    out += [line(row) for row in rows]
    if table.note:
        out.append(table.note + "\n")
    return "".join(out)


def _right_aligned(table: Table) -> list[bool]:
    def numeric(index: int) -> bool:
        cells = [row[index] for row in table.rows if row[index] is not None]
        return bool(cells) and all(isinstance(cell, int | float) for cell in cells)

    return [numeric(index) for index in range(len(table.columns))]


def _render_rich(table: Table, console: Console) -> None:
    from rich import box
    from rich.table import Table as RichTable
    from rich.text import Text

    drawn = RichTable(
        title=Text(table.title) if table.title else None, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD
    )
    for name, to_right in zip(table.columns, _right_aligned(table), strict=True):
        drawn.add_column(Text(name), justify="right" if to_right else "left", overflow="fold")
    for row in table.rows:
        drawn.add_row(*(Text(cell_text(cell)) for cell in row))  # Text, not str: brackets in a text are no markup
    console.print(drawn)
    if table.note:
        console.print(Text(table.note, style="dim"))


def to_json(value: Any) -> str:
    """One JSON value, Chinese readable. Takes tables, dataclasses, pydantic models and paths as well."""
    text = json.dumps(value, ensure_ascii=False, indent=2, default=_plain_data)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:  # a lone surrogate from somebody's JSON
        text = json.dumps(value, ensure_ascii=True, indent=2, default=_plain_data)
    return text


def _plain_data(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, set | frozenset):
        return sorted(value)
    if hasattr(value, "item"):  # a number of numpy's
        return value.item()
    raise TypeError(f"{type(value).__name__} has no JSON form")
