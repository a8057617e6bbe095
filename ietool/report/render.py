"""Drawing tables: Rich on a terminal, aligned plain text elsewhere; and JSON."""

from __future__ import annotations

import dataclasses
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ietool.errors import cut, visible
from ietool.files.plain_json import dump_json
from ietool.tables import Cell, Difference, Interval, Table

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
        return f"{cell:+.4f}" if isinstance(cell, Difference) else f"{cell:.4f}"
    return visible(str(cell))


WIDEST = 119
"""Columns of a table where it is not drawn on a terminal: in a pipe or a file."""
_PAD = 2
"""Blanks between two columns."""
_PROSE, _PHRASE = 16, 24
"""Columns of the screen that a sentence gets at least; those of a column whose cells are too short to be broken."""
_TABLES = 4
"""Tables that one becomes at most, where there is no room for all of its columns."""


def render(table: Table, console: Console, *, tsv: bool = False, blocks: bool = False) -> None:
    """Print a table with its title above and its note below; or with ``tsv`` as :func:`as_tsv` has it.

    Args:
        blocks: a block of lines a row, whatever room there is: for rows that are read one by one.
    """
    if tsv:
        console.file.write(as_tsv(table))
    elif console.is_terminal:
        _render_rich(table, console, blocks=blocks)
    else:
        console.file.write(plain(table, blocks=blocks))
    console.file.flush()


def render_all(tables: Iterable[Table], console: Console, *, tsv: bool = False) -> None:
    """Print tables with a blank line between them."""
    for number, table in enumerate(tables):
        if number:
            console.file.write("\n")
        render(table, console, tsv=tsv)


def as_tsv(table: Table) -> str:
    """The table as columns divided by tabs, for programs: the title behind a #, the names of the columns, then a line
    a row; floats with all their digits, the ends of an interval in two columns, nothing where there is no value, no
    note."""
    double = {at for row in table.rows for at, cell in enumerate(row) if isinstance(cell, Interval)}

    def fields(at: int, cell: Cell) -> list[str]:
        if isinstance(cell, Interval):
            return [repr(cell.low), repr(cell.high)]
        text = "" if cell is None else repr(float(cell)) if isinstance(cell, float) else visible(str(cell))
        return [text, ""] if at in double else [text]

    def heads(at: int, name: str) -> list[str]:
        return [f"{name} low", f"{name} high"] if at in double else [name]

    lines = [f"# {_title(table)}"] if table.title else []
    if table.columns:
        lines.append("\t".join(visible(head) for at, name in enumerate(table.columns) for head in heads(at, name)))
    lines += ["\t".join(field for at, cell in enumerate(row) for field in fields(at, cell)) for row in table.rows]
    return "".join(line + "\n" for line in lines)


def plain(table: Table, width: int = WIDEST, *, blocks: bool = False) -> str:
    """The table as aligned text of at most so many columns, nothing cut off; Chinese characters count as two.

    A line is longer only where a word is, or a cell that is to be copied: neither is ever broken.
    """
    out = [f"{line}\n" for line in _wrapped(_title(table), width, wide=True)] if table.title else []
    out += [line + "\n" for line, _ in _lines(table, width, rule="-", wide=True, blocks=blocks)]
    if table.note:
        out += [f"{line}\n" for line in _wrapped(visible(table.note), width, wide=True)]
    return "".join(out)


def _title(table: Table) -> str:
    """A title, which may be somebody's text: the beginning of a long one tells which."""
    return visible(cut(table.title))


def _render_rich(table: Table, console: Console, *, blocks: bool) -> None:
    from rich.text import Text

    if table.title:
        console.print(Text("\n".join(_wrapped(_title(table), console.width)), style="bold"), soft_wrap=True)
    for line, bold in _lines(table, console.width, rule="─", blocks=blocks):
        # Text, not str: brackets in a text are no markup. What is longer than the screen only the terminal wraps, so
        # that it is copied whole.
        console.print(Text(line[:bold], style="bold").append(Text(line[bold:], style="not bold")), soft_wrap=True)
    if table.note:
        say_at_words(table.note, console, style="dim")


# -- lines


def _lines(
    table: Table, width: int, *, rule: str, wide: bool = False, blocks: bool = False
) -> Iterator[tuple[str, int]]:
    """The lines of a table, each with how many of its first characters are headings.

    Args:
        rule: what the line under the names of columns consists of.
        wide: whether also words longer than a line are broken, between Chinese characters alone.
    """
    if not table.columns:
        return
    rows = [[cell_text(cell) for cell in row] for row in table.rows]
    parts = None if blocks else _parts(table, rows, width)
    if parts is None:
        yield from _blocks(table, rows, width, wide=wide)
    for number, (chosen, widths) in enumerate(parts or ()):
        if number:
            yield "", 0
        yield from _side_by_side(table, rows, chosen, widths, rule)


def _parts(table: Table, rows: Sequence[Sequence[str]], width: int) -> list[tuple[list[int], list[int]]] | None:
    """The columns that are drawn side by side, and how wide: all of them in one table; or in several, each with the
    first column; None where that cannot be, or would not tell rows apart."""
    every = range(len(table.columns))
    if (widths := _fitting(table, rows, list(every), width)) is not None:
        return [(list(every), widths)]
    if len({row[0] for row in rows}) < len(rows):
        return None
    parts: list[tuple[list[int], list[int]]] = []
    left = list(every[1:])
    while left:
        chosen: list[int] | None = None
        for count in range(1, len(left) + 1):
            if _fitting(table, rows, [0, *left[:count]], width) is None:
                break
            chosen = [0, *left[:count]]
        if chosen is None or len(parts) == _TABLES:
            return None
        found = _fitting(table, rows, chosen, width)
        assert found is not None
        parts.append((chosen, found))
        left = left[len(chosen) - 1 :]
    return parts or None


