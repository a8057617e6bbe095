"""What an example is: a text, the type of an event in it, and whom that happened to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

NONE = "NaN"
"""What files have in the place of a subject where there is none."""


@dataclass(frozen=True, slots=True)
class Example:
    """One record.

    Attributes:
        text: of the record.
        type: of the event.
        subject: the company, empty where there is none or the file has no gold.
        id: of the record; of one that has none the number of its line.
    """

    text: str
    type: str
    subject: str = ""
    id: str = ""
    file: str = ""
    line: int = 0


def occurrences(text: str, name: str) -> Iterator[tuple[int, int]]:
    """(start, end) of every place of a name in a text, overlapping ones included; none of an empty name."""
    at = text.find(name) if name else -1
    while at >= 0:
        yield at, at + len(name)
        at = text.find(name, at + 1)
