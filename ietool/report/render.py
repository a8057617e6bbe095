"""Drawing tables: Rich on a terminal, aligned plain text elsewhere; and JSON."""

from __future__ import annotations

import dataclasses
import sys
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ietool.errors import cut, visible
from ietool.files.plain_json import dump_json
from ietool.tables import Cell, Table

if TYPE_CHECKING:
    from rich.console import Console


def console(*, stderr: bool = False) -> Console:
    """A Rich console on standard output or error. No control codes unless that is a terminal."""
    from rich.console import Console

    class Plain(Console):
        def on_broken_pipe(self) -> None:
            raise  # Rich's own way is to end the process with code 1; the command line knows better

    stream = sys.stderr if stderr else sys.stdout
    # Rich alone would also colour a pipe when FORCE_COLOR or a CI variable is set.
    return Plain(file=stream, force_terminal=stream.isatty(), highlight=False, markup=False, emoji=False)


def cell_text(cell: Cell) -> str:
    """How a cell is shown: four decimals, a dash for None, control characters made visible."""
    if cell is None:
        return "–"
    if isinstance(cell, float):
        return f"{cell:.4f}"
    return visible(str(cell))


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
        if number:
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

    out = [f"{_title(table)}\n"] if table.title else []
    if table.columns:
        out += [line(list(table.columns)), line(["-" * width for width in widths])]
    out += [line(row) for row in rows]
    if table.note:
        out.append(visible(table.note) + "\n")
    return "".join(out)


def _title(table: Table) -> str:
    """A title, which may be somebody's text: the beginning of a long one tells which."""
    return visible(cut(table.title))


def _right_aligned(table: Table) -> list[bool]:
    def numeric(index: int) -> bool:
        cells = [row[index] for row in table.rows if row[index] is not None]
        return bool(cells) and all(isinstance(cell, int | float) for cell in cells)

    return [numeric(index) for index in range(len(table.columns))]


def _render_rich(table: Table, console: Console) -> None:
    from rich.text import Text

    if table.title:
        console.print(Text(_title(table), style="bold"), soft_wrap=True)
    if table.columns:
        rows = [[cell_text(cell) for cell in row] for row in table.rows]
        widths = _fitting(table, rows, console.width)
        if widths is None:
            _render_rows(table, rows, console)
        else:
            _render_columns(table, rows, widths, console)
    if table.note:
        say_at_words(table.note, console, style="dim")


_PAD = 2
"""Blanks between two columns."""
_PROSE = 16
"""Columns of the screen that a sentence gets at least."""


def _fitting(table: Table, rows: Sequence[Sequence[str]], width: int) -> list[int] | None:
    """How wide each column is drawn so that only sentences are broken, and at words; None where that cannot be."""
    from rich.cells import cell_len

    columns = list(zip(*rows, strict=True)) or [()] * len(table.columns)
    natural = [max(map(cell_len, (name, *cells))) for name, cells in zip(table.columns, columns, strict=True)]
    least = [
        max(_PROSE, cell_len(name), *(cell_len(word) for cell in cells for word in cell.split()))
        if any(" " in cell.strip() for cell in cells) and name not in table.whole
        else full
        for name, cells, full in zip(table.columns, columns, natural, strict=True)
    ]
    least = [min(pair) for pair in zip(least, natural, strict=True)]
    room = width - _PAD * (len(natural) - 1) - sum(least)
    if room < 0:
        return None
    wanted = [full - short for full, short in zip(natural, least, strict=True)]
    total = sum(wanted)
    return [
        short + (want if total <= room else want * room // total) for short, want in zip(least, wanted, strict=True)
    ]


def _render_columns(table: Table, rows: Sequence[Sequence[str]], widths: Sequence[int], console: Console) -> None:
    from rich import box
    from rich.table import Table as RichTable
    from rich.text import Text

    drawn = RichTable(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    for name, to_right, width in zip(table.columns, _right_aligned(table), widths, strict=True):
        drawn.add_column(Text(name), justify="right" if to_right else "left", overflow="fold", width=width)
    for row in rows:
        drawn.add_row(*map(Text, row))  # Text, not str: brackets in a text are no markup
    console.print(drawn)


def _render_rows(table: Table, rows: Sequence[Sequence[str]], console: Console) -> None:
    """A block of lines a row, ``column  cell`` each, where the columns do not fit side by side.

    Sentences go on under themselves; a word is never broken, and where it is longer than the screen only the terminal
    wraps it, so that it is copied whole.
    """
    from rich.cells import cell_len
    from rich.text import Text

    margin = max(map(cell_len, table.columns)) + _PAD
    for row in rows:
        console.print()
        for name, cell in zip(table.columns, row, strict=True):
            text = cell if name in table.whole else _at_words(cell, console.width - margin, indent=margin)
            line = Text(name + " " * (margin - cell_len(name)), style="bold").append(Text(text, style="not bold"))
            console.print(line, soft_wrap=True)


def _at_words(sentence: str, width: int, indent: int = 0) -> str:
    """A sentence in lines of at most ``width``, all but the first indented; longer words stay whole."""
    lines = textwrap.wrap(sentence, max(width, _PROSE), break_long_words=False, break_on_hyphens=False)
    return f"\n{' ' * indent}".join(lines)


def say_at_words(sentence: str, console: Console, *, style: str = "") -> None:
    """Print a sentence whose lines end at words on a terminal; a path or a name stays whole, however long it is."""
    from rich.text import Text

    sentence = visible(sentence)
    if console.is_terminal:
        console.print(Text(_at_words(sentence, console.width), style=style), soft_wrap=True)
    else:
        console.file.write(sentence + "\n")


def to_json(value: Any) -> str:
    """One JSON value, Chinese readable. Takes tables, dataclasses, pydantic models and paths as well."""
    text = dump_json(value, indent=2, default=_plain_data)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:  # a lone surrogate from somebody's JSON
        text = dump_json(value, ensure_ascii=True, indent=2, default=_plain_data)
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
