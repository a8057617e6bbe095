"""What a CRF is taught: the tags of the units inside."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ietool.tasks.ner.features.featurizer import Labels
from ietool.tasks.ner.heads.crf.recipe import CRFRecipe
from ietool.tasks.ner.heads.crf.tagset import TagSet
from ietool.tasks.ner.heads.sampling import NerTrainingSet
from ietool.training.batches import inputs_of, pad


class CRFTrainingSet(NerTrainingSet):
    """Windows with tags."""

    flat = True

    def __init__(self, recipe: CRFRecipe, prepared: Path, *, rows: Sequence[int] | None = None) -> None:
        super().__init__(recipe, prepared, rows)
        self._tags = TagSet(len(Labels.load(prepared).types), recipe.model.head.tags)

    def collate(self, items: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
        """One batch in the form that ``CRFModel.forward`` takes."""
        counts = [int(item["inside"].sum()) for item in items]
        tags = [self._tags.encode(_compact(item), count) for item, count in zip(items, counts, strict=True)]
        return inputs_of(items, self.width) | {"targets": pad(tags, self.width.of(tags))}


def _compact(item: dict[str, Any]) -> np.ndarray:
    """Rows whose places count the units inside alone: the CRF goes from one to the next, past special tokens."""
    place = np.cumsum(item["inside"]) - 1
    rows = item["rows"].copy()
    if len(rows):
        rows[:, 0], rows[:, 1] = place[rows[:, 0]], place[rows[:, 1] - 1] + 1
    return rows
