"""What conditional pointers are taught: every place where the subject stands, or none."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from ietool.tasks.event_subject.heads.pointer.recipe import PointerRecipe
from ietool.training.batches import columns, inputs_of
from ietool.training.sets import WindowTable


class PointerTrainingSet(WindowTable):
    """Windows with the places of their subject."""

    def __init__(self, recipe: PointerRecipe, prepared: Path, *, rows: Sequence[int] | None = None) -> None:
        lists = ("ids", "words", "tags", "inside", "rows")
        super().__init__(prepared, lists, rows, bucket=recipe.training.bucket)
        self._types = self.table.column("type").to_numpy()

    def __getitem__(self, index: int) -> dict[str, Any]:
        item = self.row(index)
        item["inside"] = item["inside"].astype(bool)
        item["rows"] = item["rows"].reshape(-1, 2)
        item["type"] = int(self._types[self.place(index)])
        return item

    def collate(self, items: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
        """One batch in the form that ``SubjectModel.forward`` takes."""
        inputs = inputs_of(items, self.width)
        length = inputs["ids"].shape[1]
        places = []
        for number, item in enumerate(items):
            spans = [first * length + behind - 1 for first, behind in item["rows"].tolist()]
            places += [(number, place) for place in spans or [length * length]]
        return inputs | {"type": torch.tensor([item["type"] for item in items]), "positives": columns(places, 2)}
