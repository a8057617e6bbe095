"""A text and its triples."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Triple:
    """(subject, predicate, object) as strings. ``object``: (slot, value) pairs, ``@value`` first, the rest by name."""

    subject: str
    predicate: str
    object: tuple[tuple[str, str], ...]


Types = tuple[str, tuple[tuple[str, str], ...]]
"""(subject type, ((slot, type), …)) of one triple as the record has them."""


@dataclass(frozen=True, slots=True)
class Example:
    """One text with its gold triples (empty where the file has none).

    ``form`` is the competition whose form the triples have, empty where there are none. ``types`` stand in the order
    of ``triples``. ``dropped`` counts triples left out because the published object is an empty string.
    ``chances`` stand beside ``triples`` where these are soft labels.
    """

    text: str
    triples: tuple[Triple, ...] = ()
    file: str = ""
    line: int = 0
    form: str = ""
    types: tuple[Types, ...] = ()
    dropped: int = 0
    chances: tuple[float, ...] = ()


def order_slots(slots: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """(slot, value) pairs in the order that :class:`Triple` keeps: ``@value`` first, the rest by name."""
    return tuple(sorted(slots, key=lambda pair: (pair[0] != VALUE, pair[0])))


VALUE = "@value"
"""The main slot of an object. SKE 2019 objects are plain strings; inside, they are objects with this slot alone."""
