"""What a GlobalPointer is taught: the spans that are entities."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from ietool.nn.global_pointer import groups_of
from ietool.tasks.ner.features.featurizer import Labels
from ietool.tasks.ner.heads.globalpointer.recipe import PointerRecipe
from ietool.tasks.ner.heads.sampling import NerTrainingSet
from ietool.training.batches import columns, inputs_of


class PointerTrainingSet(NerTrainingSet):
    """Windows with spans."""

    flat = False

    def __init__(self, recipe: PointerRecipe, prepared: Path, *, rows: Sequence[int] | None = None) -> None:
        super().__init__(recipe, prepared, rows)
        self._types = len(Labels.load(prepared).types)

    def collate(self, items: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
        """One batch in the form that ``PointerModel.forward`` takes."""
        places = [
            (at, kind, first, behind - 1)
            for at, item in enumerate(items)
            for first, behind, kind in item["rows"].tolist()
        ]
        positives = columns(places, 4)
        # Known here, since a GPU would be waited for to find them.
        return inputs_of(items, self.width) | {"positives": positives, "groups": groups_of(positives, self._types)}
