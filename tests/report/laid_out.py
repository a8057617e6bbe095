"""What must hold of every table, however wide the screen is."""

from __future__ import annotations

import io
import unicodedata
from collections.abc import Iterator

from rich.cells import cell_len
from rich.console import Console

from ietool.report.render import WIDEST, cell_text, plain, render
from ietool.tables import Interval, Table

WIDTHS = (60, 80, 120, None)
"""Columns of terminals; None: a pipe."""


def lines_of(table: Table, width: int | None, *, blocks: bool = False) -> list[str]:
    """The lines of a table on a terminal without colours, or in a pipe."""
    if width is None:
        return plain(table, blocks=blocks).split("\n")
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, width=width, color_system=None, markup=False, emoji=False)
    render(table, console, blocks=blocks)
    return file.getvalue().split("\n")


def unbroken(table: Table) -> Iterator[tuple[str, bool]]:
    """(text, whether a pipe may break it where it is longer than a line) of all that stays in one line."""
    for sentence in (table.title[:200], table.note):
        yield from ((word, True) for word in sentence.split(" "))
    intervals = {at for row in table.rows for at, cell in enumerate(row) if isinstance(cell, Interval)}
    for row in table.rows:
        for at, (name, cell) in enumerate(zip(table.columns, row, strict=True)):
            text = cell_text(cell)
            if name in table.whole or at in intervals or isinstance(cell, int | float):
                yield text.rstrip(" "), False
            else:
                yield from ((word, True) for word in text.split(" "))


def check(table: Table, width: int | None, *, blocks: bool = False) -> None:
    """Fail where something of a table is broken that must not be, or where a line is longer than it need be.

    Numbers, cells that are copied and words are whole; a pipe breaks words too, where they are Chinese and longer than
    a line. Lines are not longer than the screen unless such a thing is.
    """
    lines = lines_of(table, width, blocks=blocks)
    most = width or WIDEST
    margin = max(map(cell_len, table.columns), default=0) + 2
    longest = 0
    for text, breakable in unbroken(table):
        chinese = any(cell_len(character) == 2 for character in text)
        if width is None and breakable and chinese and cell_len(text) > most - margin:
            continue
        assert any(text in line for line in lines), (text, width)
        longest = max(longest, cell_len(text))
    if longest + margin <= most:
        assert max(map(cell_len, lines)) <= most, max(lines, key=cell_len)
    assert all(c.isprintable() or unicodedata.category(c) == "Zs" for line in lines for c in line)
