"""Spans, and finding them from start and end marks; numpy only, so that it costs nothing where no model runs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.integer]


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
