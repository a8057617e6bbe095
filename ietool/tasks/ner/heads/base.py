"""What the models of all heads stand on: an encoder, and dropout on what it says."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import PreTrainedModel

from ietool.nn.encoder import EncoderConfig, encoder_settings, load_encoder, make_encoder
from ietool.tasks.ner.features.featurizer import Labels
from ietool.tasks.ner.recipe import NerRecipe
from ietool.text.readers import open_reader


class NerConfig(EncoderConfig):
    """What all heads share: ``types`` of entities, dropout on what the head reads."""

    def __init__(self, types: int = 1, head_dropout: float = 0.1, **kwargs: Any) -> None:
        self.types, self.head_dropout = types, head_dropout
        super().__init__(**kwargs)


class NerModel(PreTrainedModel):
    """An encoder; heads add ``out`` and ``forward``.

    Shapes: B texts, T units with special tokens.
    """

    config_class: ClassVar[type[NerConfig]] = NerConfig
    base_model_prefix = "ner"
    supports_gradient_checkpointing = True
    config: NerConfig

    def __init__(self, config: NerConfig) -> None:
        super().__init__(config)
        self.encoder = make_encoder(config)

    def _init_weights(self, module: nn.Module) -> None:
        """Layers initialise themselves; transformers must not do it again."""

    def encode(self, ids: Tensor, lengths: Tensor, words: Tensor | None = None, tags: Tensor | None = None) -> Tensor:
        """ids, words, tags (B, T), lengths (B,) → (B, T, H), with dropout in training."""
        mask = torch.arange(ids.shape[1], device=ids.device) < lengths[:, None]
        return F.dropout(self.encoder(ids, mask, words, tags), self.config.head_dropout, self.training)


def settings_of(recipe: NerRecipe, prepared: Path) -> dict[str, Any]:
    """What a :class:`NerConfig` is told by a recipe and its prepared data. Raises UserError if the encoder cannot be
    had."""
    return {
        "types": len(Labels.load(prepared).types),
        "head_dropout": recipe.model.head.dropout,
        **encoder_settings(recipe.model.encoder, open_reader(prepared), prepared),
    }


def filled(model: NerModel, recipe: NerRecipe, prepared: Path) -> NerModel:
    """A fresh model with the prepared word vectors or the pretrained weights in place."""
    load_encoder(model.encoder, recipe.model.encoder, prepared)
    return model
