"""What settings of ``decode`` score on kept candidates, with no model and without judging a text twice alike."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ietool.core.candidates import PRODUCT, Candidates
from ietool.core.contract import Task
from ietool.core.predicting import Choosing, Decoder
from ietool.errors import NothingCounts
from ietool.recipe import Recipe, Section
from ietool.scoring.report import Counts

Ints = npt.NDArray[np.int64]


def counted(task: Task[Any], recipe: Recipe, pairs: Iterable[tuple[Any, Any]]) -> list[int]:
    """The numbers of the texts that a scorer has rows of counts for, in the order of these rows: of those that it takes
    for one the last, in the place of the first.

    Args:
        pairs: (gold, prediction) of each text.
    """
    last: dict[Hashable, int] = {}
    for number, (gold, said) in enumerate(pairs):
        with suppress(NothingCounts):
            last[task.evaluate(recipe, [gold], [said]).keys[0]] = number
    return list(last.values())


class Some:
    """The candidates of some texts laid end to end: a setting looks at all of them at once.

    Attributes:
        texts: numbers of the texts, in order.
        found: the rows and parts of them all.
        first: (texts + 1,): where those of each begin.
        of_row: (rows,): the place in ``texts`` of the text that a row is of.
        said: what was said last of the rows and of all texts as a whole, and where the counts of each text are then.
    """

    def __init__(self, texts: Sequence[int], stored: Sequence[Candidates], empty: Candidates) -> None:
        self.texts = list(texts)
        every = [stored[n] for n in self.texts] or [empty]
        self.first = np.cumsum([0, *map(len, every)]).tolist()
        self.of_row = np.repeat(np.arange(len(every)), list(map(len, every)))
        self.said: tuple[npt.NDArray[np.bool_], Hashable, Ints] | None = None
        self.found = Candidates(
            np.concatenate([one.rows for one in every]),
            np.concatenate([one.parts for one in every]),
            every[0].whole,
            0,
            max(one.models for one in every),
        )


class Judge:
    """Counts of the official measure by text, of any settings of ``decode``.

    Where a decoder says what its settings make of each row (:class:`ietool.core.predicting.Choosing`), a text is
    decoded and judged once for each choice of its rows that turns up: most settings change few texts. The rows of all
    texts are held in memory, some fifty bytes each.

    Args:
        recipe: of the run.
        assets: a run folder or a prepared folder.
        gold: the texts, as :meth:`Task.gold` gives them.
        stored: their candidates.
        start: the settings by which the variant of the measure is settled.
        decoder: None: that of the recipe.

    Attributes:
        texts: numbers of the texts that count: of those that a scorer takes for one the last.
        measures: as in :class:`ietool.scoring.report.Report`.
    """

    def __init__(
        self,
        task: Task[Any],
        recipe: Recipe,
        assets: Path,
        gold: Sequence[Any],
        stored: Sequence[Candidates],
        start: Section,
        decoder: Decoder[Any, Any] | None = None,
    ) -> None:
        self.task, self.gold, self.stored = task, gold, stored
        self.decoder = task.decoder(recipe, assets) if decoder is None else decoder
        self.recipe = recipe.model_copy(deep=True)
        self._none = Candidates.none(self.decoder.layout)
        self._first = [self.decoder.decode(*pair, start) for pair in zip(gold, stored, strict=True)]
        report = task.evaluate(self._with(start), gold, self._first)
        if report.counts is None or report.measures is None:
            raise ValueError(f"{report.metric} gives no counts by text")
        # The variant may follow from the first text: it is that of them all for parts of them too.
        self.recipe.score = self.recipe.score.model_copy(update={"metric": report.metric})
        self.metric, self.primary, self.measures = report.metric, report.primary, report.measures
        self.columns = report.counts.shape[1]
        self.texts = list(range(len(gold)))
        if len(report.counts) < len(gold):
            self.texts = sorted(counted(task, self.recipe, zip(gold, self._first, strict=True)))
        self.all = Some(self.texts, stored, self._none)
        self._rows = np.empty((0, self.columns))
        self._used = 0
        self._known: dict[Hashable, int] = {}

    def _with(self, decode: Section) -> Recipe:
        return self.recipe.model_copy(update={"decode": decode})

    def value(self, sums: Counts) -> npt.NDArray[np.float64]:
        """The primary measure of sums (…, columns)."""
        return np.asarray(self.measures(sums)[self.primary], np.float64)

    def some(self, texts: Sequence[int]) -> Some:
        """Some of ``texts``, for :meth:`counts`."""
        return Some(texts, self.stored, self._none)

    def counts(self, decode: Section, some: Some | None = None) -> Counts:
        """(texts, columns): what adds up, of some texts or of all."""
        some = some or self.all
        if not isinstance(self.decoder, Choosing):
            every = decode.model_dump_json()
            judged = self._places(decode, [(text, every) for text in some.texts], some.texts)
            return self._rows[judged]  # which may be others than before
        mask, whole = self.decoder.choice(some.found, decode)
        if some.said is not None and some.said[1] == whole and some.said[0].shape == mask.shape:
            changed = np.unique(some.of_row[(some.said[0] != mask).any(1)])
            places = some.said[2].copy()
        else:
            changed, places = np.arange(len(some.texts)), np.empty(len(some.texts), np.int64)
        bits, width, first = np.ascontiguousarray(mask).tobytes(), mask.shape[1], some.first
        texts = [some.texts[at] for at in changed.tolist()]
        keys = [
            (text, bits[width * first[at] : width * first[at + 1]], whole)
            for text, at in zip(texts, changed.tolist(), strict=True)
        ]
        places[changed] = self._places(decode, keys, texts)
        some.said = mask, whole, places
        return self._rows[places]

    def _places(self, decode: Section, keys: Sequence[Hashable], texts: Sequence[int]) -> list[int]:
        """Where the counts of some texts are; ``keys`` tell what these settings make of each."""
        known = self._known
        new = {key: text for key, text in zip(keys, texts, strict=True) if key not in known}
        if new:
            self._judge(decode, new)
        return [known[key] for key in keys]

    def _judge(self, decode: Section, new: dict[Hashable, int]) -> None:
        texts = list(new.values())
        said = [self.decoder.decode(self.gold[n], self.stored[n], decode) for n in texts]
        recipe = self._with(decode)
        counts = self.task.evaluate(recipe, [self.gold[n] for n in texts], said).counts
        assert counts is not None
        if counts.shape != (len(texts), self.columns):
            # Columns of labels that these texts lack: the measure is a mean over the labels of all gold.
            every = list(self._first)
            for n, one in zip(texts, said, strict=True):
                every[n] = one
            whole = self.task.evaluate(recipe, [self.gold[n] for n in self.texts], [every[n] for n in self.texts])
            assert whole.counts is not None
            counts = whole.counts[np.searchsorted(self.texts, texts)]
        if self._used + len(texts) > len(self._rows):
            room = np.empty((max(1024, len(self._rows), len(texts)), self.columns))
            self._rows = np.concatenate([self._rows, room])
        self._rows[self._used : self._used + len(texts)] = counts
        self._known |= {key: self._used + n for n, key in enumerate(new)}
        self._used += len(texts)

    def admits(self, decode: Section, floor: Any) -> bool:
        """Whether all that these settings could choose was kept above a floor."""
        own = self.decoder.floor(decode)
        named = set(own.parts or {}) & {*self.decoder.layout.product, PRODUCT}
        return all(own.of(name) >= floor.of(name) for name in named)

    def labels(self) -> tuple[Sequence[str], list[Ints]]:
        """The labels that thresholds by name are for, and the numbers of the texts that have candidates of each."""
        names: Sequence[str] = self.decoder.label_names  # type: ignore[attr-defined]
        numbers = self.decoder.labels_of(self.all.found.rows)  # type: ignore[attr-defined]
        of_row = np.repeat(np.array(self.texts, np.int64), np.diff(self.all.first))
        return names, [np.unique(of_row[numbers == n]) for n in range(len(names))]

    def best_rows(self) -> npt.NDArray[np.float64]:
        """The probability of the most probable row of each text that has one."""
        probability = self.decoder.layout.probability(self.all.found.parts).astype(np.float64)
        first = np.array(self.all.first)
        has = np.diff(first) > 0
        if not has.any():
            return np.zeros(0)
        best: npt.NDArray[np.float64] = np.maximum.reduceat(probability, first[:-1][has])
        return best
