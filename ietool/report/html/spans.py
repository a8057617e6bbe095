"""Texts with stretches marked in them: what gold has above, what is predicted below."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from markupsafe import Markup, escape

VERDICTS = {"right": "ok", "missed": "missed", "spurious": "wrong", "": "plain"}
"""How a stretch was judged → its class of CSS, worst last but one; those that were not judged are plain."""

DEEPEST = 3
"""Lines that are told apart where stretches lie within one another."""

_REPLACED = "\N{SYMBOL FOR SUBSTITUTE FORM TWO}"


@dataclass(frozen=True, slots=True)
class Mark:
    """A stretch ``[start, end)`` of a text in characters, what it is (a type, a role), and how it was judged: one of
    :data:`VERDICTS`. What gold has may be judged otherwise beside each of several predictions: ``verdicts``, in their
    order."""

    label: str
    start: int
    end: int
    verdict: str = ""
    verdicts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Segment:
    """A piece of a text over which no mark begins or ends.

    Attributes:
        marks: of each side, gold first, the numbers of the marks that cover it.
    """

    text: str
    start: int
    marks: tuple[tuple[int, ...], ...]


def shown(text: str) -> str:
    """A text as a page may have it, as long as before: what would turn it round, break it or hide in it (controls,
    marks of direction, halves of surrogate pairs) is a sign that can be seen."""
    if text.isprintable():
        return text
    return "".join(map(_sign, text))


def _sign(char: str) -> str:
    if char.isprintable() or char == "\n" or unicodedata.category(char) == "Zs":
        return char
    code = ord(char)
    if code < 0x20:
        return chr(0x2400 + code)
    return "\N{SYMBOL FOR DELETE}" if code == 0x7F else _REPLACED


def segments(text: str, sides: Sequence[Sequence[Mark]]) -> list[Segment]:
    """A text cut wherever a mark of some side begins or ends; marks may overlap and lie within one another.

    Marks beyond the text are cut at its end; empty ones cover nothing.
    """
    size = len(text)
    events: dict[int, list[tuple[int, int, bool]]] = {0: [], size: []}
    for side, marks in enumerate(sides):
        for number, mark in enumerate(marks):
            low, high = max(0, mark.start), min(size, mark.end)
            if low < high:
                events.setdefault(low, []).append((side, number, True))
                events.setdefault(high, []).append((side, number, False))
    open_now: list[set[int]] = [set() for _ in sides]
    pieces = []
    for low, high in pairwise(sorted(events)):
        for side, number, begins in events[low]:
            if begins:
                open_now[side].add(number)
            else:
                open_now[side].discard(number)
        pieces.append(Segment(text[low:high], low, tuple(tuple(sorted(numbers)) for numbers in open_now)))
    return pieces


def worst(verdicts: Iterable[str]) -> str:
    """The class of CSS of marks that cover the same piece: wrong and missed ones are seen before right ones."""
    found = {VERDICTS.get(verdict, "plain") for verdict in verdicts}
    return next((name for name in ("wrong", "missed", "ok", "plain") if name in found), "plain")


def marked(text: str, gold: Sequence[Mark] = (), predicted: Sequence[Mark] = ()) -> Markup:
    """The HTML of a text: a line above what gold has and one below what is predicted, each with its label where it
    begins; deeper stretches have stronger lines."""
    out = []
    for piece in segments(text, (gold, predicted)):
        names, attributes = [], []
        for letter, marks, numbers in zip("gp", (gold, predicted), piece.marks, strict=True):
            if numbers:
                names += [
                    f"{letter}-{worst(marks[n].verdict for n in numbers)}",
                    f"{letter}{min(len(numbers), DEEPEST)}",
                ]
            begin = [shown(marks[n].label) for n in numbers if max(0, marks[n].start) == piece.start and marks[n].label]
            if begin:
                attributes.append(Markup(' data-{}="{}"').format(letter, " · ".join(begin)))
        words = escape(shown(piece.text))
        if names:
            classes = " ".join(["seg", *names])
            out.append(Markup('<span class="{}"{}>{}</span>').format(classes, Markup("").join(attributes), words))
        else:
            out.append(words)
    return Markup('<bdi class="text">{}</bdi>').format(Markup("").join(out))
