"""CLUENER: JSON lines ``{"text": …, "label": {type: {name: [[start, last], …]}}}``, the last character inclusive."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ietool.errors import UserError
from ietool.files.lines import SKIP, parse_json
from ietool.files.plain_json import json_kind
from ietool.tasks.ner.data.example import Entity, Example
from ietool.tasks.ner.data.forms.recognise import CLUENER
from ietool.text.spans import whereabouts


def parse_record(line: str, file: str, number: int, *, labels: bool = True) -> Example:
    """One validated example of a line.

    Args:
        labels: read ``label``, which must be there; else the text alone, which may then be empty.

    Raises:
        UserError: naming file, line and field.
    """

    def fail(field: str, message: str, mend: str = SKIP) -> UserError:
        return UserError(message, file=file, line=number, field=field, mend=mend)

    record = parse_json(line, file, number)
    if "text" not in record:
        raise fail("text", "is missing", 'write one {"text": …, "label": {…}} a line')
    text = record["text"]
    if not isinstance(text, str):
        raise fail("text", f"is {json_kind(text)}, a string is needed")
    identity = record.get("id")
    if isinstance(identity, dict | list):
        raise fail("id", f"is {json_kind(identity)}, a number or a string is needed")
    if not labels:
        return Example(text, (), CLUENER, identity, file=file, line=number)
    if not text.strip():
        raise fail("text", "is empty")
    if "label" not in record:
        raise fail("label", "is missing", "is this a test file? training needs gold entities")
    entities = list(stated(record["label"], file, number))
    for entity, name in entities:
        check_span(entity, name, text, file, number)
    return Example(text, tuple(sorted({entity for entity, _ in entities})), CLUENER, identity, file=file, line=number)


def check_span(entity: Entity, name: str, text: str, file: str, number: int) -> None:
    """Raise UserError unless the span of an entity holds its name."""
    there = text[entity.start : entity.end]
    if there == name and entity.end <= len(text):
        return
    where, at = f"[{entity.start}, {entity.end - 1}]", f"label.{entity.type}.{name}"
    what = f"the span {where} holds {there!r}"
    if entity.end > len(text):
        what = f"the span {where} lies outside the text, which has {len(text)} characters"
    raise UserError(what, file=file, line=number, field=at, mend=_place_of(name, text, entity))


def _place_of(name: str, text: str, entity: Entity) -> str:
    """What to do about a span that does not hold its name."""
    if text[entity.start : entity.end - 1] == name:
        return f"the last character is inclusive: write [{entity.start}, {entity.end - 2}]"
    counted, found = whereabouts(name, text, entity.start)
    if found < 0:
        return f"the name does not stand in the text: {SKIP}"
    return f"{counted}; the name stands at [{found}, {found + len(name) - 1}]"


def stated(label: Any, file: str, number: int) -> Iterator[tuple[Entity, str]]:
    """The entities of a ``label``, each with the name that it stands under; not held against any text. One may come
    several times.

    Raises:
        UserError: it is not of the form.
    """

    def fail(field: str, message: str) -> UserError:
        return UserError(message, file=file, line=number, field=field, mend=SKIP)

    if not isinstance(label, dict):
        raise fail("label", f"is {json_kind(label)}, an object is needed")
    for kind, names in label.items():
        if not kind.strip():
            raise fail("label", "has a type without a name")
        if not isinstance(names, dict):
            raise fail(f"label.{kind}", f"is {json_kind(names)}, an object is needed")
        for name, spans in names.items():
            at = f"label.{kind}.{name}"
            if not isinstance(spans, list) or not spans:
                what = "is empty" if spans == [] else f"is {json_kind(spans)}"
                raise fail(at, f"{what}, a list of [start, last] is needed")
            for span in spans:
                whole = isinstance(span, list) and len(span) == 2 and all(type(n) is int for n in span)
                if not whole or not 0 <= span[0] <= span[1]:
                    raise fail(at, f"{json.dumps(span, ensure_ascii=False)[:60]} is no span [start, last]")
                yield Entity(span[0], span[1] + 1, kind), name


def label_of(text: str, entities: Iterable[Entity]) -> Mapping[str, Mapping[str, list[list[int]]]]:
    """Entities as a ``label``."""
    label: dict[str, dict[str, list[list[int]]]] = {}
    for entity in entities:
        names = label.setdefault(entity.type, {})
        names.setdefault(text[entity.start : entity.end], []).append([entity.start, entity.end - 1])
    return label


def format_record(example: Example, entities: Iterable[Entity]) -> str:
    """A line of a submission, without line end: by ``id`` where the record had one, as the organisers have it, else
    by the text."""
    head: dict[str, Any] = {"text": example.text} if example.id is None else {"id": example.id}
    return json.dumps({**head, "label": label_of(example.text, entities)}, ensure_ascii=False)
