"""Files of events: the competition's CSV, or JSON Lines with the same fields.

A row is ``id,text,type,subject``; files to predict on lack the subject. The first record tells the form.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar

from ietool.errors import UserError
from ietool.files.csv_rows import read_rows
from ietool.files.lines import SKIP, Line, OnBad, parse_json, read_lines
from ietool.files.plain_json import json_kind
from ietool.files.records import Told, none_usable, not_a, read_records
from ietool.tasks.event_subject.data.example import NONE, Example

KNOWN = '"id","text","type","subject" a row (CSV), or {"id": …, "text": …, "type": …, "subject": …} a line'
"""The forms, for messages."""
INPUTS = '"id","text","type" a row'
NAMES = ("id", "text", "type", "subject")
_EMPTY = ("", NONE, "nan")

_ID = re.compile(r'"[^",]+",|[A-Za-z_-]*[0-9][A-Za-z0-9_-]*,')

R = TypeVar("R")


def is_json(line: str) -> bool:
    """Whether a file that begins with this line holds JSON; a row of CSV begins with an id."""
    return line.lstrip().startswith(("{", "["))


def read_forms(
    lines: Iterable[Line],
    row: Callable[[Sequence[str], str, int], R],
    record: Callable[[str, str, int], R],
    on_bad: OnBad | None,
) -> Iterator[R]:
    """What stands in some lines, by the form that the first of them has.

    Args:
        row: makes one of the cells of a row, its file and line.
        record: makes one of a line of JSON, its file and line.

    Raises:
        UserError: naming file and line; with ``on_bad`` only when there are bad records and no good one.
    """
    stream = iter(lines)
    first = next(stream, None)
    if first is None:
        return
    everything = chain([first], stream)
    if is_json(first[2]):
        yield from read_records(everything, record, on_bad)
        return
    told = None if on_bad is None else Told(on_bad)
    good = False
    last: str | None = None
    for file, line, raw, cells in read_rows(everything, told):
        begins, last = file != last, file  # each member of an archive may begin with a row of names
        if begins and cells[0].strip().lower() == "id":
            continue
        try:
            made = row(cells, file, line)
        except UserError as error:
            if told is None:
                raise
            told(error, raw)
            continue
        good = True
        yield made
    if told is not None and told.first is not None and not good:
        raise none_usable(told.first, told.count)


def load_examples(path: str | Path, on_bad: OnBad | None = None) -> Iterator[Example]:
    """Stream the validated examples of a file with gold, plain, gzip or zip (every member).

    Raises:
        UserError: naming file, line and field; also when the file is empty or has no usable record.
    """
    example = None
    for example in read_forms(read_lines(path, on_bad), example_of_row, example_of_json, on_bad):
        yield example
    if example is None:
        raise UserError("holds no record", file=path, mend=f"bring a file with {KNOWN}")


def read_inputs(lines: Iterable[Line], on_bad: OnBad | None = None) -> Iterator[Example]:
    """Stream the texts and types to predict on; gold, where there is some, is not looked at.

    Raises:
        UserError: naming file, line and field.
    """

    def row(cells: Sequence[str], file: str, line: int) -> Example:
        return example_of_row(cells, file, line, gold=False)

    def record(text: str, file: str, line: int) -> Example:
        return example_of_json(text, file, line, gold=False)

    return read_forms(lines, row, record, on_bad)


def example_of_row(cells: Sequence[str], file: str, line: int, *, gold: bool = True) -> Example:
    """The example of a row.

    Raises:
        UserError: naming file, line and field.
    """
    needed = (4,) if gold else (3, 4)
    if len(cells) not in needed:
        raise _columns(cells, file, line, gold=gold)
    return _checked(dict(zip(NAMES, cells if gold else cells[:3], strict=False)), file, line)


def _columns(cells: Sequence[str], file: str, line: int, *, gold: bool) -> UserError:
    """What is wrong with the number of cells of a row."""
    count = f"has {len(cells)} {'cell' if len(cells) == 1 else 'cells'}"
    if gold and len(cells) == 3:
        return UserError(
            "has no subject", file=file, line=line, field="subject",
            mend=f"is this a test file? training needs gold; write {NONE} where there is none",
        )  # fmt: skip
    mend = f"write {KNOWN if gold else INPUTS}"
    if len(cells) == 1 and "\t" in cells[0]:
        mend = "put commas between the cells, and every cell into quotes"
    elif len(cells) > 4:
        mend = "put cells that have commas into quotes"
    return UserError(f"{count}, {4 if gold else '3 or 4'} are needed", file=file, line=line, mend=f"{mend}; or {SKIP}")


def example_of_json(text: str, file: str, line: int, *, gold: bool = True) -> Example:
    """The example of a line of JSON.

    Raises:
        UserError: naming file, line and field.
    """
    record = parse_json(text, file, line)
    if gold and "subject" not in record:
        mend = f"is this a test file? training needs gold; write {NONE} where there is none"
        raise UserError("is missing", file=file, line=line, field="subject", mend=mend)
    fields: dict[str, str] = {}
    for name in NAMES:
        value = record.get(name)
        if name == "id" and type(value) is int:
            value = str(value)
        if value is None and name in ("id", "subject"):
            value = ""
        if name == "subject" and not gold:
            value = ""
        if not isinstance(value, str):
            what = f"is {json_kind(value)}, a string is needed" if name == "id" else not_a(record, name, "a string")
            raise UserError(what, file=file, line=line, field=name, mend=SKIP)
        fields[name] = value
    return _checked(fields, file, line)


def _checked(fields: Mapping[str, str], file: str, line: int) -> Example:
    kind = fields["type"].strip()
    for name, value in (("text", fields["text"].strip()), ("type", kind)):
        if not value:
            raise UserError("is empty", file=file, line=line, field=name, mend=SKIP)
    return Example(
        fields["text"], kind, subject_of(fields.get("subject", "")), fields["id"].strip() or str(line), file, line
    )


def subject_of(value: str) -> str:
    """The subject of a cell, empty where that says there is none."""
    stripped = value.strip()
    return "" if stripped in _EMPTY else stripped


def begins_events(begin: Mapping[str, Any] | list[str]) -> bool:
    """Whether a file that begins so holds texts with types, and perhaps subjects."""
    if isinstance(begin, Mapping):
        return {"text", "type"} <= begin.keys() and ("subject" in begin or begin.keys() <= set(NAMES))
    if any("\ufffd" in line for line in begin[:-1] or begin):
        return False
    rows: list[tuple[str, Sequence[str]]] = []
    lines = [("", number, line) for number, line in enumerate(begin, 1)]
    try:
        rows.extend((raw, cells) for _, _, raw, cells in read_rows(lines))
        whole = rows[:-1] or rows  # the last one may be cut
    except UserError:  # or is cut within quotes
        whole = rows
    if whole and [cell.strip().lower() for cell in whole[0][1]] in ([*NAMES[:3]], [*NAMES]):
        return True
    # A row begins with an id, in quotes or with a digit: prose with commas, and what is no text, does not.
    return bool(whole) and all(len(cells) in (3, 4) and _ID.match(raw) for raw, cells in whole)
