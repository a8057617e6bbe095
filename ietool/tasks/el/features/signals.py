"""What is known of a dictionary match before any network reads the text: the annotators' habits, words, neighbours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ietool.tasks.el.features.annotations import SIDES, Annotations, Habit, sides
from ietool.tasks.el.features.traits import TRAITS, Traits
from ietool.tasks.el.kb.knowledge_base import Match
from ietool.text.matching import leftmost_longest

SIGNALS = 26 + 2 * SIDES + TRAITS
"""Columns of :func:`match_signals`."""


@dataclass(frozen=True)
class Known:
    """A match with what the knowledge base and train say of its name.

    Attributes:
        match: (start, end, name number).
        habit: how annotators treated the name.
        candidates: how many entities have it.
        popularity: how often train links the one of them that it links most.
        traits: what the knowledge base says of the name.
    """

    match: Match
    habit: Habit
    candidates: int
    popularity: int
    traits: Traits


def match_signals(
    text: str,
    words: Sequence[tuple[int, int]],
    every: Sequence[Match],
    known: Sequence[Known],
    annotations: Annotations,
    without: Annotations | None = None,
) -> npt.NDArray[np.float32]:
    """Numbers around 0 for each match.

    Args:
        text: L characters, folded.
        words: its words' half-open spans.
        every: all matches, those that the name filter drops too.
        known: the n that pass.
        annotations: of train, for what stands beside a match.
        without: the part of them that is not to be used.

    Returns:
        (n, SIGNALS): counts of the habit and their odds, whether maximum matching gives the match (of those that pass,
        of all), how it lies to the words, its length and place, how its rivals and the other matches are treated, what
        the name may mean, how annotators treat matches between such neighbours, and the name's traits.
    """
    n = len(known)
    out = np.zeros((n, SIGNALS), np.float32)
    if not n:
        return out
    matches = [k.match for k in known]
    spans = np.array([m[:2] for m in matches], np.int64)
    start, end = spans.T
    counts = np.array([(k.habit.yes, k.habit.no, k.habit.hits, k.habit.misses) for k in known], np.float32)
    links = np.array([k.habit.links.total() for k in known], np.float32)
    share = (counts[:, 2] + 0.5) / (counts[:, 2] + counts[:, 3] + 1)
    longest, longest_of_all = set(leftmost_longest(matches)), set(leftmost_longest(every))
    out[:, :4] = np.log1p(counts)
    out[:, 4:6] = np.log(counts[:, ::2] + 0.5) - np.log(counts[:, 1::2] + 0.5)
    out[:, 6] = [m in longest for m in matches]
    out[:, 7] = [m in longest_of_all for m in matches]
    first, last, whole = {a for a, _ in words}, {b for _, b in words}, set(words)
    out[:, 8] = [a in first for a, _, _ in matches]
    out[:, 9] = [b in last for _, b, _ in matches]
    out[:, 10] = [(a, b) in whole for a, b, _ in matches]
    names = [text[a:b] for a, b, _ in matches]
    out[:, 11] = np.log(end - start)
    out[:, 12] = [name.isascii() for name in names]
    out[:, 13] = [text[a - 1 : a] == "《" and text[b : b + 1] == "》" for a, b, _ in matches]
    out[:, 14] = np.log1p(start)
    out[:, 15] = np.log1p(len(text) - end)
    out[:, 16] = np.log([text.count(name) for name in names])
    out[:, 17] = [text.find(name) == a for name, (a, _, _) in zip(names, matches, strict=True)]
    out[:, 18:23] = _rivals(start, end, share)
    out[:, 23] = np.log([k.candidates for k in known])
    out[:, 24] = np.log1p([k.popularity for k in known])
    out[:, 25] = links / (counts[:, 2] + 1)
    out[:, -TRAITS:] = [k.traits.numbers for k in known]
    for row, (a, b, _) in enumerate(matches):
        for side, key in enumerate(sides(text, a, b)):
            hits, misses = annotations.beside(key, without)
            out[row, 26 + 2 * side] = np.log((hits + 1) / (misses + 1))
            out[row, 27 + 2 * side] = np.log1p(hits + misses)
    return out


def _rivals(
    start: npt.NDArray[np.int64], end: npt.NDArray[np.int64], share: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    """(n, 5): the highest share annotated among the matches that overlap each, cover it, lie inside it; the mean and
    the number, as a logarithm, of those apart from it."""
    a, b = start[:, None], end[:, None]
    other = ~np.eye(len(start), dtype=bool)
    overlap = (start < b) & (a < end) & other
    cover = (start <= a) & (b <= end) & other
    inside = (a <= start) & (end <= b) & other
    apart = ~overlap & other
    highest = [np.where(kind, share, 0).max(1) for kind in (overlap, cover, inside)]
    count = apart.sum(1)
    return np.stack([*highest, np.where(apart, share, 0).sum(1) / np.maximum(count, 1), np.log1p(count)], 1)
