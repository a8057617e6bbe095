"""What a training step sees: windows as they are, every epoch the same."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from datasets import Dataset, load_from_disk

from ietool.tasks.ner.features.featurizer import Labels
from ietool.tasks.ner.heads.crf.tagset import TagSet
from ietool.tasks.ner.recipe import NerRecipe
from ietool.text.units import Units
from ietool.training.batches import columns, pad
from ietool.training.tables import ListColumn


class NerTrainingSet:
    """The training windows, memory-mapped."""

    def __init__(self, recipe: NerRecipe, prepared: Path, *, limit: int | None = None) -> None:
        data = load_from_disk(str(prepared / "train"))
        assert isinstance(data, Dataset)
        self.data = data if limit is None else data.select(range(min(limit, len(data))))
        self.lengths: Sequence[int] = self.data.data.column("length").to_numpy()[: len(self.data)]
        self._columns = {name: ListColumn(data, name) for name in ("ids", "words", "tags", "inside", "rows")}
        types = len(Labels.load(prepared).types)
        self._tags = TagSet(types, recipe.model.tags) if recipe.model.head == "crf" else None

    def __len__(self) -> int:
        return len(self.data)

    def set_epoch(self, epoch: int) -> None:
        """Nothing is drawn."""

    def __getitem__(self, index: int) -> dict[str, Any]:
        item = {name: column[index] for name, column in self._columns.items()}
        item["inside"] = item["inside"].astype(bool)
        item["rows"] = item["rows"].reshape(-1, 3)
        return item

    def collate(self, items: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
        """One batch in the form that ``NerModel.forward`` takes."""
        batch = inputs_of(items)
        if self._tags is not None:
            real = [_compact(item) for item in items]
            longest = max(int(item["inside"].sum()) for item in items)
            tags = [self._tags.encode(rows, int(item["inside"].sum())) for rows, item in zip(real, items, strict=True)]
            batch["targets"] = pad(tags, longest)
        else:
            places = [
                (at, kind, first, behind - 1)
                for at, item in enumerate(items)
                for first, behind, kind in item["rows"].tolist()
            ]
            batch["positives"] = columns(places, 4)
        return batch


def inputs_of(items: Sequence[dict[str, Any]]) -> dict[str, torch.Tensor]:
    """What the model reads of some texts: each has ``ids``, ``words``, ``tags`` and ``inside``, (T,)."""
    longest = max(len(item["ids"]) for item in items)
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


def _compact(item: dict[str, Any]) -> np.ndarray:
    """Rows whose places count the units inside alone: the CRF goes from one to the next, past special tokens."""
    place = np.cumsum(item["inside"]) - 1
    rows = item["rows"].copy()
    if len(rows):
        rows[:, 0], rows[:, 1] = place[rows[:, 0]], place[rows[:, 1] - 1] + 1
    return rows
