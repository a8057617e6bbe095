"""Samples drawn: texts with what gold has marked in them, for the screen and for pages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ietool.core.looked import Gold, Looked, Name
from ietool.errors import cut
from ietool.inspect.samples import Sample

LONGEST = 240
"""Characters of a text on the screen."""

ITEMS = 8
"""Items of a text on the screen."""

PASSAGES = 3
LONGEST_PASSAGE = 400
"""Passages of a question, and characters of each, in a page."""


@dataclass(frozen=True)
class Stretch:
    """``[start, end)`` of a text, and what it is."""

    start: int
    end: int
    label: str


def stretches(looked: Looked) -> list[Stretch]:
    """Where names stand, by place, each place with all that it is."""
    found: dict[tuple[int, int], dict[str, None]] = {}
    for item in looked.gold:
        for name in item.names:
            if name.placed:
                found.setdefault((name.start, name.end), {})[_label(item, name)] = None
    return [Stretch(start, end, ", ".join(labels)) for (start, end), labels in sorted(found.items())]


def _label(item: Gold, name: Name) -> str:
    if len(item.names) == 1:
        return item.label
    return name.role.rpartition(": ")[2] or name.kind


def said(item: Gold) -> str:
    """An item in words: ``relation: subject → object``."""
    names = " → ".join(f"{_role(name)}{name.text}" for name in item.names)
    return f"{item.label}: {names}" if names else item.label


def _role(name: Name) -> str:
    role = name.role.rpartition(": ")[2].rpartition(".")[2]
    return f"{role}=" if role else ""


def bracketed(looked: Looked) -> str:
    """A text with brackets around names, those that lie in another left out: ``[姚明]出生于[上海]``."""
    out, at = [], 0
    for stretch in stretches(looked):
        if stretch.start >= at:
            out += [looked.text[at : stretch.start], "[", looked.text[stretch.start : stretch.end], "]"]
            at = stretch.end
    return "".join([*out, looked.text[at:]])


def lines(sample: Sample) -> Iterator[str]:
    """A sample in lines of text: where it stands, the text, and an item a line."""
    looked = sample.looked
    yield f"{sample.place}  {looked.kind}".rstrip()
    yield "  " + cut(bracketed(looked), LONGEST)
    if looked.further:
        yield f"    {cut(_telling(looked), LONGEST)}"
    for item in looked.gold[:ITEMS]:
        yield "    " + cut(said(item), LONGEST)
    if len(looked.gold) > ITEMS:
        yield f"    and {len(looked.gold) - ITEMS:,} more"


def _telling(looked: Looked) -> str:
    """The first passage that holds an answer, from a little before it; else the first."""
    answers = [name.text for item in looked.gold for name in item.names if not name.lost]
    for passage in looked.further:
        for answer in answers:
            if (at := passage.find(answer)) >= 0:
                return ("…" if at > 60 else "") + passage[max(0, at - 60) :]
    return looked.further[0]


def passages(looked: Looked) -> Sequence[str]:
    """The passages that a page shows."""
    return [cut(passage, LONGEST_PASSAGE) for passage in looked.further[:PASSAGES]]
