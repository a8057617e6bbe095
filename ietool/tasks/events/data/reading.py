"""Files of events, of either form: reading and validating them. The doors of the room."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

from ietool.errors import UserError
from ietool.files.lines import Line, OnBad, parse_json, read_lines
from ietool.files.records import Told, not_a, read_records
from ietool.tasks.events.data.example import Example
from ietool.tasks.events.data.forms import duee, fewfc
from ietool.tasks.events.data.forms.fields import Fields
from ietool.tasks.events.data.forms.recognise import FEWFC, KNOWN, form_of
from ietool.tasks.events.data.schema import Schema


def parse_record(line: str, file: str, number: int, schema: Schema | None = None, *, gold: bool = True) -> Example:
    """One validated example of a line.

    Args:
        schema: types and roles must be of it.
        gold: read the events, which must be there; else the text alone, which may then be empty.

    Raises:
        UserError: naming file, line and field.
    """
    record, fields = parse_json(line, file, number), Fields(file, number)
    form = form_of(record)
    key = "content" if form == FEWFC else "text"
    text = record.get(key)
    if not isinstance(text, str):
        raise fields.fail(key, not_a(record, key, "a string"), f"write one {KNOWN}")
    identity = fields.identity(record)
    if not gold:
        return Example(text, (), form, identity, file, number)
    if not text.strip():
        raise fields.fail(key, "is empty")
    events = (fewfc if form == FEWFC else duee).read_events(record, text, fields)
    if schema is not None:
        schema.check(events, file, number)
    return Example(text, events, form, identity, file, number)


def load_examples(path: str | Path, schema: Schema | None = None, on_bad: OnBad | None = None) -> Iterator[Example]:
    """Stream the validated examples of a file with gold, plain, gzip or zip (every member).

    Args:
        schema: types and roles must be of it.
        on_bad: told of bad records, which are then skipped; without it the first one raises.

    Raises:
        UserError: naming file, line and field; also where the file is empty or has no usable record.
    """
    unread = None if on_bad is None else Told(on_bad)
    empty = True
    for example in read_records(read_lines(path, unread), partial(parse_record, schema=schema), on_bad):
        empty = False
        yield example
    if empty and unread is not None:
        unread.check()
    if empty:
        raise UserError("holds no record", file=path, mend=f"bring a file with {KNOWN}")


def read_inputs(lines: Iterable[Line], on_bad: OnBad | None = None) -> Iterator[Example]:
    """Stream the texts of a test file of either form; gold, where there is some, is not looked at.

    An empty text is let through, since a submission needs its line: nothing can be found in it.

    Raises:
        UserError: naming file, line and field; with ``on_bad`` only where there are bad records and no good one.
    """
    return read_records(lines, partial(parse_record, gold=False), on_bad)
