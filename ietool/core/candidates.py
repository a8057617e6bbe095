"""What a model says before any threshold: rows that it proposes, each with the probabilities that a decoder multiplies.

Rows and parts have names of columns, which every head states in its :class:`Layout`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Rows = npt.NDArray[np.int32]
Parts = npt.NDArray[np.float32]

PRODUCT = "product"
"""The name of a floor under the product of the parts that :attr:`Layout.product` names."""


@dataclass(frozen=True)
class Layout:
    """The columns of a head's candidates.

    Attributes:
        rows: names of the integers of a row, places in characters of the text, half-open (``start``, ``end``).
        parts: names of its probabilities.
        product: those of them whose product is the probability of the row.
        whole: names of the numbers that are said of the text as a whole.
    """

    rows: tuple[str, ...]
    parts: tuple[str, ...]
    product: tuple[str, ...]
    whole: tuple[str, ...] = ()

    def probability(self, parts: Parts) -> npt.NDArray[np.float32]:
        """(n,): the probability of each row."""
        return parts[:, [self.parts.index(name) for name in self.product]].prod(1)


@dataclass(frozen=True)
class Candidates:
    """What a model says of one text.

    Attributes:
        rows: (n, k) int32, see :attr:`Layout.rows`.
        parts: (n, m) float32, see :attr:`Layout.parts`.
        whole: (w,) float32, see :attr:`Layout.whole`.
        capped: how many rows above the floor were left out, because a text has at most so many.
        models: of how many models this is the mean.
    """

    rows: Rows
    parts: Parts
    whole: Parts
    capped: int = 0
    models: int = 1

    def __len__(self) -> int:
        return len(self.rows)

    @classmethod
    def none(cls, layout: Layout) -> Candidates:
        """Of a text that nothing is said of."""
        return cls(
            np.zeros((0, len(layout.rows)), np.int32),
            np.zeros((0, len(layout.parts)), np.float32),
            np.zeros(len(layout.whole), np.float32),
        )


@dataclass(frozen=True)
class Floor:
    """What a row needs to be proposed: a part must exceed its least value, the product must reach its own.

    Attributes:
        default: of every part that has no least value of its own.
        parts: name of a part, or :data:`PRODUCT` → least value.
        ceilings: name of a part → what it must not exceed, where a high value speaks against a row.
    """

    default: float = 0.0
    parts: Mapping[str, float] | None = None
    ceilings: Mapping[str, float] | None = None

    def of(self, name: str) -> float:
        """The least value of a part; of :data:`PRODUCT` 0 unless it is given."""
        return (self.parts or {}).get(name, 0.0 if name == PRODUCT else self.default)

    def ceiling(self, name: str) -> float:
        """What a part must not exceed; infinite unless it is given."""
        return (self.ceilings or {}).get(name, math.inf)


def strongest(probability: npt.NDArray[np.floating], most: int) -> npt.NDArray[np.int64]:
    """Which rows stay where a text has at most ``most``: the most probable ones, in the order in which they stand.

    Args:
        probability: (n,).
    """
    if len(probability) <= most:
        return np.arange(len(probability))
    # Of equally probable ones those that come first, so that the choice does not depend on the sorting.
    last = np.partition(probability, -most)[-most]
    stays = probability > last
    stays[np.flatnonzero(probability == last)[: most - np.count_nonzero(stays)]] = True
    return np.flatnonzero(stays)


def strongest_each(
    at: npt.NDArray[np.integer], probability: npt.NDArray[np.floating], texts: int, most: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Which rows stay where each text has at most ``most``, and how many each of the ``texts`` loses.

    Args:
        at: (n,) the text of each row, in order.
        probability: (n,).
    """
    counts = np.bincount(at, minlength=texts)
    if int(counts.max(initial=0)) <= most:
        return np.arange(len(at)), np.zeros(texts, np.int64)
    ends = np.cumsum(counts)
    kept = [
        low + strongest(probability[low:high], most)
        for low, high in zip((ends - counts).tolist(), ends.tolist(), strict=True)
    ]
    return np.concatenate(kept), np.maximum(counts - most, 0)


def capped(layout: Layout, found: Candidates, most: int, worth: npt.NDArray[np.floating] | None = None) -> Candidates:
    """The candidates without those beyond ``most`` that are worth least: by default the least probable.

    Args:
        worth: (n,) of each row.
    """
    if len(found) <= most:
        return found
    kept = strongest(layout.probability(found.parts) if worth is None else worth, most)
    return Candidates(
        found.rows[kept], found.parts[kept], found.whole, found.capped + len(found) - len(kept), found.models
    )


def union(found: Sequence[Candidates]) -> Rows:
    """The distinct rows of what several models propose for one text, sorted: what each of them is asked to score."""
    rows: Rows = np.unique(np.concatenate([one.rows for one in found]), axis=0)
    return rows


def merged(by_model: Sequence[Candidates], weights: Sequence[float] | None = None) -> Candidates:
    """The mean of what several models say of the same rows of one text.

    Args:
        by_model: with equal rows, as each model's ``score`` gives them for :func:`union`.
        weights: of the models; default: all the same.

    Raises:
        ValueError: the rows differ.
    """
    first = by_model[0]
    if len(by_model) == 1:
        return first
    if any(one.rows.shape != first.rows.shape or (one.rows != first.rows).any() for one in by_model[1:]):
        raise ValueError("the candidates of several models can be averaged only where their rows are the same")
    share = np.full(len(by_model), 1.0) if weights is None else np.asarray(weights, np.float64)
    share = share / share.sum()
    parts = np.einsum("m,mnk->nk", share, np.stack([one.parts for one in by_model]))
    whole = np.einsum("m,mw->w", *_saying(share, by_model))
    most = max(one.capped for one in by_model)
    models = sum(one.models for one in by_model)
    return Candidates(first.rows, parts.astype(np.float32), whole.astype(np.float32), most, models)


def _saying(
    share: npt.NDArray[np.float64], by_model: Sequence[Candidates]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float32]]:
    """The shares of those models that say something of the text as a whole, and what they say; of all where none does:
    below 0 stands for nothing said."""
    able = [n for n, one in enumerate(by_model) if len(one.whole) and one.whole.min() >= 0 and share[n] > 0]
    if not able or len(able) == len(by_model):
        return share, np.stack([one.whole for one in by_model])
    return share[able] / share[able].sum(), np.stack([by_model[n].whole for n in able])
