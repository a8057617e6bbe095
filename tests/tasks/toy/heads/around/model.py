"""A character and its neighbours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import Tensor, nn

from tests.tasks.toy.heads.around.recipe import AroundRecipe
from tests.tasks.toy.heads.base import ToyConfig, ToyModel, sizes


class AroundConfig(ToyConfig):
    model_type = "ietool-toy-around"

    def __init__(self, size: int = 4, **kwargs: Any) -> None:
        self.size = size
        super().__init__(**kwargs)


class AroundModel(ToyModel):
    config_class = AroundConfig

    def __init__(self, config: AroundConfig) -> None:
        super().__init__(config)
        self.embedding = nn.Embedding(config.characters, config.size)
        self.out = nn.Conv1d(config.size, 1, 3, padding=1)
        self.post_init()

    def logits(self, characters: Tensor) -> Tensor:
        if not characters.shape[1]:  # which no convolution takes
            return characters.float()
        found: Tensor = self.out(self.embedding(characters).transpose(1, 2)).squeeze(1)
        return found


def build(recipe: AroundRecipe, prepared: Path) -> AroundModel:
    return AroundModel(AroundConfig(size=recipe.model.head.size, **sizes(prepared)))
