"""A mention as head ``cross`` reads it: the text around it, with a mark before and behind it."""

from __future__ import annotations

from dataclasses import dataclass

MARK = "#"
"""Stands on either side of the mention: punctuation, which tokenizers keep apart, and in every vocabulary."""

PAIR_ROOM = 8
"""Tokens of a pair that are neither text nor description: marks and special ones."""


@dataclass(frozen=True)
class Marked:
    """``text`` with its marks; the mention is its characters ``[start, end)``, marks not included."""

    text: str
    start: int
    end: int


def mark(text: str, start: int, end: int, size: int) -> Marked:
    """At most ``size`` characters of a text around the mention ``[start, end)``, as many on either side as there are;
    of a mention that is longer the first ``size``."""
    end = min(end, start + size)
    first = max(0, min(start - (size - (end - start)) // 2, len(text) - size))
    last = min(len(text), first + size)
    marked = f"{text[first:start]}{MARK}{text[start:end]}{MARK}{text[end:last]}"
    return Marked(marked, start - first + len(MARK), end - first + len(MARK))
