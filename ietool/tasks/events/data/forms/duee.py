"""DuEE 1.0: ``{"text", "id", "event_list": [{"event_type", "trigger", "trigger_start_index", "arguments": […]}]}``, an
argument being ``{"role", "argument", "argument_start_index", "alias"}``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ietool.files.plain_json import json_kind
from ietool.tasks.events.data.example import NOWHERE, Argument, Event
from ietool.tasks.events.data.forms.fields import Fields

EVENTS = "event_list"
_TEST = "is this a test file? training needs gold events"


def read_events(record: Mapping[str, Any], text: str, fields: Fields) -> tuple[Event, ...]:
    """The events of a record, each once.

    Raises:
        UserError: naming the field that is not of the form.
    """
    if EVENTS not in record:
        raise fields.fail(EVENTS, "is missing", _TEST)
    found: dict[Event, None] = {}
    for index, event in enumerate(fields.items(record, EVENTS, "")):
        at = f"{EVENTS}[{index}]."
        kind = fields.name(event, "event_type", at)
        start = end = NOWHERE
        if event.get("trigger") not in (None, ""):  # some corpora annotate none
            trigger = fields.name(event, "trigger", at)
            start = fields.start(event, "trigger_start_index", at)
            end = start + len(trigger)
            fields.check_place(text, start, end, trigger, f"{at}trigger")
        arguments: dict[Argument, None] = {}
        for number, argument in enumerate(fields.items(event, "arguments", at)):
            inner = f"{at}arguments[{number}]."
            one = _argument(argument, text, inner, fields)
            arguments[one] = None
        found[Event(kind, start, end, tuple(sorted(arguments)))] = None
    return tuple(found)


def _argument(record: Mapping[str, Any], text: str, at: str, fields: Fields) -> Argument:
    role, name = fields.name(record, "role", at), fields.name(record, "argument", at)
    start = fields.start(record, "argument_start_index", at)
    fields.check_place(text, start, start + len(name), name, f"{at}argument")
    return Argument(start, start + len(name), role, aliases_of(record, at, fields))


def aliases_of(record: Mapping[str, Any], at: str, fields: Fields) -> tuple[str, ...]:
    """Other strings for an argument; none where the record has no list of them."""
    alias = record.get("alias")
    if alias is None:
        return ()
    if not isinstance(alias, list):
        raise fields.fail(f"{at}alias", f"is {json_kind(alias)}, a list is needed")
    for number, one in enumerate(alias):
        if not isinstance(one, str):
            raise fields.fail(f"{at}alias[{number}]", f"is {json_kind(one)}, a string is needed")
    return tuple(one for one in alias if one.strip())


def gold_list(text: str, events: Iterable[Event]) -> list[dict[str, Any]]:
    """Events as :func:`read_events` reads them: a training file's ``event_list``."""
    return [
        {
            "event_type": event.type,
            **(
                {}
                if event.start == NOWHERE
                else {"trigger": text[event.start : event.end], "trigger_start_index": event.start}
            ),
            "arguments": [
                {
                    "argument_start_index": a.start,
                    "role": a.role,
                    "argument": text[a.start : a.end],
                    "alias": list(a.aliases),
                }
                for a in event.arguments
            ],
        }
        for event in events
    ]


def answer_list(text: str, events: Iterable[Event]) -> list[dict[str, Any]]:
    """Events as a submission has them: ``event_type``, and ``arguments`` of ``role`` and ``argument``, each once; and
    the ``trigger``, which the organisers' baseline writes too and nothing official counts."""
    found = []
    for event in events:
        names = dict.fromkeys((a.role, text[a.start : a.end]) for a in event.arguments)
        trigger = {} if event.start == NOWHERE else {"trigger": text[event.start : event.end]}
        arguments = [{"role": role, "argument": name} for role, name in names]
        found.append({"event_type": event.type, **trigger, "arguments": arguments})
    return found
