"""What an example is: a text with the events in it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

TRIGGER = ""
"""The role of a trigger, which no argument has."""

NOWHERE = -1
"""Start and end of the trigger of an event that has none."""


@dataclass(frozen=True, slots=True, order=True)
class Argument:
    """A stretch of the text, ``[start, end)`` in characters, and what part it plays; ``aliases`` are other strings that
    name the same, as gold may have them."""

    start: int
    end: int
    role: str
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, order=True)
class Event:
    """An event: its type, its trigger ``[start, end)`` (:data:`NOWHERE` without one), and its arguments by place."""

    type: str
    start: int = NOWHERE
    end: int = NOWHERE
    arguments: tuple[Argument, ...] = ()

    @property
    def nodes(self) -> Iterator[tuple[int, int, str]]:
        """(start, end, role) of the trigger, where there is one, and of the arguments."""
        if self.start != NOWHERE:
            yield self.start, self.end, TRIGGER
        for argument in self.arguments:
            yield argument.start, argument.end, argument.role


@dataclass(frozen=True, slots=True)
class Example:
    """One text.

    Attributes:
        text: as the file has it.
        events: gold, each once, in the order of the file; empty where the file has none.
        form: of the record, one of :data:`ietool.tasks.events.data.forms.recognise.FORMS`; empty for a bare string.
        id: what the record has under ``id``; None without.
    """

    text: str
    events: tuple[Event, ...] = ()
    form: str = ""
    id: Any = None
    file: str = ""
    line: int = 0


@dataclass(frozen=True, slots=True, order=True)
class Part:
    """One part of one event: what several models are compared by, and what labels are made of.

    Attributes:
        type: of the event.
        start, end: of its trigger.
        role: of the argument; :data:`TRIGGER`: this is the event itself.
        first, last: [first, last) of the argument, of the trigger where this is the event itself.
    """

    type: str
    start: int
    end: int
    role: str
    first: int
    last: int


def parts_of(event: Event) -> Iterator[Part]:
    """The event itself, then its arguments."""
    yield Part(event.type, event.start, event.end, TRIGGER, event.start, event.end)
    for a in event.arguments:
        yield Part(event.type, event.start, event.end, a.role, a.start, a.end)
