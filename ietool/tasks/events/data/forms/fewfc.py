"""FewFC (CCKS 2020): ``{"id", "content", "events": [{"type", "mentions": [{"word", "span": [start, end], "role"}]}]}``,
the end of a span exclusive; a mention of the role ``trigger`` is the trigger."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from ietool.tasks.events.data.example import NOWHERE, TRIGGER, Argument, Event
from ietool.tasks.events.data.forms.fields import Fields

EVENTS = "events"
TRIGGER_ROLE = "trigger"
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
        kind = fields.name(event, "type", at)
        trigger = (NOWHERE, NOWHERE)
        arguments: dict[Argument, None] = {}
        for number, mention in enumerate(fields.items(event, "mentions", at)):
            inner = f"{at}mentions[{number}]."
            role, word = fields.name(mention, "role", inner), fields.name(mention, "word", inner)
            start, end = _span(mention, inner, fields)
            fields.check_place(text, start, end, word, f"{inner}word")
            if role != TRIGGER_ROLE:
                arguments[Argument(start, end, role)] = None
            elif trigger in ((NOWHERE, NOWHERE), (start, end)):
                trigger = start, end
            else:
                raise fields.fail(f"{inner}role", "is trigger, and the event has one already")
        found[Event(kind, *trigger, tuple(sorted(arguments)))] = None
    return tuple(found)


def _span(record: Mapping[str, Any], at: str, fields: Fields) -> tuple[int, int]:
    span = record.get("span")
    if isinstance(span, list) and len(span) == 2 and all(type(n) is int for n in span) and 0 <= span[0] < span[1]:
        return span[0], span[1]
    shown = "is missing" if span is None else f"{json.dumps(span, ensure_ascii=False)[:60]} is no [start, end]"
    raise fields.fail(f"{at}span", shown)


def answer_list(text: str, events: Iterable[Event]) -> list[dict[str, Any]]:
    """Events as :func:`read_events` reads them, which is the form of submissions too."""
    return [
        {
            "type": event.type,
            "mentions": [
                {"word": text[a:b], "span": [a, b], "role": TRIGGER_ROLE if role == TRIGGER else role}
                for a, b, role in event.nodes
            ],
        }
        for event in events
    ]
