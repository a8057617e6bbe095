"""Spans, and finding them from start and end marks; numpy only, so that it costs nothing where no model runs."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.integer]
Floats = npt.NDArray[np.floating]

RISING = 32
"""At most so many ends are given to a start, of which each is more probable than all before it."""


@dataclass(frozen=True)
class Span:
    """A slice of the original text: ``text == source[start:end]``."""

    text: str
    start: int
    end: int


def nearest_spans(
    starts: Integers, ends: Integers, groups_s: Integers, groups_e: Integers, length: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Give each start the nearest end at or after it within its group, for all groups at once.

    Args:
        starts, groups_s: positions that pass the start threshold and the group (sentence, relation …) of each.
        ends, groups_e: the same for ends; both sorted by (group, position).
        length: more than any position.

    Returns:
        Indices into ``starts`` that found an end, indices into ``ends``, and the group, in the order of ``starts``.
    """
    key_s = groups_s.astype(np.int64) * length + starts
    key_e = groups_e.astype(np.int64) * length + ends
    at = np.searchsorted(key_e, key_s, side="left")
    kept = np.flatnonzero(at < len(key_e))
    kept = kept[key_e[at[kept]] // length == groups_s[kept]]
    return kept, at[kept], groups_s[kept].astype(np.int64)


def rising_spans(
    starts: Integers, ends: Integers, groups_s: Integers, groups_e: Integers, values: Floats, length: int,
    ceiling: float = math.inf,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.float32]]:  # fmt: skip
    """Give each start every end that could be the nearest one at or after it if the threshold of ends were higher: all
    ends that are more probable than those between, for all groups at once.

    Args:
        starts, ends, groups_s, groups_e, length: as in :func:`nearest_spans`.
        values: probabilities of the ends, (ends,).
        ceiling: how probable a nearer end may be at most; at the ends' own threshold only the nearest are left.

    Returns:
        Indices into ``starts`` in order, indices into ``ends``, and the probability of the most probable end that is
        nearer to the start, 0 where there is none: that start and end are a span at threshold t if the end lies above
        it and the nearer one does not.
    """
    start, end, _ = nearest_spans(starts, ends, groups_s, groups_e, length)
    found = [(start, end, np.zeros(len(start), np.float32))]
    following: npt.NDArray[np.int64] | None = None
    while len(found) < RISING:
        nearer = values[end]
        on = np.flatnonzero(nearer <= ceiling)
        if not len(on):
            break
        if following is None:
            following = _next_higher(values, np.searchsorted(groups_e, groups_e, side="right"))
        on = on[following[end[on]] >= 0]
        start, end = start[on], following[end[on]]
        found.append((start, end, nearer[on].astype(np.float32)))
    if len(found) == 1:
        return found[0]
    every = [np.concatenate(column) for column in zip(*found, strict=True)]
    order = np.argsort(every[0], kind="stable")
    return every[0][order], every[1][order], every[2][order]


def _next_higher(values: Floats, stops: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The place of the first higher value behind each, before its ``stops``; −1 where there is none.

    By doubled steps over what is nowhere higher: no loop over places.
    """
    number = len(values)
    at = np.arange(1, number + 1)
    blocks = [values]  # the highest of 1, 2, 4 … values from each place on
    longest = int((stops - at).max(initial=0))
    while 1 << len(blocks) <= longest:
        half = 1 << (len(blocks) - 1)
        blocks.append(np.maximum(blocks[-1][:-half], blocks[-1][half:]))
    for level in reversed(range(len(blocks))):
        width = 1 << level
        able = np.flatnonzero(at + width <= stops)
        able = able[blocks[level][at[able]] <= values[able]]
        at[able] += width
    return np.where(at < stops, at, -1)


def whereabouts(name: str, text: str, start: int) -> tuple[str, int]:
    """(what offsets count, where a name really stands) for a name that does not stand where a file says; −1 if it is
    nowhere. Of several places the one nearest behind the wrong one, or else the first."""
    wide = text.encode("utf-16-le", "surrogatepass")
    wanted = name.encode("utf-16-le", "surrogatepass")
    in_units = len(wide) != 2 * len(text) and wide[2 * start : 2 * start + len(wanted)] == wanted
    found = text.find(name, max(0, start - len(name)))
    counted = "offsets count characters, not units of UTF-16" if in_units else "offsets count characters from 0"
    return counted, found if found >= 0 else text.find(name)
