"""Files of questions taken apart into records, streaming: a record a line, one JSON list, or one SQuAD document.

JSON documents are taken apart as they are read: memory holds one record, however long the file and its lines are.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ietool.files import documents
from ietool.files.documents import Document, Place, Taken
from ietool.files.json_stream import Damage, JsonStream, read_text
from ietool.files.lines import OnBad


def read_documents(path: str | Path, on_bad: OnBad | None) -> Taken:
    """:func:`ietool.files.documents.read_documents` of a file of questions, whose SQuAD documents give paragraphs.

    A paragraph gets the ``title`` of its article where that stands before its paragraphs.
    """
    return documents.read_documents(path, on_bad, SQUAD)


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


def _paragraphs(name: str, document: JsonStream) -> Iterator[tuple[Place, Any]]:
    """Paragraphs of articles; what stands beside them is passed over."""
    for key in document.members():
        if key != "data" or document.peek() != "[":
            document.value()
            continue
        for article, _ in enumerate(document.items()):
            if document.peek() == "{":
                yield from _of_article(name, article, document)
            else:  # told by who reads it
                yield Place(name, at=f"data[{article}]."), document.value()
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
            if title and isinstance(title, str) and isinstance(paragraph, dict):
                paragraph.setdefault("title", title)
            yield Place(name, at=f"data[{article}].paragraphs[{number}]."), paragraph


# Keys that come before ``data`` in SQuAD documents are short: the beginning of the file tells.
SQUAD = Document(_has_data, _paragraphs)
