"""Words of a text, for features only: spans are never taken from them."""

from __future__ import annotations

from functools import cache

import rjieba

from ietool.text.characters import whole

# The first letter of the ICTCLAS tag says the class; names of people, places, organisations and other proper names
# are kept apart because they are what extraction looks for.
TAGS = (
    "", "n", "nr", "ns", "nt", "nz", "v", "a",
    "d", "p", "c", "u", "m", "q", "r", "t", "f", "s", "x", "eng", "l", "i", "j",
)  # fmt: skip
"""Classes of parts of speech; index 0 stands for padding and for every class that is not listed."""


@cache
def tag_id(tag: str) -> int:
    """Class of an ICTCLAS tag: the longest listed prefix, else 0."""
    for size in (len(tag), 2, 1):
        if tag[:size] in TAGS:
            return TAGS.index(tag[:size])
    return 0


def words(text: str) -> list[tuple[str, int]]:
    """Segment into (word, tag class); the words joined give the text back, but for halves of surrogate pairs."""
    return [(word, tag_id(tag)) for word, tag in rjieba.tag(whole(text))]


def word_spans(text: str) -> list[tuple[int, int]]:
    """Half-open spans of the words of a text."""
    spans, at = [], 0
    for word, _ in words(text):
        spans.append((at, at + len(word)))
        at += len(word)
    return spans
