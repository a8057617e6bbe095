"""Records of JSON, a line each, whether the file has them so or as one list over any number of lines."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from ietool.errors import UserError
from ietool.files.archives import damage_told
from ietool.files.documents import open_documents
from ietool.files.json_stream import Damage, JsonStream, read_text
from ietool.files.lines import Line, OnBad, decode_lines


def record_lines(path: str | Path, on_bad: OnBad | None = None) -> Iterator[Line]:
    """Stream the records of a file as lines of JSON: (file, number of the line on which a record begins, its text).

    A file whose first character is ``[`` is a list, of which a value at a time is in memory; all others go line by
    line, as :func:`ietool.files.lines.read_lines` gives them.

    Raises:
        UserError: the file cannot be read, or a list is damaged: nothing behind the damage can be read.
    """
    with damage_told(path):
        for name, layout, stream in open_documents(path):
            yield from _of_list(name, stream) if layout == "list" else decode_lines(name, stream, on_bad)


def _of_list(name: str, stream: BinaryIO) -> Iterator[Line]:
    document = JsonStream(read_text(stream))
    try:
        for _ in document.items():
            document.peek()
            number = document.line
            yield name, number, json.dumps(document.value(), ensure_ascii=False)
        document.end()
    except Damage as damage:
        raise UserError(f"is a list that {damage.what}", file=name, line=damage.line, mend=damage.mend) from None
