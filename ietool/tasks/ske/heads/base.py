"""What all heads stand on."""

from __future__ import annotations

from typing import Any, ClassVar

from torch import nn
from transformers import PreTrainedModel

from ietool.nn.encoder import EncoderConfig, make_encoder


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
