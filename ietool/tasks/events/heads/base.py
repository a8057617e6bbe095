"""What the models of all heads stand on: an encoder, and dropout on what it says."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import PreTrainedModel

from ietool.nn.encoder import EncoderConfig, encoder_settings, load_encoder, make_encoder
from ietool.tasks.events.features.featurizer import Labels
from ietool.tasks.events.recipe import EventsRecipe
from ietool.text.readers import open_reader

RARE = -5.0
"""Where the biases of a first and of a last position begin: of hundreds of kinds a text has one or two, and higher ones
would take the first epoch to sink."""


class EventsConfig(EncoderConfig):
    """What all heads share: how many ``labels`` (type and role), ``types`` and ``roles`` there are, and dropout on what
    the head reads."""

    def __init__(
        self,
        labels: int = 1,
        types: int = 1,
        roles: int = 1,
        head_dropout: float = 0.1,
        **kwargs: Any,
    ) -> None:
        self.labels, self.types, self.roles = labels, types, roles
        self.head_dropout = head_dropout
        super().__init__(**kwargs)


class EventsModel(PreTrainedModel):
    """An encoder; heads add the rest and ``forward``.

    Shapes: B texts, T units with special tokens.
    """

    config_class: ClassVar[type[EventsConfig]] = EventsConfig
    base_model_prefix = "events"
    supports_gradient_checkpointing = True
    config: EventsConfig

    def __init__(self, config: EventsConfig) -> None:
        super().__init__(config)
        self.encoder = make_encoder(config)

    def _init_weights(self, module: nn.Module) -> None:
        """Layers initialise themselves; transformers must not do it again."""

    def encode(self, ids: Tensor, lengths: Tensor, words: Tensor | None = None, tags: Tensor | None = None) -> Tensor:
        """ids, words, tags (B, T), lengths (B,) → (B, T, H), with dropout in training."""
        mask = torch.arange(ids.shape[1], device=ids.device) < lengths[:, None]
        return F.dropout(self.encoder(ids, mask, words, tags), self.config.head_dropout, self.training)


Model = TypeVar("Model", bound=EventsModel)


def settings_of(recipe: EventsRecipe, prepared: Path) -> dict[str, Any]:
    """What an :class:`EventsConfig` is told by a recipe and its prepared data. Raises UserError if the encoder cannot
    be had."""
    labels = Labels.load(prepared)
    return {
        "labels": len(labels.names),
        "types": len(labels.types),
        "roles": max(1, len(labels.roles)),
        "head_size": recipe.model.head.size,
        "head_dropout": recipe.model.head.dropout,
        **encoder_settings(recipe.model.encoder, open_reader(prepared), prepared),
    }


def filled(model: Model, recipe: EventsRecipe, prepared: Path) -> Model:
    """A fresh model with the prepared word vectors or the pretrained weights in place."""
    load_encoder(model.encoder, recipe.model.encoder, prepared)
    return model
