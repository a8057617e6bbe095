"""Checking a submission of events: every text answered, events of the form, types and roles of the schema."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from ietool.core.answers import Answers
from ietool.core.checking import Check, Place, control_in
from ietool.errors import UserError
from ietool.files.lines import parse_json, read_lines
from ietool.tasks.events.data.forms import duee, fewfc
from ietool.tasks.events.data.forms.fields import Fields
from ietool.tasks.events.data.forms.recognise import DUEE, FEWFC, form_of
from ietool.tasks.events.data.reading import read_inputs
from ietool.tasks.events.data.schema import Schema, read_schema
from ietool.tasks.events.score.files import FORMAT, read_answer
from ietool.tasks.events.score.judge import Slot, Told

DUEE1, FEWFC_ = "duee1", "fewfc"
"""The competitions."""

_FORMAT = 'write {"id": …, "events": [{"type": …, "mentions": [{"word": …, "span": [start, end], "role": …}]}]} a line'
_SCHEMA = "take it out, or name the schema that belongs to the data: --schema FILE"


def competition_of(source: Path) -> str:
    """``duee1`` of an input with ``text``, ``fewfc`` of one with ``content``."""
    for file, number, line in read_lines(source):
        return FEWFC_ if form_of(parse_json(line, file, number)) == FEWFC else DUEE1
    raise UserError("holds no text", file=source, mend="name the input that is answered")


def check(check: Check) -> None:
    """Check a submission of DuEE 1.0 or FewFC.

    Raises:
        UserError: the input or the schema cannot be read, or the submission is no text file.
    """
    path = check.options.get("schema")
    schema = None if path is None else read_schema(path)
    answers = Answers(check)
    try:
        by_id: bool | None = None
        for example in read_inputs(read_lines(check.source)):
            by_id = example.id is not None if by_id is None else by_id
            place = Place(example.file, example.line)
            if by_id and example.id is None:
                raise place.error("id", "is missing, and earlier records have one", "give all records an id, or none")
            key = {"id": str(example.id)} if by_id else {"text": example.text}
            answers.ask(key, place, example.text)
        check.counts["texts"] = answers.asked
        _check_lines(check, answers, schema, bool(by_id))
        answers.finish()
    finally:
        answers.close()
    check.rules += [f"each of {answers.asked:,} texts answered once", "triggers and arguments stand in their texts"]
    if schema is None:
        check.notes.append("no schema is named or lies beside the input: types and roles are not checked")
    else:
        check.rules.append(f"types and roles of {path}")


def _check_lines(check: Check, answers: Answers, schema: Schema | None, by_id: bool) -> None:
    for file, number, line in read_lines(check.result, answers.reject):
        place = Place(file, number)
        try:
            record = parse_json(line, file, number, once=True)
            _check_form(record, check.competition, place)
            identity, text, told = read_answer(record, Fields(file, number))
            name, value = ("id", identity) if by_id else ("text", text)
            if value is None:
                raise place.error(name, "is missing", FORMAT)
        except UserError as error:
            answers.reject(error, line)
            continue
        asked = answers.answer({name: value}, place)
        check.counts["arguments"] += sum(map(len, told.arguments.values()))
        check.counts["texts without an event"] += not (told.arguments or told.triggers)
        if asked is None:
            continue
        if text is not None and text != asked:
            key = "content" if "content" in record else "text"
            check.tell(place.error(key, f"is not that of the id in {check.source}", "predict on the input file itself"))
        elif fault := _span_fault(record, asked, file, number):
            check.tell(fault)
        else:
            for fault in _faults(record, told, asked, schema, place):
                check.tell(fault)


def _check_form(record: dict[str, Any], competition: str, place: Place) -> None:
    """Raise UserError for a record of the other competition's form."""
    key, form, mend = (fewfc.EVENTS, FEWFC, _FORMAT) if competition == FEWFC_ else (duee.EVENTS, DUEE, FORMAT)
    if form_of(record) != form or key not in record:
        what = "stands beside fields of DuEE 1.0" if key in record else "is missing"
        raise place.error(key, what, mend)


def _span_fault(record: dict[str, Any], text: str, file: str, number: int) -> UserError | None:
    """The first span of a record of FewFC that does not hold its word; DuEE's submissions name no places."""
    if form_of(record) != FEWFC:
        return None
    try:
        fewfc.read_events(record, text, Fields(file, number))
    except UserError as error:
        return error
    return None


def _faults(record: dict[str, Any], told: Told, text: str, schema: Schema | None, place: Place) -> Iterator[UserError]:
    """What is wrong with the events of a record of the right form."""
    unknown = {}
    if schema is not None:  # of events without arguments too
        events, key = (fewfc.EVENTS, "type") if form_of(record) == FEWFC else (duee.EVENTS, "event_type")
        kinds = dict.fromkeys(event[key] for event in record[events])
        unknown = {kind: what for kind in kinds if (what := schema.fault(kind))}
    for kind, what in unknown.items():
        yield place.error(kind, what, _SCHEMA)
    triggers = (((kind, ""), name) for kind, name in sorted(told.triggers))
    for slot, name in chain(triggers, ((slot, name) for slot, names in told.arguments.items() for name in names)):
        if slot[0] not in unknown and (fault := _fault(slot, name, text, schema, place)):
            yield fault


def _fault(slot: Slot, name: str, text: str, schema: Schema | None, place: Place) -> UserError | None:
    """The first thing that is wrong with an argument of the right form, or with a trigger, whose role is empty."""
    at, what = (f"{slot[0]}.{slot[1]}", "argument") if slot[1] else (f"{slot[0]}.trigger", "trigger")
    if not name.strip():
        return place.error(at, f"is an empty {what}", "leave it out")
    if code := control_in(name):
        return place.error(at, f"has a control character ({code})", "take it out")
    if schema is not None and (wrong := schema.fault(*slot)):
        return place.error(at, wrong, _SCHEMA)
    if name not in text:
        return place.error(at, f"{name[:40]!r} does not stand in the text", "predict on the input file itself")
    return None
