"""What all heads stand on."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, TypeVar

from torch import nn
from transformers import PreTrainedModel

from ietool.nn.encoder import EncoderConfig, encoder_settings, load_encoder, make_encoder
from ietool.tasks.ske.data.schema import Schema
from ietool.tasks.ske.features.featurizer import SCHEMA
from ietool.tasks.ske.recipe import SkeRecipe
from ietool.text.readers import open_reader


class SkeConfig(EncoderConfig):
    """What all heads share: ``labels`` is R, the number of (predicate, slot) labels."""

    def __init__(self, labels: int = 1, priors: bool = False, head_dropout: float = 0.0, **kwargs: Any) -> None:
        self.labels, self.priors, self.head_dropout = labels, priors, head_dropout
        super().__init__(**kwargs)


class SkeModel(PreTrainedModel):
    """What all heads stand on."""

    config_class: ClassVar[type[SkeConfig]] = SkeConfig
    base_model_prefix = "ske"
    config: SkeConfig

    def __init__(self, config: SkeConfig) -> None:
        super().__init__(config)
        self.encoder = make_encoder(config)

    def _init_weights(self, module: nn.Module) -> None:
        """Layers initialise themselves; transformers must not do it again."""

    def get_input_embeddings(self) -> nn.Module:
        return self.encoder.table


Model = TypeVar("Model", bound=SkeModel)


def settings_of(recipe: SkeRecipe, prepared: Path) -> dict[str, Any]:
    """What a :class:`SkeConfig` is told by a recipe and its prepared data. Raises UserError if the encoder cannot be
    had."""
    return {
        "labels": len(Schema.load(prepared / SCHEMA).labels),
        "priors": recipe.model.priors,
        "head_dropout": recipe.model.head.dropout,
        **encoder_settings(recipe.model.encoder, open_reader(prepared), prepared),
    }


def filled(model: Model, recipe: SkeRecipe, prepared: Path) -> Model:
    """A fresh model with the prepared word vectors or the pretrained weights in place."""
    load_encoder(model.encoder, recipe.model.encoder, prepared)
    return model
