"""What a training step sees: windows as they are, every epoch the same."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from ietool.tasks.ner.recipe import NerRecipe
from ietool.text.units import Units
from ietool.training.batches import LONGEST, Width, pad
from ietool.training.sets import WindowTable


class NerTrainingSet(WindowTable):
    """The training windows, memory-mapped; heads add what they are taught."""

    def __init__(self, recipe: NerRecipe, prepared: Path, rows: Sequence[int] | None) -> None:
        lists = ("ids", "words", "tags", "inside", "rows")
        super().__init__(prepared, lists, rows, bucket=recipe.training.bucket)

    def __getitem__(self, index: int) -> dict[str, Any]:
        item = self.row(index)
        item["inside"] = item["inside"].astype(bool)
        item["rows"] = item["rows"].reshape(-1, 3)
        return item


def inputs_of(items: Sequence[dict[str, Any]], width: Width = LONGEST) -> dict[str, torch.Tensor]:
    """What the model reads of some texts: each has ``ids``, ``words``, ``tags`` and ``inside``, (T,)."""
    longest = width.of([item["ids"] for item in items])
    return {
        "ids": pad([item["ids"] for item in items], longest),
        "lengths": torch.tensor([len(item["ids"]) for item in items]),
        "inside": pad([item["inside"] for item in items], longest).bool(),
        "words": pad([item["words"] for item in items], longest),
        "tags": pad([item["tags"] for item in items], longest),
    }


def item_of(units: Units) -> dict[str, Any]:
    """Units as :func:`inputs_of` takes them."""
    return {"ids": units.ids, "words": units.words, "tags": units.tags, "inside": units.inside}
