"""SKE 2019, DuIE 2.0 and WebNLG files: what an example is, reading and validating them, writing submissions.

The only room that knows the file formats; the schema has a file of its own (``schema.py``), and so have the names under
which the organisers publish (``sources.py``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ietool.errors import UserError
from ietool.files.lines import SKIP, OnBad, parse_json
from ietool.files.plain_json import json_kind
from ietool.files.records import Told, not_a, read_records
from ietool.tasks.ske.data.example import VALUE, Example, Triple, Types, order_slots
from ietool.tasks.ske.data.schema import FORMS, WEBNLG, Schema
from ietool.tasks.ske.data.webnlg import LIST, open_records, spo_list_of

if TYPE_CHECKING:
    from ietool.files.lines import Line


def load_examples(path: str | Path, schema: Schema | None = None, on_bad: OnBad | None = None) -> Iterator[Example]:
    """Stream the examples of a file. As :func:`read_examples`; raises UserError also when the file holds no record."""
    unread = None if on_bad is None else Told(on_bad)
    empty = True
    for example in read_examples(open_records(path, unread), schema, on_bad):
        empty = False
        yield example
    if empty and unread is not None:
        unread.check()
    if empty:
        raise UserError("holds no record", file=path, mend='bring a file with one {"text": …, "spo_list": […]} a line')


def read_examples(
    lines: Iterable[Line], schema: Schema | None = None, on_bad: OnBad | None = None
) -> Iterator[Example]:
    """Stream validated examples from lines of a training or dev file (with or without ``postag``).

    Repeated triples of a record are merged, strings stay as they are. Slots with an empty string are dropped, as some
    published files have them; a triple whose whole object is empty is dropped and counted in ``Example.dropped``.
    Names that do not occur in the text are no error here: ``prepare`` counts them.

    Args:
        lines: (file, 1-based number, text) as :func:`ietool.files.lines.read_lines` gives them.
        schema: when given, predicates, slots and the form of objects must be those of the schema.
        on_bad: told of bad records, which are then skipped; without it the first one raises.

    Raises:
        UserError: naming file, line and field; with ``on_bad`` only when no record at all is usable.
    """
    form = schema.competition if schema is not None else ""

    def parse(line: str, file: str, number: int) -> Example:
        nonlocal form
        example = _example(line, file, number, schema, form)
        form = form or example.form
        return example

    return read_records(lines, parse, on_bad)


def _example(line: str, file: str, number: int, schema: Schema | None, form: str) -> Example:
    """One validated example. ``form`` is the form that objects must have, empty where it is open yet."""

    def fail(field: str, message: str, mend: str = SKIP) -> UserError:
        return UserError(message, file=file, line=number, field=field, mend=mend)

    def name_of(value: Any, field: str) -> str:
        if not isinstance(value, str):
            raise fail(field, f"is {json_kind(value)}, a string is needed")
        if not value.strip():
            raise fail(field, "is empty")
        return value

    record = parse_json(line, file, number)
    if "text" not in record:
        raise fail("text", "is missing")
    text = name_of(record["text"], "text")
    listed = LIST in record and "spo_list" not in record
    if listed:
        record = record | {"spo_list": spo_list_of(record[LIST], file, number)}
    if "spo_list" not in record:
        raise fail("spo_list", "is missing", "is this a test file? training needs gold triples")
    spo_list = record["spo_list"]
    if not isinstance(spo_list, list):
        raise fail("spo_list", f"is {json_kind(spo_list)}, a list is needed")
    triples: dict[Triple, Types] = {}
    dropped = 0
    for index, spo in enumerate(spo_list):
        at = f"spo_list[{index}]"
        if not isinstance(spo, dict):
            raise fail(at, f"is {json_kind(spo)}, an object is needed")
        for key in ("subject", "predicate", "object"):
            if key not in spo:
                raise fail(f"{at}.{key}", "is missing")
        subject = name_of(spo["subject"], f"{at}.subject")
        predicate = name_of(spo["predicate"], f"{at}.predicate")
        value = spo["object"]
        found = "ske2019" if isinstance(value, str) else "duie2" if isinstance(value, dict) else ""
        found = WEBNLG if listed else found
        if not found:
            raise fail(f"{at}.object", f"is {json_kind(value)}, a string or an object with {VALUE} is needed")
        if form == "duie2" and isinstance(value, str) and not value.strip():
            raise fail(f"{at}.object", f"is an empty string, an object with {VALUE} is needed")
        if form and found != form:
            other = f"the schema {schema.source}" if schema is not None else "what came before"
            raise fail(
                f"{at}.object",
                f"has the form of {FORMS[found]}, but {other} has that of {FORMS[form]}",
                "keep the files of the two competitions apart, each with its own schema (--schema)",
            )
        form = found
        slots = {VALUE: value} if isinstance(value, str) else value
        if VALUE not in slots:
            raise fail(f"{at}.object.{VALUE}", "is missing")
        for slot, filler in slots.items():
            if not isinstance(filler, str):
                raise fail(f"{at}.object.{slot}", f"is {json_kind(filler)}, a string is needed")
        pairs = order_slots((slot, filler) for slot, filler in slots.items() if filler.strip())
        if schema is not None and not schema.words:
            schema.check(predicate, (slot for slot, _ in pairs), at=at, file=file, line=number)
        if not slots[VALUE].strip():
            dropped += 1
            continue
        triples.setdefault(Triple(subject, predicate, pairs), _types(spo))
    return Example(text, tuple(triples), file, number, form if triples else "", tuple(triples.values()), dropped)


def _types(spo: dict[str, Any]) -> Types:
    """The types beside a triple. They are never scored, so what is missing or odd counts as unknown."""
    subject, objects = spo.get("subject_type"), spo.get("object_type")
    slots = {VALUE: objects} if isinstance(objects, str) else objects if isinstance(objects, dict) else {}
    return (
        subject if isinstance(subject, str) else "",
        tuple((slot, name) for slot, name in slots.items() if isinstance(name, str)),
    )


def read_inputs(lines: Iterable[Line], on_bad: OnBad | None = None) -> Iterator[Example]:
    """Stream the texts of a test file; all else in a record, gold included, is ignored.

    An empty text is let through, since a submission needs its line: nothing can be found in it.

    Args:
        on_bad: told of bad records, which are then skipped; without it the first one raises.

    Raises:
        UserError: naming file and line, when a record has no text.
    """

    def parse(line: str, file: str, number: int) -> Example:
        record = parse_json(line, file, number)
        text = record.get("text")
        if not isinstance(text, str):
            what = not_a(record, "text", "a string")
            raise UserError(what, file=file, line=number, field="text", mend='write one {"text": …} a line')
        return Example(text, (), file, number)

    return read_records(lines, parse, on_bad)
