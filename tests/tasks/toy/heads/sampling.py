"""Texts as they are, every epoch the same."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from tests.tasks.toy.features import FEATURES
from tests.tasks.toy.recipe import ToyRecipe


class ToyTrainingSet:
    def __init__(self, recipe: ToyRecipe, prepared: Path, *, rows: Sequence[int] | None = None) -> None:
        lines = (prepared / FEATURES).read_text(encoding="utf-8").splitlines()
        self.items = [json.loads(line) for row, line in enumerate(lines) if rows is None or row in rows]
        self.lengths = [len(ids) for ids, _ in self.items]

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> Any:
        return self.items[index]

    def set_epoch(self, epoch: int) -> None:
        """Nothing is drawn."""

    def collate(self, items: list[Any]) -> dict[str, torch.Tensor]:
        def padded(which: int) -> torch.Tensor:
            rows = [torch.tensor(item[which]) for item in items]
            return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)

        return {"characters": padded(0), "targets": padded(1).float()}
