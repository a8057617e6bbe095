"""What a training step sees: windows as they are, every epoch the same; heads add what they are taught."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ietool.tasks.events.features.featurizer import Labels
from ietool.tasks.events.recipe import EventsRecipe
from ietool.training.sets import WindowTable


class EventsTrainingSet(WindowTable):
    """The training windows, memory-mapped."""

    def __init__(self, recipe: EventsRecipe, prepared: Path, *, rows: Sequence[int] | None = None) -> None:
        lists = ("ids", "words", "tags", "inside", "rows")
        super().__init__(prepared, lists, rows, bucket=recipe.training.bucket)
        self.recipe, self.labels = recipe, Labels.load(prepared)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """``ids``, ``words``, ``tags``, ``inside`` (T,) and ``rows`` (n, 4) of event, first unit, the one behind the
        last, label; those of one event stand together, its trigger first."""
        item = self.row(index)
        item["inside"] = item["inside"].astype(bool)
        item["rows"] = item["rows"].reshape(-1, 4)
        return item
