"""Files taken apart into records, streaming: a record a line, one JSON list, or one SQuAD document of paragraphs.

JSON documents are taken apart as they are read: memory holds one record, however long the file and its lines are.
"""

from __future__ import annotations

import codecs
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

from ietool.errors import UserError
from ietool.files.archives import damage_told, open_members
from ietool.files.charset import check_narrow
from ietool.files.json_stream import Damage, JsonStream, read_text
from ietool.files.lines import OnBad, decode_lines, parse_json
from ietool.tasks.qa.data.forms.recognise import KNOWN

_HEAD = 1 << 20
"""Bytes looked at to tell how a file is laid out. Keys that come before ``data`` in SQuAD documents are short."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a record stands: ``line`` in files with a record a line; ``at`` as ``[17].`` or ``data[0].`` in others."""

    file: str
    line: int | None = None
    at: str = ""

    def error(self, field: str, message: str, mend: str) -> UserError:
        """What is wrong with a field of the record; ``field`` may be empty."""
        return UserError(
            message, file=self.file, line=self.line, field=(self.at + field).rstrip(".") or None, mend=mend
        )


def read_documents(path: str | Path, on_bad: OnBad | None) -> Iterator[tuple[Place, dict[str, Any]]]:
    """Stream the records of a file, each with its place: objects of a list or a line, paragraphs of a SQuAD document.

    A paragraph gets the ``title`` of its article where that stands before its paragraphs.

    Args:
        path: plain, gzip or zip (every member); ``-`` is standard input.
        on_bad: told of bad lines, which are then skipped; a damaged JSON document is an error all the same, since
            nothing behind the damage can be read.

    Raises:
        UserError: the file cannot be read or is not JSON.
    """
    with damage_told(path):
        for name, stream in open_members(path):
            head = _read_up_to(stream, _HEAD)
            check_narrow(head, name)
            whole = cast(BinaryIO, io.BufferedReader(_Joined(head.removeprefix(codecs.BOM_UTF8), stream), 1 << 16))
            layout = _layout(head.removeprefix(codecs.BOM_UTF8))
            if layout == "lines":
                yield from _lines(name, whole, on_bad)
            elif layout:
                document = JsonStream(read_text(whole))
                take = {"squad": _paragraphs, "list": _items, "objects": _objects}[layout]
                yield from _told(name, take(name, document))


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


def _layout(head: bytes) -> str:
    """``squad``, ``list``, ``objects`` (JSON objects over several lines), ``lines``, or empty for an empty file."""
    text = head.lstrip()
    if not text:
        return ""
    if text[:1] == b"[":
        return "list"
    if text[:1] != b"{":
        return "lines"  # where the message names the line that is no JSON
    if _has_data(text):
        return "squad"
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


def _has_data(head: bytes) -> bool:
    """Whether the first JSON object has a list ``data``, as SQuAD documents have, as far as its beginning tells."""
    document = JsonStream(read_text(io.BytesIO(head)))
    try:
        for key in document.members():
            if key == "data":
                return document.peek() == "["
            document.value()
    except Damage:
        pass  # the head ends in the middle, or the file is damaged, which is told when it is read
    return False


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


def _paragraphs(name: str, document: JsonStream) -> Iterator[tuple[Place, Any]]:
    """Paragraphs of articles; what stands beside them is passed over."""
    for key in document.members():
        if key != "data" or document.peek() != "[":
            document.value()
            continue
        for article, _ in enumerate(document.items()):
            if document.peek() == "{":
                yield from _of_article(name, article, document)
            else:
                document.value()
    document.end()


def _of_article(name: str, article: int, document: JsonStream) -> Iterator[tuple[Place, Any]]:
    title: Any = ""
    for key in document.members():
        if key != "paragraphs" or document.peek() != "[":
            value = document.value()
            title = value if key == "title" else title
            continue
        for number, _ in enumerate(document.items()):
            paragraph = document.value()
            at = f"data[{article}].paragraphs[{number}]"
            if not isinstance(paragraph, dict):
                raise UserError("is no object", file=name, field=at, mend=f"write {KNOWN}")
            if title and isinstance(title, str):
                paragraph.setdefault("title", title)
            yield Place(name, at=f"{at}."), paragraph


def _told(name: str, records: Iterator[tuple[Place, Any]]) -> Iterator[tuple[Place, Any]]:
    """The records, and what is wrong with a damaged document with its place."""
    count = 0
    try:
        for place, record in records:
            count += 1
            yield place, record
    except Damage as damage:
        behind = f"behind record {count}" if count else "at its beginning"
        raise UserError(f"{damage.what} {behind}", file=name, line=damage.line, mend=damage.mend) from None
