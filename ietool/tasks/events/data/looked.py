"""What a text with events holds, for those who look at a corpus."""

from __future__ import annotations

from ietool.core.looked import Gold, Looked, Name, Words
from ietool.tasks.events.data.example import TRIGGER, Event, Example

WORDS = Words(labels="types of event")


def looked(example: Example) -> Looked:
    """Each event by its type, with its trigger and its arguments in their roles."""
    return Looked(example.text, [Gold(event.type, _names(event, example.text)) for event in example.events])


def _names(event: Event, text: str) -> list[Name]:
    return [
        Name("trigger", text[start:end], start, end)
        if role == TRIGGER
        else Name("argument", text[start:end], start, end, f"{event.type}: {role}")
        for start, end, role in event.nodes
    ]
