"""What a training step sees: windows as they are, every epoch the same but for soft labels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any, ClassVar

import numpy as np

from ietool.core.soft import drawn
from ietool.tasks.ner.recipe import NerRecipe
from ietool.training.sets import WindowTable


class NerTrainingSet(WindowTable):
    """The training windows, memory-mapped; heads add what they are taught."""

    flat: ClassVar[bool]
    """Whether no two entities may share a place."""

    def __init__(self, recipe: NerRecipe, prepared: Path, rows: Sequence[int] | None) -> None:
        lists = ("ids", "words", "tags", "inside", "rows")
        super().__init__(prepared, lists, rows, bucket=recipe.training.bucket)
        self.recipe, self.chances = recipe, self.soft()

    def __getitem__(self, index: int) -> dict[str, Any]:
        item = self.row(index)
        item["inside"] = item["inside"].astype(bool)
        item["rows"] = item["rows"].reshape(-1, 3)
        if self.chances is not None and len(chance := self.chances[self.place(index)]):
            random = Random(f"{self.recipe.training.seed}/{self.epoch}/{index}")
            # The most probable first: it stays where two of those that hold cannot be tagged together.
            order = np.argsort(-chance, kind="stable")
            rows = drawn(item["rows"][order], chance[order], self.recipe.data.soft_weight, random)
            item["rows"] = apart(rows) if self.flat else rows
        return item


def apart(rows: np.ndarray) -> np.ndarray:
    """Of rows that share a place the first."""
    kept: list[int] = []
    taken: set[int] = set()
    for n, (first, behind, _) in enumerate(rows.tolist()):
        if taken.isdisjoint(range(first, behind)):
            kept.append(n)
            taken.update(range(first, behind))
    return rows[kept]
