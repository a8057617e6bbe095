"""What a training step sees: a question with a window of a passage."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import torch

from ietool.tasks.qa.features.cooccurrence import COOCCURRENCE
from ietool.tasks.qa.features.featurizer import Features
from ietool.tasks.qa.heads.mined import first_mined
from ietool.tasks.qa.heads.reader.recipe import ReaderRecipe
from ietool.tasks.qa.heads.reader.rows import COLUMNS
from ietool.text.windows import RECORD
from ietool.training.batches import LONGEST, Width, columns, known_targets, pad
from ietool.training.sets import WindowTable


class QaTrainingSet(WindowTable):
    """The pairs of question and passage, memory-mapped; windows are drawn by (seed, epoch, index) alone.

    Behind the questions' own passages an epoch has for each question one of those that were mined for it.
    """

    def __init__(self, recipe: ReaderRecipe, prepared: Path, *, rows: Sequence[int] | None = None) -> None:
        super().__init__(prepared, tuple(COLUMNS), rows, bucket=recipe.training.bucket)
        self.recipe = recipe
        lengths = np.minimum(self.lengths, recipe.data.window)
        places = np.arange(len(lengths)) if self._at is None else self._at
        first = first_mined(prepared)
        self._own = len(places) if first is None else int(np.searchsorted(places, first))
        # The passages that were mined for a question stand one behind the other.
        records = self.table.column(RECORD).to_numpy()[places[self._own :]]
        _, begin, self._counts = np.unique(records, return_index=True, return_counts=True)
        self._begin = begin + self._own
        mean = [lengths[a : a + n].mean() for a, n in zip(self._begin, self._counts, strict=True)]
        self.lengths = np.append(lengths[: self._own], np.rint(mean).astype(lengths.dtype))  # type: ignore[assignment]
        self._labels = self.table.column("label").to_numpy()

    def place(self, index: int) -> int:
        """As in :class:`WindowTable`; of the passages that were mined for a question the one that the epoch has."""
        if index >= self._own:
            number = index - self._own
            dice = Random(f"{self.recipe.training.seed}/{self.epoch}/{index}/mined")
            index = int(self._begin[number]) + dice.randrange(int(self._counts[number]))
        return super().place(index)

    def __getitem__(self, index: int) -> dict[str, Any]:
        random = Random(f"{self.recipe.training.seed}/{self.epoch}/{index}")
        cell = self.row(index)
        spans = cell["spans"].reshape(-1, 2)
        start, end = self.window(len(cell["characters"]), spans, random)
        features = Features(
            (cell["question_characters"], cell["question_words"], cell["question_tags"]),
            (cell["characters"], cell["words"], cell["tags"]),
            cell["shared"].reshape(-1, COOCCURRENCE),
        ).window(start, end)
        kept = spans[(spans[:, 0] >= start) & (spans[:, 1] < end)] - start
        # A window that cuts all answers it touches has a part of one: that it has none would be wrong.
        known = bool(len(kept)) or not bool(((spans[:, 0] < end) & (spans[:, 1] >= start)).any())
        return {"features": features, "spans": kept, "known": known, "label": int(self._labels[self.place(index)])}

    def window(self, length: int, spans: np.ndarray, random: Random) -> tuple[int, int]:
        """A half-open window of a passage: the whole where it fits."""
        size, sampling = self.recipe.data.window, self.recipe.sampling
        if length <= size:
            return 0, length
        if random.random() < 0.5:
            size = random.randint(max(1, int(size * sampling.shortest)), size)
        low, high = 0, length - size
        if len(spans) and random.random() < sampling.answer_windows:
            start, last = spans[random.randrange(len(spans))].tolist()
            if last - start >= size:  # longer than what was drawn, if not than the recipe's window
                size = min(last + 1 - start, self.recipe.data.window)
                low, high = 0, length - size
            if last - start < size:
                low, high = max(low, last + 1 - size), min(high, start)
        start = random.randint(low, high)
        return start, start + size

    def collate(self, items: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
        """One batch in the form that ``QaModel.forward`` takes."""
        targets = [
            place
            for at, item in enumerate(items)
            for place in {(at, at_, side) for span in item["spans"].tolist() for side, at_ in enumerate(span)}
        ]
        return {
            **batch_of([item["features"] for item in items], self.width),
            "targets": columns(sorted(targets), 3),
            "has_answer": torch.tensor([float(len(item["spans"]) > 0) if item["known"] else -1.0 for item in items]),
            **known_targets("label_targets", [item["label"] for item in items]),
        }


def batch_of(features: Sequence[Features], width: Width = LONGEST) -> dict[str, torch.Tensor]:
    """The tensors that ``QaModel.read`` takes."""
    longest = width.of([f.passage[0] for f in features])
    question = width.of([f.question[0] for f in features])
    shared = np.zeros((len(features), longest, COOCCURRENCE), np.uint8)
    for row, f in zip(shared, features, strict=True):
        row[: len(f.shared)] = f.shared
    return {
        "characters": pad([f.passage[0] for f in features], longest),
        "lengths": torch.tensor([len(f.passage[0]) for f in features]),
        "words": pad([f.passage[1] for f in features], longest),
        "tags": pad([f.passage[2] for f in features], longest),
        "shared": torch.from_numpy(shared),
        "question": pad([f.question[0] for f in features], question),
        "question_lengths": torch.tensor([len(f.question[0]) for f in features]),
        "question_words": pad([f.question[1] for f in features], question),
        "question_tags": pad([f.question[2] for f in features], question),
    }