def _fitting(table: Table, rows: Sequence[Sequence[str]], chosen: Sequence[int], width: int) -> list[int] | None:
    """How wide each of some columns is drawn so that only sentences are broken, and at words; None where that cannot
    be."""
    from rich.cells import cell_len

    whole, natural, least = _whole(table), [], []
    for at in chosen:
        name, cells = table.columns[at], [row[at] for row in rows]
        full = max(map(cell_len, (name, *cells)))
        short = full
        if full > _PHRASE and not whole[at] and any(" " in cell.strip() for cell in cells):
            short = max(_PROSE, cell_len(name), *(cell_len(word) for cell in cells for word in cell.split(" ")))
        natural.append(full)
        least.append(min(short, full))
    room = width - _PAD * (len(natural) - 1) - sum(least)
    if room < 0:
        return None
    wanted = [full - short for full, short in zip(natural, least, strict=True)]
    total = sum(wanted)
    return [
        short + (want if total <= room else want * room // total) for short, want in zip(least, wanted, strict=True)
    ]


def _side_by_side(
    table: Table, rows: Sequence[Sequence[str]], chosen: Sequence[int], widths: Sequence[int], rule: str
) -> Iterator[tuple[str, int]]:
    """Names of columns, a rule, and the rows; sentences go on under themselves."""
    from rich.cells import cell_len

    right = _right_aligned(table)

    def line(cells: Iterable[str]) -> str:
        parts = []
        for at, text, width in zip(chosen, cells, widths, strict=True):
            space = " " * (width - cell_len(text))
            parts.append(space + text if right[at] else text + space)
        return (" " * _PAD).join(parts).rstrip(" ")

    heading = line(table.columns[at] for at in chosen)
    yield heading, len(heading)
    yield line(rule * width for width in widths), 0
    for row in rows:
        cells = [_wrapped(row[at], width) for at, width in zip(chosen, widths, strict=True)]
        for number in range(max(map(len, cells))):
            yield line(cell[number] if number < len(cell) else "" for cell in cells), 0


def _blocks(table: Table, rows: Sequence[Sequence[str]], width: int, *, wide: bool) -> Iterator[tuple[str, int]]:
    """A block of lines a row, ``column  cell`` each, where the columns do not fit side by side; sentences go on under
    themselves."""
    from rich.cells import cell_len

    margin = max(map(cell_len, table.columns)) + _PAD
    for row in rows:
        yield "", 0
        for name, cell, unbroken in zip(table.columns, row, _whole(table), strict=True):
            head = name + " " * (margin - cell_len(name))
            if unbroken:
                yield head + cell, len(head)
                continue
            for number, text in enumerate(_wrapped(cell, max(width - margin, _PROSE), wide=wide)):
                yield (" " * margin if number else head) + text, 0 if number else len(head)


def _whole(table: Table) -> list[bool]:
    """Which columns are never broken though they may hold blanks: those that are copied, and intervals."""
    return [
        name in table.whole or any(isinstance(row[at], Interval) for row in table.rows)
        for at, name in enumerate(table.columns)
    ]


def _right_aligned(table: Table) -> list[bool]:
    def numeric(index: int) -> bool:
        cells = [row[index] for row in table.rows if row[index] is not None]
        return bool(cells) and all(isinstance(cell, int | float) for cell in cells)

    return [numeric(index) for index in range(len(table.columns))]


_WORDS = re.compile(r"[^ ]+ *| +")
_WIDE = "\u2e80-\ua4cf\uac00-\ud7af\uf900-\ufaff\ufe30-\ufe6f\uff00-\uffef\U00020000-\U0003ffff"
_CHARACTERS = re.compile(rf"[{_WIDE}] *|[^{_WIDE}]+")
"""A character of Chinese and the like, or a run of others."""


def _wrapped(sentence: str, width: int, *, wide: bool = False) -> list[str]:
    """A sentence in lines of at most so many columns of the screen, broken at blanks. Longer words stay whole, but with
    ``wide`` for Chinese, between whose characters lines may end."""
    from rich.cells import cell_len

    if cell_len(sentence) <= width:
        return [sentence]
    lines, line = list[str](), ""
    for word in _WORDS.findall(sentence):
        for unit in _CHARACTERS.findall(word) if wide and cell_len(word.rstrip(" ")) > width else [word]:
            if line and cell_len(line) + cell_len(unit.rstrip(" ")) > width:
                lines.append(line.rstrip(" "))
                line = ""
            line += unit
    return [*lines, line.rstrip(" ")]


def say_at_words(sentence: str, console: Console, *, style: str = "") -> None:
    """Print a sentence whose lines end at words on a terminal; a path or a name stays whole, however long it is."""
    from rich.text import Text

    sentence = visible(sentence)
    if console.is_terminal:
        console.print(Text("\n".join(_wrapped(sentence, console.width)), style=style), soft_wrap=True)
    else:
        console.file.write(sentence + "\n")


def to_json(value: Any, *, ascii_only: bool = False) -> str:
    """One JSON value, Chinese readable. Takes tables, dataclasses, pydantic models and paths as well."""
    text = dump_json(value, indent=2, ensure_ascii=ascii_only, default=_plain_data)
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
