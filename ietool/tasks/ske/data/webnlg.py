"""WebNLG in the form of CasRel: ``{"text": …, "triple_list": [[subject, relation, object], …]}``, a list of them or one
a line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ietool.core.forms import beginning
from ietool.errors import UserError
from ietool.files.lines import SKIP, Line, OnBad, read_lines
from ietool.files.plain_json import json_kind
from ietool.files.record_lines import record_lines

LIST = "triple_list"


def open_records(path: str | Path, on_bad: OnBad | None = None) -> Iterator[Line]:
    """The records of a file, a line of JSON each; those of one list only where they are of this form, since others are
    published line by line.

    Raises:
        UserError: the file cannot be read.
    """
    begin = beginning(path)
    listed = isinstance(begin, Mapping) and LIST in begin
    return record_lines(path, on_bad) if listed else read_lines(path, on_bad)


def spo_list_of(triples: Any, file: str, line: int) -> list[dict[str, str]]:
    """The triples of a record as other forms have them, with objects that are strings.

    Raises:
        UserError: naming file, line and the triple that is none.
    """
    if not isinstance(triples, list):
        what = f"is {json_kind(triples)}, a list is needed"
        raise UserError(what, file=file, line=line, field=LIST, mend=SKIP)
    found = []
    for index, triple in enumerate(triples):
        whole = isinstance(triple, list) and len(triple) == 3 and all(isinstance(name, str) for name in triple)
        if not whole or not all(name.strip() for name in triple):
            what = "is no list of three names, subject, relation and object"
            raise UserError(what, file=file, line=line, field=f"{LIST}[{index}]", mend=SKIP)
        found.append(dict(zip(("subject", "predicate", "object"), triple, strict=True)))
    return found
