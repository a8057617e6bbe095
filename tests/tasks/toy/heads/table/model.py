"""One number a character."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor, nn

from tests.tasks.toy.heads.base import ToyConfig, ToyModel, sizes
from tests.tasks.toy.heads.table.recipe import TableRecipe


class TableConfig(ToyConfig):
    model_type = "ietool-toy-table"


class TableModel(ToyModel):
    config_class = TableConfig

    def __init__(self, config: TableConfig) -> None:
        super().__init__(config)
        self.logit = nn.Embedding(config.characters, 1)
        nn.init.zeros_(self.logit.weight)
        self.post_init()

    def logits(self, characters: Tensor) -> Tensor:
        found: Tensor = self.logit(characters).squeeze(-1)
        return found


def build(recipe: TableRecipe, prepared: Path) -> TableModel:
    return TableModel(TableConfig(**sizes(prepared)))
