"""What the models of all heads share: one probability a character."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PretrainedConfig, PreTrainedModel

from tests.tasks.toy.features import vocabulary


class ToyConfig(PretrainedConfig):
    def __init__(self, characters: int = 2, **kwargs: Any) -> None:
        self.characters = characters
        super().__init__(**kwargs)


class ToyModel(PreTrainedModel):
    """Heads add ``logits``: characters (B, L) → (B, L)."""

    def _init_weights(self, module: nn.Module) -> None:
        """Heads do it."""

    def logits(self, characters: Tensor) -> Tensor:
        raise NotImplementedError

    def probabilities(self, characters: Tensor) -> Tensor:
        return torch.sigmoid(self.logits(characters))

    def forward(self, characters: Tensor, targets: Tensor) -> dict[str, Tensor]:
        loss = nn.functional.binary_cross_entropy_with_logits(
            self.logits(characters), targets, weight=(characters > 0).float()
        )
        return {"loss": loss}


def sizes(prepared: Path) -> dict[str, int]:
    return {"characters": len(vocabulary(prepared))}
