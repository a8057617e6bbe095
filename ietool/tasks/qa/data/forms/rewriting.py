"""A file of questions written again, streaming, with some of its records changed and all else as it stands.

A line that no change touches is the same line. Of JSON documents the values are the same, and their order; blanks
between them are not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ietool.errors import UserError
from ietool.files.archives import damage_told
from ietool.files.documents import open_documents, told
from ietool.files.json_stream import JsonStream, read_text
from ietool.files.lines import OnBad, decode_lines
from ietool.files.plain_json import dump_json, load_json
from ietool.tasks.qa.data.forms.documents import SQUAD

Change = Callable[[Any], Any]
"""A record → the one that stands in its place: the same where nothing changes."""


def rewritten(source: Path, change: Change, on_bad: OnBad) -> Iterator[str]:
    """A file in pieces, each record of which was given to ``change``: a line, a value of a list, a paragraph of a SQuAD
    document.

    Raises:
        UserError: the file cannot be read, is damaged, or holds several documents, which are no file together.
    """
    documents = 0
    with damage_told(source):
        for name, layout, stream in open_documents(source, SQUAD):
            documents += layout in ("list", "document")
            if documents > 1:
                what = "holds several JSON documents, which are no training file together"
                raise UserError(what, file=source, mend="unpack it, and train folds on one of them")
            if layout == "lines":
                yield from _lines(name, stream, change, on_bad)
            elif layout:
                write = {"list": _list, "objects": _objects, "document": _squad}[layout]
                yield from told(name, write(JsonStream(read_text(stream)), change))


def _lines(name: str, stream: Any, change: Change, on_bad: OnBad) -> Iterator[str]:
    for _, _, line in decode_lines(name, stream, on_bad):
        try:
            record = load_json(line)
        except (ValueError, RecursionError):
            yield line + "\n"
            continue
        after = change(record)
        yield (line if after is record else dump_json(after)) + "\n"


def _list(document: JsonStream, change: Change) -> Iterator[str]:
    first = "[\n"
    for _ in document.items():
        yield first + dump_json(change(document.value()))
        first = ",\n"
    document.end()
    yield "[]\n" if first == "[\n" else "\n]\n"


def _objects(document: JsonStream, change: Change) -> Iterator[str]:
    while document.peek():
        yield dump_json(change(document.value())) + "\n"


def _squad(document: JsonStream, change: Change) -> Iterator[str]:
    """Key by key; ``data`` article by article."""
    yield "{"
    for number, key in enumerate(document.members()):
        yield f"{', ' if number else ''}{dump_json(key)}: "
        if key != "data" or document.peek() != "[":
            yield dump_json(document.value())
            continue
        yield "["
        for article, _ in enumerate(document.items()):
            yield ",\n" if article else "\n"
            if document.peek() == "{":
                yield from _article(document, change)
            else:
                yield dump_json(document.value())
        yield "\n]"
    document.end()
    yield "}\n"


def _article(document: JsonStream, change: Change) -> Iterator[str]:
    yield "{"
    for number, key in enumerate(document.members()):
        yield f"{', ' if number else ''}{dump_json(key)}: "
        if key != "paragraphs" or document.peek() != "[":
            yield dump_json(document.value())
            continue
        yield "["
        for paragraph, _ in enumerate(document.items()):
            yield (", " if paragraph else "") + dump_json(change(document.value()))
        yield "]"
    yield "}"
