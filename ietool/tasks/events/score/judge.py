"""How a predicted argument is judged: what scorers and explanations are made of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from ietool.tasks.events.data.example import NOWHERE, Event

Slot = tuple[str, str]
"""(type of event, role)."""


@dataclass(frozen=True)
class Told:
    """What a file, or a model, says of one text.

    Attributes:
        text: the text; an id where the file has none.
        arguments: (type, role) → argument → other strings for it, each argument once.
        triggers: (type, string) of the triggers.
    """

    text: str
    arguments: Mapping[Slot, Mapping[str, tuple[str, ...]]] = field(default_factory=dict)
    triggers: frozenset[tuple[str, str]] = frozenset()


def told_of(text: str, events: Iterable[Event]) -> Told:
    """What events of a text say."""
    arguments: dict[Slot, dict[str, tuple[str, ...]]] = {}
    triggers = set()
    for event in events:
        if event.start != NOWHERE:
            triggers.add((event.type, text[event.start : event.end]))
        for a in event.arguments:
            add_argument(arguments, (event.type, a.role), text[a.start : a.end], a.aliases)
    return Told(text, arguments, frozenset(triggers))


def add_argument(
    arguments: dict[Slot, dict[str, tuple[str, ...]]], slot: Slot, name: str, aliases: Iterable[str] = ()
) -> None:
    """Note one argument; of one that is there already the aliases are added."""
    own = arguments.setdefault(slot, {})
    own[name] = tuple(dict.fromkeys((*own.get(name, ()), *aliases)))


@dataclass(frozen=True)
class Judged:
    """A predicted argument: ``score`` is what it brings, ``nearest`` the gold argument that it is held against, empty
    where gold has none of the type and role."""

    slot: Slot
    name: str
    score: float
    nearest: str


def judge(gold: Told, found: Told, metric: str) -> list[Judged]:
    """What each predicted argument of a text brings, in the order in which it was predicted.

    Args:
        metric: ``duee1`` or ``exact``.
    """
    judged = []
    for slot, names in found.arguments.items():
        wanted = gold.arguments.get(slot, {})
        for name in names:
            best, nearest = 0.0, ""
            for other, aliases in wanted.items():
                likeness = max(character_f1(name, form) for form in (other, *aliases))
                if not nearest or likeness > best:
                    best, nearest = likeness, other
            if metric == "exact":
                best, nearest = (1.0, name) if name in wanted else (0.0, nearest)
            judged.append(Judged(slot, name, best, nearest))
    return judged


@lru_cache(1 << 16)
def character_f1(one: str, other: str) -> float:
    """F1 of the characters that two strings share, each as often as it stands in both, whatever the case; 0 where one
    is empty."""
    a, b = one.lower(), other.lower()
    if a == b:
        return 1.0 if a else 0.0
    shared = sum((Counter(a) & Counter(b)).values())
    return 2.0 * shared / (len(a) + len(b)) if shared else 0.0
