"""Settings of ``decode`` that score best on kept candidates: one key after another, then thresholds by label."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ietool.contest.judging import Ints, Judge, Some
from ietool.core.candidates import Floor
from ietool.core.predicting import Labelling
from ietool.recipe import Section, Tuned
from ietool.scoring.choosing import middle_of_best
from ietool.scoring.report import Counts

GRID = (0.01, 0.02, 0.03, 0.05, 0.07, *(round(0.05 * n, 2) for n in range(2, 20)))
"""Thresholds that are tried."""

LABEL_GRID = (0.02, 0.05, *(round(0.1 * n, 2) for n in range(1, 10)))
"""The same for a single label: fewer, as there is less to tell them apart by."""

QUANTILES = 40
"""Thresholds of the best row of a text that are tried."""

ROUNDS = 4
"""Rounds over all keys, at most; mostly the second changes nothing."""

PRIOR = 100.0
"""With so many texts of its own a label weighs as much as what all labels say together."""

_LEAST = 1e-9
"""A gain below is one of rounding."""


def tuned_keys(decode: Section) -> dict[str, Tuned]:
    """The keys of a section that may be chosen on kept candidates."""
    return {
        name: mark
        for name, field in type(decode).model_fields.items()
        for mark in field.metadata
        if isinstance(mark, Tuned)
    }


@dataclass(frozen=True)
class Curves:
    """What each threshold of a label would change, all else left as it is.

    Attributes:
        values: (T,) thresholds.
        changes: (labels, T, parts, columns) of counts.
        texts: (labels, parts): texts that have candidates of the label.
    """

    values: Sequence[float]
    changes: npt.NDArray[np.float64]
    texts: npt.NDArray[np.float64]


class Search:
    """Coordinate search: from the settings that are there each key is set to the value that scores best, in the order
    of the section, until a round changes nothing. Only what is better is taken, so that a search from what a search has
    found finds nothing more.

    Args:
        parts: (texts,): the part of each of the judge's texts.
        floor: above which the candidates were kept: thresholds below it are not tried.
        start: the settings to begin with.
    """

    def __init__(
        self,
        judge: Judge,
        parts: Ints,
        floor: Floor,
        start: Section,
        told: Callable[[], None] = lambda: None,
    ) -> None:
        self.judge, self.floor, self.start, self.told = judge, floor, start, told
        self._shares = (parts == np.arange(int(parts.max(initial=0)) + 1)[:, None]).astype(np.float64)
        self._place = {text: n for n, text in enumerate(judge.texts)}
        self._sums: dict[str, Counts] = {}
        self._curves: dict[str, Curves] = {}
        keys = tuned_keys(start)
        self.label_key = next((name for name, mark in keys.items() if mark.by_label), None)
        self.label_of = None if self.label_key is None else keys[self.label_key].by_label
        if not isinstance(judge.decoder, Labelling):
            self.label_key = None
        self.tried = {name: self._tried(name, mark) for name, mark in keys.items() if not mark.by_label}
        self._by_label: list[Some] = []
        self._names: Sequence[str] = ()

    def _tried(self, name: str, mark: Tuned) -> list[Any]:
        own = getattr(self.start, name)
        if mark.values:
            # What is longer than what was proposed, or the like, is not among the candidates.
            is_number = not isinstance(own, bool)
            return sorted({own, *(v for v in mark.values if not is_number or v <= own)})
        if mark.of_best:
            best = self.judge.best_rows()
            some = np.quantile(best, np.linspace(0, 1, QUANTILES)) if len(best) else np.zeros(0)
            return sorted({0.0, own, *(float(f"{value:.4g}") for value in some)})
        return sorted({own, *(value for value in GRID if value >= self.floor.default)})

    # -- what settings score

    def sums(self, decode: Section) -> Counts:
        """(parts, columns)."""
        key = decode.model_dump_json()
        if key not in self._sums:
            self._sums[key] = self._shares @ self.judge.counts(decode)
        return self._sums[key]

    def value(self, decode: Section, seen: Collection[int]) -> float:
        """The primary measure on some parts."""
        return float(self.judge.value(self.sums(decode)[list(seen)].sum(0)))

    def curve(self, decode: Section, name: str, seen: Collection[int]) -> list[tuple[Any, float]]:
        """(value of a key, the measure with it) of all values that are tried and were kept."""
        return [
            (value, self.value(other, seen))
            for value in self.tried[name]
            if self.judge.admits(other := decode.model_copy(update={name: value}), self.floor)
        ]

    # -- the search

    def choose(self, seen: Collection[int]) -> Section:
        """The settings that score best on some parts."""
        decode = self.start
        for _ in range(ROUNDS):
            before = decode
            for name in self.tried:
                decode = self._along(decode, name, seen)
            if self.label_key is not None:
                decode = self._with_labels(decode, seen)
            if decode == before:
                break
        self.told()
        return decode

    def _along(self, decode: Section, name: str, seen: Collection[int]) -> Section:
        found = self.curve(decode, name, seen)
        top = max((score for _, score in found), default=0.0)
        if top <= self.value(decode, seen) + _LEAST:
            return decode
        return decode.model_copy(update={name: middle_of_best(*zip(*found, strict=True))})

    def _with_labels(self, decode: Section, seen: Collection[int]) -> Section:
        assert self.label_key is not None and self.label_of is not None
        plain = decode.model_copy(update={self.label_key: {}})
        curves = self.curves(plain)
        if not len(curves.values):
            return decode
        columns = list(seen)
        chosen = by_label(
            curves.values,
            curves.changes[:, :, columns].sum(2),
            curves.texts[:, columns].sum(1),
            slope(self.judge.value, self.sums(plain)[columns].sum(0)),
            overall=float(getattr(decode, self.label_of)),
        )
        other = decode.model_copy(update={self.label_key: {self._names[n]: value for n, value in chosen.items()}})
        return other if self.value(other, seen) > self.value(decode, seen) + _LEAST else decode

    def curves(self, plain: Section) -> Curves:
        """What thresholds by label change of settings that have none."""
        assert self.label_key is not None
        key = plain.model_dump_json()
        if key in self._curves:
            return self._curves[key]
        if not self._names:
            self._names, texts = self.judge.labels()
            self._by_label = [self.judge.some(numbers.tolist()) for numbers in texts]
        name = self._names[0]
        values = [
            value
            for value in LABEL_GRID
            if self.judge.admits(plain.model_copy(update={self.label_key: {name: value}}), self.floor)
        ]
        changes = np.zeros((len(self._names), len(values), len(self._shares), self.judge.columns))
        shares = [self._shares[:, [self._place[text] for text in some.texts]] for some in self._by_label]
        for n, some in enumerate(self._by_label):
            if not some.texts:
                continue
            base = self.judge.counts(plain, some)
            for at, value in enumerate(values):
                other = plain.model_copy(update={self.label_key: {self._names[n]: value}})
                changes[n, at] = shares[n] @ (self.judge.counts(other, some) - base)
        self._curves[key] = Curves(values, changes, np.array([share.sum(1) for share in shares]))
        return self._curves[key]


def slope(measure: Callable[[Counts], npt.NDArray[np.float64]], sums: Counts) -> npt.NDArray[np.float64]:
    """(columns,): by how much a measure grows with each count."""
    step = np.diag(np.maximum(1.0, np.abs(sums)) * 1e-4)
    found: npt.NDArray[np.float64] = (measure(sums + step) - measure(sums - step)) / (2 * np.diag(step))
    return found


def by_label(
    values: Sequence[float],
    changes: npt.NDArray[np.float64],
    texts: npt.NDArray[np.float64],
    slopes: npt.NDArray[np.float64],
    overall: float,
    prior: float = PRIOR,
) -> Mapping[int, float]:
    """The threshold of each label that is worth having one of its own.

    A threshold is worth what it changes of the counts times how the measure grows with each: for F1 that is
    (2 · right − F1 · predicted) / (predicted + gold), which is what each label by itself must be best at for F1 to be
    best. To that is added what the threshold would be worth in ``prior`` texts of all labels, which know best near the
    overall threshold: a label of few texts stays with the others, one of many goes its own way.

    Args:
        values: (T,) thresholds.
        changes: (labels, T, columns) of counts, against the overall threshold.
        texts: (labels,): texts with candidates of each.
        slopes: (columns,): see :func:`slope`.
        overall: the threshold of labels that have none of their own.

    Returns:
        Number of a label → its threshold; only of those for which its own texts and the pooled ones together speak.
    """
    worth = changes @ slopes
    pooled = worth.sum(0) / max(1.0, float(texts.sum()))
    found = {}
    for n in range(len(worth)):
        together = worth[n] + prior * pooled
        top = float(together.max(initial=0.0))
        if top <= _LEAST:
            continue
        best = [at for at, value in enumerate(together.tolist()) if value == top]
        at = min(best, key=lambda at: abs(values[at] - overall))
        if worth[n, at] > _LEAST and values[at] != overall:
            found[n] = float(values[at])
    return found
