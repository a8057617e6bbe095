"""Files taken apart into records, streaming: a record a line, one JSON list, or one SQuAD document of paragraphs.

JSON documents go through ijson, so that memory holds one record, however long the file and its lines are.
"""

from __future__ import annotations

import codecs
import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

import ijson
from ijson.common import ObjectBuilder

from ietool.charset import check_narrow
from ietool.errors import UserError
from ietool.files import OnBad, damage_told, decode_lines, open_members, parse_json
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
            # ijson reads on where the head ends; so do lines.
            whole = cast(BinaryIO, io.BufferedReader(_Joined(head.removeprefix(codecs.BOM_UTF8), stream), 1 << 16))
            layout = _layout(head.removeprefix(codecs.BOM_UTF8))
            if layout == "lines":
                yield from _lines(name, whole, on_bad)
            elif layout == "squad":
                yield from _told(name, _paragraphs(name, whole))
            elif layout:
                yield from _told(name, _items(name, whole, "item" if layout == "list" else ""))


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
    except ValueError:
        # The first line may be cut in half; in an object over several lines the next one does not begin another.
        following = next((line for line in lines[1:] if line), b"")
        return "lines" if following[:1] == b"{" else "objects"
    return "lines"


def _has_data(head: bytes) -> bool:
    """Whether the first JSON object has a list ``data``, as SQuAD documents have, as far as its beginning tells."""
    depth, key = 0, ""
    try:
        for event, value in ijson.basic_parse(io.BytesIO(head), multiple_values=True):
            if event == "map_key" and depth == 1:
                key = value
            elif event in ("start_map", "start_array"):
                if depth == 1 and key == "data" and event == "start_array":
                    return True
                depth += 1
            elif event in ("end_map", "end_array"):
                depth -= 1
                if not depth:
                    return False
    except (ijson.JSONError, ValueError):
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


def _items(name: str, stream: BinaryIO, prefix: str) -> Iterator[tuple[Place, Any]]:
    """Values of a list (prefix ``item``), or values one after another (empty prefix)."""
    values = ijson.items(stream, prefix, multiple_values=not prefix, use_float=True)
    for number, value in enumerate(values):
        yield Place(name, at=f"[{number}]." if prefix else f"record {number + 1}: "), value


def _paragraphs(name: str, stream: BinaryIO) -> Iterator[tuple[Place, Any]]:
    """Paragraphs of articles, and what stands in ``data`` that is no article."""
    article, paragraph = -1, -1
    title = ""
    builder: Any = None
    end = ""
    for prefix, event, value in ijson.parse(stream, use_float=True):
        if builder is not None:
            builder.event(event, value)
            if prefix == end and event == "end_map":
                if end == _PARAGRAPH and title:
                    builder.value.setdefault("title", title)
                at = f"data[{article}]." + (f"paragraphs[{paragraph}]." if end == _PARAGRAPH else "")
                yield Place(name, at=at), builder.value
                builder = None
        elif prefix == _PARAGRAPH:
            paragraph += 1
            if event == "start_map":
                builder, end = ObjectBuilder(), prefix
                builder.event(event, value)
            else:
                raise UserError(_NO_OBJECT, file=name, field=f"data[{article}].paragraphs[{paragraph}]", mend=_WRITE)
        elif prefix == "data.item" and event == "start_map":
            article, paragraph, title = article + 1, -1, ""
        elif prefix == "data.item.title" and event == "string":
            title = value


_PARAGRAPH = "data.item.paragraphs.item"
_NO_OBJECT = "is no object"
_WRITE = f"write {KNOWN}"


def _told(name: str, records: Iterator[tuple[Place, Any]]) -> Iterator[tuple[Place, Any]]:
    """The records, and what the library says of a damaged document in words of ours."""
    count = 0
    try:
        for place, record in records:
            count += 1
            yield place, record
    except ijson.IncompleteJSONError as error:
        raise _damaged(name, count, str(error)) from None
    except (ijson.JSONError, UnicodeDecodeError) as error:
        raise _damaged(name, count, str(error)) from None
    except (ValueError, OverflowError):
        raise UserError(
            f"has a number too long to read, behind record {count}", file=name, mend="mend the file"
        ) from None


def _damaged(name: str, count: int, reason: str) -> UserError:
    behind = f"behind record {count}" if count else "at its beginning"
    if "UTF" in reason.upper() or "codec" in reason:
        mend = "convert the file, for example: iconv -f GB18030 -t UTF-8 OLD > NEW"
        return UserError(f"is not UTF-8 {behind}", file=name, mend=mend)
    what = re.sub(r"\s+", " ", reason.split("\n")[0]).strip()[:60]
    if "premature" in reason or "ncomplete" in reason:
        return UserError(f"is cut off {behind}", file=name, mend="download or copy it again")
    return UserError(f"is not JSON {behind} ({what})", file=name, mend="mend the file")
