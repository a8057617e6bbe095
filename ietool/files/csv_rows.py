"""Rows of CSV files as a stream, each with the line on which it begins."""

from __future__ import annotations

import csv
import io
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from ietool.errors import UserError
from ietool.files.lines import SKIP, Line, OnBad

CELL = 1 << 17
"""Characters of a cell, at most; the library's own bound. A quote that is never closed ends there at the latest."""


class _Fed:
    """Lines as the library wants them, with their ends; knows which were taken for the row it is at."""

    def __init__(self, lines: Iterable[Line]) -> None:
        self._lines = iter(lines)
        self._waiting = deque[Line]()
        self._given: list[Line] = []
        self.file, self.first, self.last = "", 0, 0
        self.taken: list[str] = []

    def begin(self) -> bool:
        """Look for the next row; whether there is one."""
        self.taken, self._given = [], []
        if not self._waiting:
            self._waiting.extend(islice(self._lines, 1))
        if not self._waiting:
            return False
        self.file, self.first, _ = self._waiting[0]
        self.last = self.first - 1
        return True

    def __iter__(self) -> _Fed:
        return self

    def __next__(self) -> str:
        line = self._waiting.popleft() if self._waiting else next(self._lines, None)
        if line is None:
            raise StopIteration
        file, number, text = line
        if file != self.file:  # the member of an archive ends here, whatever quote is open
            self._waiting.appendleft(line)
            raise StopIteration
        self._given.append(line)
        # Blank lines do not come; within quotes they belong to a cell.
        text = "\n" * (number - self.last - 1 if self.taken else 0) + text
        self.last = number
        self.taken.append(text)
        return text + "\n"

    def only_first(self) -> str:
        """The first line of what was taken; those behind it come again."""
        self._waiting.extendleft(reversed(self._given[1:]))
        return self.taken[0]


def read_rows(lines: Iterable[Line], on_bad: OnBad | None = None) -> Iterator[tuple[str, int, str, Sequence[str]]]:
    """Stream the rows of CSV: (file, line on which the row begins, the row as it stands, cells).

    Args:
        lines: (file, 1-based number, text) as :func:`ietool.files.lines.read_lines` gives them.
        on_bad: told of rows that are none, which are then left out; without it the first one raises.

    Raises:
        UserError: naming file and line: quotes that are not closed, or characters behind a closed one.
    """
    fed = _Fed(lines)
    while fed.begin():
        # A reader a row: what was taken for a bad one is known, and it goes on behind its first line.
        try:
            cells = next(csv.reader(fed, strict=True), None)
        except csv.Error as error:
            bad = _told(error, fed)
            if on_bad is None:
                raise bad from None
            on_bad(bad, fed.only_first())  # rows behind a quote that is not closed are none of its text
            continue
        if cells:
            yield fed.file, fed.first, "\n".join(fed.taken), cells


def _told(error: csv.Error, fed: _Fed) -> UserError:
    text = str(error)
    if "unexpected end" in text or "field limit" in text or "field larger" in text:
        what = "opens a quote that is not closed"
    elif "expected after" in text:
        what = "has more behind a closing quote than a comma"
    else:
        what = f"is no row of CSV ({text})"
    mend = f'close the quote, and write "" for one within a cell; or {SKIP}'
    return UserError(what, file=fed.file, line=fed.first, mend=mend)


def format_row(cells: Iterable[str]) -> str:
    """A row, every cell in quotes, without its line end."""
    out = io.StringIO()
    csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="").writerow(list(cells))
    return out.getvalue()
