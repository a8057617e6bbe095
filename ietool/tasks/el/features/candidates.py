"""Features of a mention with one of its candidates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ietool.text.matching import occurrences

PRIORS = 7
"""Columns of :meth:`Featurizer.priors`."""


OVERLAPS = 3
"""Columns of :func:`overlap_features`."""


@dataclass(frozen=True)
class Described:
    """An entity as features: the chosen description, its ids, (M,) each and of characters alone, and all that the match
    features look into; ``type`` is its class and ``facts`` their number."""

    row: int
    kb_id: str
    subject: str
    type: int
    facts: int
    description: str
    characters: npt.NDArray[np.int32]
    words: npt.NDArray[np.int32]
    tags: npt.NDArray[np.uint8]
    whole: str
    letters: frozenset[str]
    values: tuple[str, ...]


def overlap_features(text: str, spans: Sequence[tuple[int, int]], entity: Described) -> npt.NDArray[np.uint8]:
    """What the characters of a text share with an entity's record.

    Args:
        text: folded, L characters.
        spans: its words, from :func:`word_spans`.
        entity: the candidate.

    Returns:
        (L, OVERLAPS) of 0 and 1: the character occurs in the record; its word, of two characters and more, does; it
        lies in an occurrence of one of the record's short objects.
    """
    out = np.zeros((len(text), OVERLAPS), np.uint8)
    out[:, 0] = [character in entity.letters for character in text]
    for start, end in spans:
        if end - start > 1 and text[start:end] in entity.whole:
            out[start:end, 1] = 1
    for value in entity.values:
        if value in text:
            for start in occurrences(value, text):
                out[start : start + len(value), 2] = 1
    return out
