"""What a model finds in texts, whatever its head: windows read in batches of like length, and put together again."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Generic, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
import torch

from ietool.core.candidates import Candidates, Floor, Layout, Parts, Rows, capped, strongest_each
from ietool.core.fit import check_fit
from ietool.core.pools import Reading, read_in_pools
from ietool.nn.transfer import ahead_on, sent
from ietool.tasks.ske.data.example import Example
from ietool.tasks.ske.features.featurizer import SCHEMA, Features, Featurizer, unit_rows
from ietool.tasks.ske.features.prior import ROWS
from ietool.tasks.ske.heads.base import SkeModel
from ietool.tasks.ske.heads.decoder import CUT_OBJECT, CUT_SUBJECT
from ietool.tasks.ske.recipe import SkeRecipe
from ietool.text.units import cut_note
from ietool.text.windows import windows
from ietool.training.batches import pad

MOST = 512
"""Candidates of a window, at most; and of a text, if it has no more characters."""

Integers = npt.NDArray[np.integer]
Model = TypeVar("Model", bound=SkeModel)


class Window(NamedTuple):
    """A stretch of a text of so many characters: what is read at once."""

    text: str
    start: int
    end: int
    length: int


class Asked(NamedTuple):
    """A window with rows that are to be scored: their numbers among those of the text, and their places in it."""

    window: Window
    numbers: Integers
    places: Rows


class Found(NamedTuple):
    """What is found in some windows, in their order.

    Attributes:
        at: (n,) the window of each row.
        rows: (n, 5) subject start, end, label, object start, end, half-open, in units.
        parts: (n, m), see the head's layout.
        left_out: (windows,) how many of each were left out because there were too many.
    """

    at: Integers
    rows: Integers
    parts: Parts
    left_out: npt.NDArray[np.int64]


class TextBatch:
    """The padded units of some texts: ``ids``, ``words``, ``tags`` (B, T), ``lengths`` (B,) and ``inside`` (B, T):
    where a span may begin or end, which is nowhere in a special token.

    Args:
        more: what goes to the device with them; it is found under :attr:`more` there.
    """

    def __init__(
        self, features: Sequence[Features], device: torch.device, more: Mapping[str, torch.Tensor] | None = None
    ) -> None:
        units = [f.units for f in features]
        longest = max(len(u) for u in units)
        there = sent(
            {
                "ids": pad([u.ids for u in units], longest),
                "words": pad([u.words for u in units], longest),
                "tags": pad([u.tags for u in units], longest),
                "lengths": torch.tensor([len(u) for u in units]),
                "inside": pad([u.inside for u in units], longest) > 0,
                **(more or {}),
            },
            device,
        )
        self.ids, self.words, self.tags, self.lengths, self.inside = list(there.values())[:5]
        self.more = {name: there[name] for name in more or {}}


class SkeReader(ABC, Generic[Model]):
    """A model with the features beside it; heads say what a batch of windows holds.

    Args:
        assets: a run folder or prepared folder.
        pool: batches whose windows are sorted by length together.

    Raises:
        UserError: the files of ``assets`` belong to another model.
    """

    layout: ClassVar[Layout]
    kind: ClassVar[type[SkeModel]]
    """The models that this reads."""
    most = MOST

    def __init__(self, recipe: SkeRecipe, model: Model, assets: Path, *, pool: int = 16) -> None:
        self.model, self.priors = model, recipe.model.priors
        self.featurizer = Featurizer.open(assets, priors=self.priors)
        self.labels = len(self.featurizer.schema.labels)
        self.size, self.overlap = recipe.data.window, recipe.data.overlap
        self.batch_size, self.pool = recipe.decode.batch_size, pool
        self.highest_probability = 0.0
        index, config = self.featurizer.prior, model.config
        known = int(index.rows[:, 1].max()) + 1 if index is not None and len(index.rows) else 0
        further = {
            SCHEMA: self.labels != config.labels,
            "recipe.yaml": self.priors != config.priors or not isinstance(model, self.kind),
            ROWS: known > config.labels,
        }
        check_fit(assets, self.featurizer.reader, config, further)

    @property
    def notes(self) -> Sequence[str]:
        """Whether texts were not read whole."""
        cut = self.featurizer.reader.cut
        return [cut_note(cut)] if cut else []

    @abstractmethod
    def found(self, features: Sequence[Features], floor: Floor) -> Reading[Found]:
        """What each of a batch of windows holds above the floor, at most ``most`` rows each."""

    @abstractmethod
    def said(self, features: Sequence[Features], at: Integers, rows: Integers) -> Reading[Parts]:
        """What is said of given rows: (n, parts). ``at`` and ``rows`` are those of :class:`Found`, n > 0."""

    def together(self, found: Sequence[Found], left_out: npt.NDArray[np.int64]) -> Found:
        """What is found of the same windows step by step, at most ``most`` rows of each.

        Args:
            left_out: (windows,) how many were left out before.
        """
        if not found:
            none = Candidates.none(self.layout)
            return Found(np.zeros(0, np.int64), none.rows[:, :5], none.parts, left_out)
        at, rows, parts = (np.concatenate([one[n] for one in found]) for n in range(3))
        best, more = strongest_each(at, self.layout.probability(parts), len(left_out), self.most)
        return Found(at[best], rows[best], parts[best], np.sum([left_out, more, *(one.left_out for one in found)], 0))

    @torch.inference_mode()
    def propose(self, inputs: Iterable[Example], *, floor: Floor) -> Iterator[tuple[Example, Candidates]]:
        """As in :class:`ietool.core.predicting.Reader`. A text of more than ``most`` characters may have a row for
        each of them."""

        def cut(some: Sequence[Example]) -> Iterator[tuple[int, Window]]:
            return ((n, window) for n, example in enumerate(some) for window in self._windows(example.text))

        def read(some: Sequence[Window]) -> Reading[list[Candidates]]:
            features = self._features(some)
            found = yield from self.found(features, floor)
            return _in_characters(some, features, found)

        for example, by_window in self._pools(inputs, cut, len_of_window, read):
            yield example, capped(self.layout, self._joined(by_window), max(self.most, len(example.text)))

    @torch.inference_mode()
    def score(self, inputs: Iterable[tuple[Example, Candidates]]) -> Iterator[tuple[Example, Candidates]]:
        """As in :class:`ietool.core.predicting.Reader`; where several windows hold a row, the one that finds it most
        probable has the say."""

        def cut(some: Sequence[tuple[Example, Candidates]]) -> Iterator[tuple[int, Asked]]:
            for n, (example, given) in enumerate(some):
                places = given.rows
                for window in self._windows(example.text):
                    within = (places[:, [0, 3]] >= window.start).all(1) & (places[:, [1, 4]] <= window.end).all(1)
                    numbers = np.flatnonzero(within)
                    if len(numbers):
                        yield n, Asked(window, numbers, places[numbers])

        def read(some: Sequence[Asked]) -> Reading[list[tuple[Integers, Parts]]]:
            features = self._features([asked.window for asked in some])
            rows, numbers = [], []
            for asked, feature in zip(some, features, strict=True):
                inner = asked.places[:, :5].copy()
                inner[:, [0, 1, 3, 4]] -= asked.window.start
                units, able = unit_rows(feature.units, inner)
                rows.append(units)
                numbers.append(asked.numbers[able])
            counts = [len(own) for own in rows]
            at = np.repeat(np.arange(len(some)), counts)
            parts = np.zeros((0, 0), np.float32)
            if len(at):
                parts = yield from self.said(features, at, np.concatenate(rows))
            return list(zip(numbers, np.split(parts, np.cumsum(counts)[:-1]), strict=True))

        for (example, given), by_window in self._pools(inputs, cut, lambda asked: len(asked.window.text), read):
            parts = np.zeros((len(given), len(self.layout.parts)), np.float32)
            highest = np.full(len(given), -1.0, np.float32)
            for numbers, own in by_window:
                if len(numbers):
                    probability = self.layout.probability(own)
                    better = probability > highest[numbers]
                    parts[numbers[better]], highest[numbers[better]] = own[better], probability[better]
            yield example, replace(given, parts=parts, models=1)

    def _windows(self, text: str) -> Iterator[Window]:
        for start, end in windows(text, self.size, self.overlap) if text else ():
            yield Window(text[start:end], start, end, len(text))

    def _features(self, some: Sequence[Window]) -> list[Features]:
        return self.featurizer.encode_all([window.text for window in some], [()] * len(some))

    def _pools(self, inputs: Any, cut: Any, size: Any, read: Any) -> Iterator[tuple[Any, list[Any]]]:
        return read_in_pools(
            inputs, cut, size, read,
            batch_size=self.batch_size, pool=self.pool, ahead=ahead_on(self.model.device),
        )  # fmt: skip

    def _joined(self, by_window: Sequence[Candidates]) -> Candidates:
        """The candidates of a text from those of its windows. A row that two of them have stays twice, since what one
        says may be above thresholds that what the other says is not."""
        if len(by_window) == 1:
            return by_window[0]
        none = Candidates.none(self.layout)
        return Candidates(
            np.concatenate([none.rows, *(found.rows for found in by_window)]),
            np.concatenate([none.parts, *(found.parts for found in by_window)]),
            none.whole,
            sum(found.capped for found in by_window),
        )


def len_of_window(window: Window) -> int:
    """By which windows are read together."""
    return len(window.text)


def _in_characters(some: Sequence[Window], features: Sequence[Features], found: Found) -> list[Candidates]:
    """The candidates of each window, in characters of its text."""
    none = np.zeros(0, np.float32)
    rows = np.zeros((len(found.at), 6), np.int32)
    if len(found.at):
        starts, ends = (np.concatenate([getattr(f.units, side) for f in features]) for side in ("starts", "ends"))
        counts = np.array([len(f.units) for f in features])
        first = (np.cumsum(counts) - counts)[found.at]
        begin, end, length = np.array([window[1:] for window in some])[found.at].T
        for at, bit in ((0, CUT_SUBJECT), (3, CUT_OBJECT)):
            rows[:, at] = starts[first + found.rows[:, at]] + begin
            rows[:, at + 1] = ends[first + found.rows[:, at + 1] - 1] + begin
            halved = ((rows[:, at] == begin) & (begin > 0)) | ((rows[:, at + 1] == end) & (end < length))
            rows[:, 5] |= halved * np.int32(bit)
        rows[:, 2] = found.rows[:, 2]
    borders = np.searchsorted(found.at, np.arange(len(some) + 1)).tolist()
    return [
        Candidates(rows[low:high], found.parts[low:high], none, left_out)
        for low, high, left_out in zip(borders, borders[1:], found.left_out.tolist(), strict=False)
    ]
