"""What a training step sees: of each question a window with an answer, and some windows without one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pyarrow.compute as pc  # type: ignore[import-untyped]

from ietool.tasks.qa.heads.pairs import PairWindow, fitting
from ietool.tasks.qa.recipe import PairRecipe
from ietool.text.tokens import TokenReader
from ietool.text.windows import RECORD
from ietool.training.sets import WindowTable

SMALLEST = 24
"""Characters that a window without an answer has at least, where the passage has so many."""


class PairTrainingSet(WindowTable):
    """Questions, then windows without an answer; all are drawn by (seed, epoch, index) alone.

    Item i of the first is a window of one of the passages that answer question i, with an answer in it. Of the others
    there are so many that they make up ``sampling.negatives`` of all: of passages that do not answer their question,
    and of what lies beside the answers in those that do.

    Args:
        rows: numbers of the questions that are wanted, with all their passages; None: all.
        reader: default: that of the prepared folder.
    """

    def __init__(
        self,
        recipe: PairRecipe,
        prepared: Path,
        *,
        rows: Sequence[int] | None = None,
        reader: TokenReader | None = None,
    ) -> None:
        super().__init__(prepared, ("spans",), rows, bucket=recipe.training.bucket)
        self.recipe = recipe
        self.reader = reader or TokenReader.open(prepared)
        # By row of the table, which an item's "row" is.
        self.labels = self.table.column("label").to_numpy()
        questions, lengths = self.table.column(RECORD).to_numpy(), self.table.column("length").to_numpy()
        asked = pc.utf8_length(self.table.column("asked")).to_numpy()
        window = recipe.data.window
        answering: dict[int, list[int]] = {}
        free: list[tuple[int, int]] = []
        for row in map(self.place, range(len(self.lengths))):
            spans = self.spans(row)
            if len(spans):
                answering.setdefault(int(questions[row]), []).append(row)
            widest = max((b - a for a, b in gaps(int(lengths[row]), spans)), default=0)
            if widest >= SMALLEST or (widest and not len(spans)):
                free.append((min(widest, window) + int(asked[row]), row))
        self.answering = list(answering.values())
        share = recipe.sampling.negatives
        wanted = round(len(self.answering) * share / (1 - share)) if self.answering else len(free)
        # Sorted: item j draws from the j-th part of them, whose windows are about as long as its length says.
        self.free = sorted(free)
        self.negatives = min(wanted, len(free))
        sizes = np.minimum(lengths, window) + asked
        self.lengths = [round(float(sizes[some].mean())) for some in self.answering] + [
            self.free[self._part(j)[0]][0] for j in range(self.negatives)
        ]

    def spans(self, row: int) -> np.ndarray:
        """(n, 2) half-open characters of the answers in a row's passage."""
        found: np.ndarray = self._columns["spans"][row].reshape(-1, 2)
        return found

    def _part(self, number: int) -> tuple[int, int]:
        count = len(self.free)
        return number * count // self.negatives, (number + 1) * count // self.negatives

    def __getitem__(self, index: int) -> dict[str, Any]:
        random = Random(f"{self.recipe.training.seed}/{self.epoch}/{index}")
        if index < len(self.answering):
            row = random.choice(self.answering[index])
        else:
            row = self.free[random.randrange(*self._part(index - len(self.answering)))][1]
        cell = self.data[row]
        start, end = self.window(cell["length"], self.spans(row), random, answer=index < len(self.answering))
        return {
            "row": row, "asked": cell["asked"], "passage": cell["passage"], "start": start, "end": end,
            "pick": random.random(),
        }  # fmt: skip

    def window(self, length: int, spans: np.ndarray, random: Random, *, answer: bool) -> tuple[int, int]:
        """A half-open window of a passage: around one of the spans, or one that touches none of them."""
        size, low, high = self.recipe.data.window, 0, length
        if not answer:
            found = [gap for gap in gaps(length, spans) if gap[1] - gap[0] >= SMALLEST] or gaps(length, spans)
            low, high = random.choices(found, [b - a for a, b in found])[0]
        if high - low <= size:
            return low, high
        if random.random() < 0.5:
            size = random.randint(max(1, int(size * self.recipe.sampling.shortest)), size)
        first, last = low, high - size
        if answer:
            start, end = spans[random.randrange(len(spans))].tolist()
            size = max(size, min(end - start, self.recipe.data.window))
            first, last = max(0, min(end - size, length - size)), min(start, length - size)
            first = min(first, last)
        start = random.randint(first, last)
        return start, start + size

    def pairs(self, items: list[dict[str, Any]]) -> list[PairWindow]:
        """The windows of a batch with their questions; of one with too many tokens the last ones are missing."""
        pairs = self.reader.pairs(
            [fitting(self.reader, item["asked"]) for item in items],
            [item["passage"][item["start"] : item["end"]] for item in items],
        )
        return [PairWindow(item["start"], item["end"], units) for item, units in zip(items, pairs, strict=True)]

    def covered(self, item: dict[str, Any], pair: PairWindow) -> tuple[list[list[int]], bool]:
        """First and last token of each answer that lies in a window, and whether what they tell is true: not where all
        answers are longer than the window, or cut with the tokens that were too many."""
        spans = self.spans(item["row"])
        touched = spans[(spans[:, 0] < item["end"]) & (spans[:, 1] > item["start"])]
        found = pair.covering(touched).tolist()
        return found, bool(found) or not len(touched)


def gaps(length: int, spans: np.ndarray) -> list[tuple[int, int]]:
    """The half-open stretches of a text that no span touches."""
    found, at = [], 0
    for start, end in sorted(spans.tolist()):
        if start > at:
            found.append((at, start))
        at = max(at, end)
    if length > at:
        found.append((at, length))
    return found
