"""What a training step sees: questions with their headers, in another order each epoch, and what is asked of each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import torch

from ietool.tasks.nl2sql.features.stretches import FEATURES
from ietool.tasks.nl2sql.heads.sketch.batches import inputs_of, places_of
from ietool.tasks.nl2sql.heads.sketch.recipe import SketchRecipe
from ietool.training.batches import pad
from ietool.training.sets import WindowTable

LISTS = (
    "ids", "words", "tags", "marks", "cuts", "links", "connector", "aggregates", "operators", "spans", "values",
    "features", "targets",
)  # fmt: skip
"""The columns of a training table; see :mod:`ietool.tasks.nl2sql.prepare.labelling`."""


class SketchTrainingSet(WindowTable):
    """The training questions, memory-mapped."""

    def __init__(self, recipe: SketchRecipe, prepared: Path, *, rows: Sequence[int] | None = None) -> None:
        super().__init__(prepared, LISTS, rows, bucket=recipe.training.bucket)
        self.recipe = recipe

    def __getitem__(self, index: int) -> dict[str, Any]:
        item = self.row(index)
        item["spans"], item["values"] = item["spans"].reshape(-1, 4), item["values"].reshape(-1, 4)
        item["links"] = item["links"].reshape(-1, 3)
        item["features"] = item["features"].reshape(-1, FEATURES)
        if self.recipe.model.head.shuffle and len(item["aggregates"]) > 1:
            order = list(range(len(item["aggregates"])))
            Random(f"{self.recipe.training.seed}/{self.epoch}/{index}").shuffle(order)
            item = shuffled(item, order)
        return item

    def collate(self, items: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
        """One batch in the form that ``SketchModel.forward`` takes."""
        inputs = inputs_of(items, self.width)
        longest, columns = inputs["ids"].shape[1], inputs["symbols"].shape[1] - 1
        return inputs | places_of(items) | {
            "connectors": torch.tensor([int(item["connector"][0]) for item in items]),
            "aggregates": pad([item["aggregates"].astype(np.int64) + 1 for item in items], columns) - 1,
            "operators": pad([item["operators"].astype(np.int64) + 1 for item in items], longest) - 1,
            "targets": torch.from_numpy(np.concatenate([item["targets"] for item in items]).astype(np.float32)),
        }  # fmt: skip


def shuffled(item: dict[str, Any], order: Sequence[int]) -> dict[str, Any]:
    """An item whose headers stand in another order: the n-th is the one that was at ``order[n]``."""
    cuts = item["cuts"].tolist()
    places = [np.arange(cuts[0], cuts[1]), *(np.arange(cuts[1 + n], cuts[2 + n]) for n in order)]
    every = np.concatenate(places)
    values = item["values"].copy()
    links = item["links"].copy()
    behind = np.argsort(np.asarray(order))
    values[:, 1], links[:, 0] = behind[values[:, 1]], behind[links[:, 0]]
    return {
        **item, **{name: item[name][every] for name in ("ids", "words", "tags", "marks")},
        "cuts": np.cumsum([0, *map(len, places)]).astype(np.int32), "values": values, "links": links,
        "aggregates": item["aggregates"][list(order)],
    }  # fmt: skip
