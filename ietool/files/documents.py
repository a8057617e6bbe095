"""Files taken apart into records, streaming: a record a line, one JSON list, or a document of a task's own.

JSON documents are taken apart as they are read: memory holds one record, however long the file and its lines are.
"""

from __future__ import annotations

import codecs
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, TypeVar, cast

from ietool.errors import UserError
from ietool.files.archives import damage_told, open_members
from ietool.files.charset import check_narrow
from ietool.files.json_stream import Damage, JsonStream, read_text
from ietool.files.lines import OnBad, decode_lines, parse_json

T = TypeVar("T")

_HEAD = 1 << 20
"""Bytes looked at to tell how a file is laid out."""

Taken = Iterator[tuple["Place", Any]]
"""Records, each with its place."""


@dataclass(frozen=True)
class Document:
    """A file that is one JSON object, whose records are parts of it.

    Attributes:
        is_one: whether a file that begins so, without leading blanks, is such a document.
        take: its records, of the name for messages and the stream.
    """

    is_one: Callable[[bytes], bool]
    take: Callable[[str, JsonStream], Taken]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a record stands: ``line`` in files with a record a line; ``at``, before the names of fields, as ``[17].``
    or ``data[0].`` in files that are one JSON value."""

    file: str
    line: int | None = None
    at: str = ""

    def error(self, field: str, message: str, mend: str) -> UserError:
        """What is wrong with a field of the record; ``field`` may be empty."""
        name = (self.at + field).rstrip(".") or None
        return UserError(message, file=self.file, line=self.line, field=name, mend=mend)

    def __str__(self) -> str:
        return self.file + (f":{self.line}" if self.line is not None else "")


def read_documents(path: str | Path, on_bad: OnBad | None, document: Document | None = None) -> Taken:
    """Stream the records of a file, each with its place: values of a list, objects of a line, parts of a document.

    Args:
        path: plain, gzip or zip (every member); ``-`` is standard input.
        on_bad: told of bad lines, which are then skipped; a damaged JSON document is an error all the same, since
            nothing behind the damage can be read.
        document: a form of file that is one object, to be told apart from lines.

    Raises:
        UserError: the file cannot be read or is not JSON.
    """
    with damage_told(path):  # here, where it is read: what is behind the beginning may be damaged
        for name, layout, stream in open_documents(path, document):
            if layout == "lines":
                yield from _lines(name, stream, on_bad)
            elif layout:
                values = JsonStream(read_text(stream))
                if layout == "document" and document is not None:
                    yield from told(name, document.take(name, values))
                else:
                    yield from told(name, (_items if layout == "list" else _objects)(name, values))


def open_documents(path: str | Path, document: Document | None = None) -> Iterator[tuple[str, str, BinaryIO]]:
    """(name for messages, layout, stream without a byte order mark) of each member of a file. The layout is ``lines``,
    ``list``, ``objects`` (over several lines) or ``document``, empty of an empty member.

    Raises:
        UserError: the file cannot be read.
    """
    with damage_told(path):
        for name, stream in open_members(path):
            head = _read_up_to(stream, _HEAD)
            check_narrow(head, name)
            whole = cast(BinaryIO, io.BufferedReader(_Joined(head.removeprefix(codecs.BOM_UTF8), stream), 1 << 16))
            yield name, _layout(head.removeprefix(codecs.BOM_UTF8), document), whole


class _Joined(io.RawIOBase):
    """Some bytes, and then the rest of a stream."""

    def __init__(self, head: bytes, rest: BinaryIO) -> None:
        self._head = memoryview(head)
        self._rest = rest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        size = len(buffer)
        if self._head:
            piece: bytes | memoryview = self._head[:size]
            self._head = self._head[size:]
        else:
            piece = self._rest.read(size)
        buffer[: len(piece)] = piece
        return len(piece)


def _read_up_to(stream: BinaryIO, size: int) -> bytes:
    """The first bytes of a stream; a packed one may give fewer at a time than asked for."""
    pieces = []
    while size and (piece := stream.read(size)):
        pieces.append(piece)
        size -= len(piece)
    return b"".join(pieces)


def _layout(head: bytes, document: Document | None) -> str:
    """``document``, ``list``, ``objects`` (JSON objects over several lines), ``lines``, or empty for an empty file."""
    text = head.lstrip()
    if not text:
        return ""
    if text[:1] == b"[":
        return "list"
    if text[:1] != b"{":
        return "lines"  # where the message names the line that is no JSON
    if document is not None and document.is_one(text):
        return "document"
    lines = [line.strip() for line in text.split(b"\n", 8)[:8]]
    if len(lines) == 1:
        return "lines"
    try:
        json.loads(lines[0])
    except json.JSONDecodeError:
        # The first line may be cut in half; in an object over several lines the next one does not begin another.
        following = next((line for line in lines[1:] if line), b"")
        return "lines" if following[:1] == b"{" else "objects"
    except (ValueError, RecursionError):
        pass  # numbers of thousands of digits, hundreds of levels: told with their line
    return "lines"


def _lines(name: str, stream: BinaryIO, on_bad: OnBad | None) -> Iterator[tuple[Place, dict[str, Any]]]:
    for file, number, line in decode_lines(name, stream, on_bad):
        try:
            record = parse_json(line, file, number)
        except UserError as error:
            if on_bad is None:
                raise
            on_bad(error, line)
            continue
        yield Place(file, number), record


def _items(name: str, document: JsonStream) -> Iterator[tuple[Place, Any]]:
    """The values of a list."""
    for number, _ in enumerate(document.items()):
        yield Place(name, at=f"[{number}]."), document.value()
    document.end()


def _objects(name: str, document: JsonStream) -> Iterator[tuple[Place, Any]]:
    """Values one after another."""
    number = 0
    while document.peek():
        number += 1
        yield Place(name, at=f"record {number}: "), document.value()


def told(name: str, records: Iterator[T]) -> Iterator[T]:
    """The records, and what is wrong with a damaged document with its place."""
    count = 0
    try:
        for record in records:
            count += 1
            yield record
    except Damage as damage:
        behind = f"behind record {count}" if count else "at its beginning"
        raise UserError(f"{damage.what} {behind}", file=name, line=damage.line, mend=damage.mend) from None
