"""Reading the files that users bring: their lines, and JSON in them."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from ietool.errors import UserError
from ietool.files.archives import damage_told, open_members
from ietool.files.charset import check_narrow, not_utf8
from ietool.files.plain_json import ONE_A_LINE, load_json, what_is_wrong

Line = tuple[str, int, str]
"""A line of an input file: (file name, 1-based number, text without its end)."""

LONGEST_LINE = 1 << 26
"""Bytes of a line, or of a record of a document: so much is held in memory at a time."""

DEEPEST = 200
"""Lists and objects within one another."""


SKIP = "mend the record, or leave it out with --skip-bad"
"""The mend of a bad record."""

OnBad = Callable[[UserError, str], None]
"""Told of each bad line: what is wrong with it, and the line as far as it can be read."""


def read_lines(path: str | Path, on_bad: OnBad | None = None, *, blank: bool = False) -> Iterator[Line]:
    """Stream the lines of a UTF-8 file as (file name, 1-based line number, line without its end), those that are blank
    only with ``blank``.

    A byte order mark and CRLF are taken off. ``-`` is standard input. Every member of a zip is read, one after another.
    Lines that are not UTF-8 go to ``on_bad`` where it is given.

    Raises:
        UserError: the file is missing, damaged, packed otherwise or, naming the line, not UTF-8 or endless.
    """
    with damage_told(path):
        for name, stream in open_members(path):
            yield from decode_lines(name, stream, on_bad, blank=blank)


def decode_lines(name: str, stream: BinaryIO, on_bad: OnBad | None = None, *, blank: bool = False) -> Iterator[Line]:
    """The lines of a stream, as :func:`read_lines` gives them."""
    number = 0
    try:
        # Split on \n only: U+2028, U+0085 and the like occur inside the JSON strings of real corpora.
        for number, raw in enumerate(io.BufferedReader(_Bounded(stream), 1 << 16), 1):
            if raw == b"\n" and not blank:  # quickly: an archive of a few bytes can hold millions
                continue
            if number == 1:
                check_narrow(raw, name)
            try:
                line = raw.decode("utf-8-sig" if number == 1 else "utf-8")
            except UnicodeDecodeError as error:
                what = f"is not UTF-8 (byte 0x{raw[error.start]:02x} at byte {error.start + 1} of the line)"
                bad = not_utf8(what, "GB18030", name, number)
                if on_bad is None:
                    raise bad from None
                on_bad(bad, raw.decode("utf-8", "backslashreplace").rstrip("\r\n"))
                continue
            line = line.rstrip("\r\n")
            if "\0" in line:
                bad = UserError("has a zero byte, as no text file has", file=name, line=number, mend=SKIP)
                if on_bad is None:
                    raise bad
                on_bad(bad, line)
                continue
            if blank or line.strip():
                yield name, number, line
    except _Endless:
        mend = "divide it into lines; is it a text file?"
        raise UserError(f"is longer than {LONGEST_LINE >> 20} MB", file=name, line=number + 1, mend=mend) from None


class _Endless(Exception):
    """A line is longer than :data:`LONGEST_LINE`."""


class _Bounded(io.RawIOBase):
    """A stream that ends with :class:`_Endless` before a line of it fills the memory: looked at in blocks, since that
    costs less than to bound the reading of each line."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream, self._run = stream, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        piece = self._stream.read1(len(buffer))  # type: ignore[attr-defined]
        end = piece.rfind(b"\n")
        self._run = self._run + len(piece) if end < 0 else len(piece) - end - 1
        if self._run > LONGEST_LINE:
            raise _Endless
        buffer[: len(piece)] = piece
        return len(piece)


def parse_json(line: str, file: str, number: int, *, once: bool = False) -> dict[str, Any]:
    """One JSON object from one line, whose strings can be written again.

    Args:
        once: refuse an object that has a key twice.

    Raises:
        UserError: naming file and line, when the line is cut, is not JSON, is no object, or holds what cannot be
            handled: half of a surrogate pair, a number of thousands of digits, hundreds of levels.
    """
    try:
        record = load_json(line, once=once)
        # Only an escape can bring a lone surrogate into a string; it would fail when it is written, hours later.
        if "\\ud" in line or "\\uD" in line:
            json.dumps(record, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        code = f"\\u{ord(error.object[error.start]):04x}"
        raise UserError(f"has half of a surrogate pair ({code})", file=file, line=number, mend=SKIP) from None
    except RecursionError:
        raise _too_deep(file, number) from None
    except ValueError as error:
        message, mend = what_is_wrong(line, error)
        raise UserError(message, file=file, line=number, mend=mend or SKIP) from None
    if not isinstance(record, dict):
        raise UserError(
            f"is JSON but no object: {'null' if record is None else type(record).__name__}",
            file=file,
            line=number,
            mend=ONE_A_LINE if isinstance(record, list) else "write one object a line: {…}",
        )
    if is_too_deep(record, line):
        raise _too_deep(file, number)
    return record


def is_too_deep(value: Any, text: str, start: int = 0, end: int | None = None) -> bool:
    """Whether a JSON value, written in ``text[start:end]``, has more than :data:`DEEPEST` levels."""
    end = len(text) if end is None else end
    if text.count("[", start, end) + text.count("{", start, end) <= DEEPEST:  # nearly always
        return False
    level = [value]
    for _ in range(DEEPEST):
        below: list[Any] = []
        for node in level:
            children = node.values() if type(node) is dict else node
            if not _CONTAINERS.isdisjoint(map(type, children)):
                below += [child for child in children if type(child) in _CONTAINERS]
        if not below:
            return False
        level = below
    return True


_CONTAINERS = frozenset((dict, list))


def _too_deep(file: str, line: int) -> UserError:
    return UserError("is nested too deeply", file=file, line=line, mend=SKIP)
