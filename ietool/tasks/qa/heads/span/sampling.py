"""What a training step sees: of each question a window with an answer, and some windows without one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pyarrow.compute as pc  # type: ignore[import-untyped]
import torch
from datasets import Dataset, load_from_disk

from ietool.tasks.qa.heads.span.pieces import Piece, batch_of, fitting
from ietool.tasks.qa.recipe import QaRecipe
from ietool.text.tokens import TokenReader
from ietool.training.batches import columns
from ietool.training.tables import ListColumn

SMALLEST = 24
"""Characters that a window without an answer has at least, where the passage has so many."""


class SpanTrainingSet:
    """Questions, then windows without an answer; all are drawn by (seed, epoch, index) alone.

    Item i of the first is a window of one of the passages that answer question i, with an answer in it. Of the others
    there are so many that they make up ``sampling.negatives`` of all: of passages that do not answer their question,
    and of what lies beside the answers in those that do.

    ``limit``: the first questions, with all their passages. ``reader``: default: that of the prepared folder.
    """

    def __init__(
        self, recipe: QaRecipe, prepared: Path, *, limit: int | None = None, reader: TokenReader | None = None
    ) -> None:
        self.recipe = recipe
        self.reader = reader or TokenReader.open(prepared)
        data = load_from_disk(str(prepared / "train"))
        assert isinstance(data, Dataset)
        self.data = data
        questions = data.data.column("question").to_numpy()
        count = len(data) if limit is None else int(np.searchsorted(questions, limit))
        lengths = data.data.column("length").to_numpy()[:count]
        self._labels = data.data.column("label").to_numpy()
        self._spans = ListColumn(data, "spans")
        asked = pc.utf8_length(data.data.column("asked")).to_numpy()
        window = recipe.data.window
        rows: dict[int, list[int]] = {}
        free: list[tuple[int, int]] = []
        for row in range(count):
            spans = self.spans(row)
            if len(spans):
                rows.setdefault(int(questions[row]), []).append(row)
            widest = max((b - a for a, b in gaps(int(lengths[row]), spans)), default=0)
            if widest >= SMALLEST or (widest and not len(spans)):
                free.append((min(widest, window) + int(asked[row]), row))
        self.answering = list(rows.values())
        share = recipe.sampling.negatives
        wanted = round(len(self.answering) * share / (1 - share)) if self.answering else len(free)
        # Sorted: item j draws from the j-th part of them, whose windows are about as long as its length says.
        self.free = sorted(free)
        self.negatives = min(wanted, len(free))
        sizes = np.minimum(lengths, window) + asked[:count]
        self.lengths: Sequence[int] = [round(float(sizes[some].mean())) for some in self.answering] + [
            self.free[self._part(j)[0]][0] for j in range(self.negatives)
        ]
        self.epoch = 0

    def __len__(self) -> int:
        return len(self.answering) + self.negatives

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def spans(self, row: int) -> np.ndarray:
        """(n, 2) half-open characters of the answers in a row's passage."""
        return self._spans[row].reshape(-1, 2)

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
        """A half-open piece of a passage: around one of the spans, or one that touches none of them."""
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

    def pieces(self, items: list[dict[str, Any]]) -> list[Piece]:
        """The windows of a batch with their questions; of one with too many tokens the last ones are missing."""
        pairs = self.reader.pairs(
            [fitting(self.reader, item["asked"]) for item in items],
            [item["passage"][item["start"] : item["end"]] for item in items],
        )
        return [Piece(item["start"], item["end"], units) for item, units in zip(items, pairs, strict=True)]

    def covered(self, item: dict[str, Any], piece: Piece) -> tuple[list[list[int]], bool]:
        """First and last token of each answer that lies in a window, and whether what they tell is true: not where all
        answers are longer than the window, or cut with the tokens that were too many."""
        spans = self.spans(item["row"])
        touched = spans[(spans[:, 0] < item["end"]) & (spans[:, 1] > item["start"])]
        found = piece.covering(touched).tolist()
        return found, bool(found) or not len(touched)

    def collate(self, items: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
        """One batch in the form that ``SpanModel.forward`` takes."""
        pieces = self.pieces(items)
        targets: set[tuple[int, int, int]] = set()
        known = torch.ones(len(items))
        for at, (item, piece) in enumerate(zip(items, pieces, strict=True)):
            found, is_known = self.covered(item, piece)
            known[at] = is_known
            targets |= {(at, place, side) for span in found or [[0, 0]] for side, place in enumerate(span)}
        return {
            **batch_of(pieces),
            "targets": columns(sorted(targets), 3),
            "known": known,
            "label_targets": torch.tensor([int(self._labels[item["row"]]) for item in items]),
        }


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
