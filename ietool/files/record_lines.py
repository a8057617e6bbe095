"""Records of JSON, a line each, whether the file has them so or as one list over any number of lines."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import chain, groupby
from pathlib import Path

from ietool.errors import UserError
from ietool.files.json_stream import Damage, JsonStream
from ietool.files.lines import Line, OnBad, read_lines


def record_lines(path: str | Path, on_bad: OnBad | None = None) -> Iterator[Line]:
    """Stream the records of a file as lines of JSON: (file, number of the line on which a record begins, its text).

    A file whose first character is ``[`` is a list, of which a value at a time is in memory; all others go line by
    line, as :func:`ietool.files.lines.read_lines` gives them.

    Raises:
        UserError: the file cannot be read, or a list is damaged: nothing behind the damage can be read.
    """
    for file, lines in groupby(read_lines(path, on_bad), key=lambda line: line[0]):
        yield from _of_member(file, lines)


def _of_member(file: str, lines: Iterator[Line]) -> Iterator[Line]:
    first = next(lines)
    everything = chain([first], lines)
    return _of_list(file, everything) if first[2].lstrip().startswith("[") else everything


def _of_list(file: str, lines: Iterable[Line]) -> Iterator[Line]:
    document = JsonStream(_pieces(lines))
    try:
        for _ in document.items():
            document.peek()
            number = document.line
            yield file, number, json.dumps(document.value(), ensure_ascii=False)
        document.end()
    except Damage as damage:
        raise UserError(f"is a list that {damage.what}", file=file, line=damage.line, mend=damage.mend) from None


def _pieces(lines: Iterable[Line]) -> Iterator[str]:
    """The lines as they stand in the file, blank ones among them."""
    before = 1
    for _, number, text in lines:
        yield "\n" * (number - before) + text
        before = number
