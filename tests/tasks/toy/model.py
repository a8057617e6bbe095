"""One number a character."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from transformers import PretrainedConfig, PreTrainedModel


class ToyConfig(PretrainedConfig):
    model_type = "ietool-toy"

    def __init__(self, characters: int = 2, **kwargs: Any) -> None:
        self.characters = characters
        super().__init__(**kwargs)


class ToyModel(PreTrainedModel):
    config_class = ToyConfig

    def __init__(self, config: ToyConfig) -> None:
        super().__init__(config)
        self.logit = nn.Embedding(config.characters, 1)
        nn.init.zeros_(self.logit.weight)
        self.post_init()

    def _init_weights(self, module: nn.Module) -> None:
        """Done above."""

    def probabilities(self, characters: Tensor) -> Tensor:
        return torch.sigmoid(self.logit(characters).squeeze(-1))

    def forward(self, characters: Tensor, targets: Tensor) -> dict[str, Tensor]:
        loss = nn.functional.binary_cross_entropy_with_logits(
            self.logit(characters).squeeze(-1), targets, weight=(characters > 0).float()
        )
        return {"loss": loss}
