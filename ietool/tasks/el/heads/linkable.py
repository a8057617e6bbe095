"""A mention with its candidates and all that is known of both before any network reads them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ietool.tasks.el.features.annotations import Annotations
from ietool.tasks.el.features.candidates import OVERLAPS, Described, overlap_features
from ietool.tasks.el.features.featurizer import Featurizer


@dataclass(frozen=True)
class Linkable:
    """A mention ``[start, end)`` of a text with the candidates at hand.

    ``units`` are those of the text that it stands on, ``overlaps`` is (candidates, L, OVERLAPS), ``priors``
    (candidates, PRIORS); ``gold`` is the index of the gold candidate, −1 where it is none of them.
    """

    start: int
    end: int
    entities: Sequence[Described]
    overlaps: np.ndarray
    priors: np.ndarray
    units: tuple[int, int] = (0, 1)
    gold: int = -1
    nil_type: int = -1


def linkable(
    featurizer: Featurizer,
    text: str,
    spans: Sequence[tuple[int, int]],
    mention: tuple[int, int, int],
    rows: Sequence[int],
    count: int,
    without: Annotations | None = None,
) -> Linkable:
    """A mention (start, end, name number) with the features of its candidates.

    Args:
        text: folded.
        spans: of its words.
        rows: the candidates' entity rows.
        count: how many candidates the name has in all.
        without: as :meth:`Featurizer.priors` takes it.
    """
    start, end, number = mention
    entities = [featurizer.describe(row) for row in rows]
    overlaps = np.zeros((len(rows), len(text), OVERLAPS), np.uint8)
    for at, entity in enumerate(entities):
        overlaps[at] = overlap_features(text, spans, entity)
    priors = featurizer.priors(number, rows, count, without)
    return Linkable(start, end, entities, overlaps, priors)
