"""A masked language model that writes the answer into masks, all at once (kexue.fm 7148)."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import AutoModelForMaskedLM, PreTrainedModel

from ietool.nn.encoder import EncoderConfig, PretrainedEncoder, encoder_settings, fetch, load_encoder
from ietool.tasks.qa.heads.mlm.recipe import MaskRecipe
from ietool.text.readers import open_reader
from ietool.training.adversarial import choice_divergence

IGNORED = -1
"""The target of a mask that does not count."""


class MaskConfig(EncoderConfig):
    """Sizes of :class:`MaskModel`. ``masks``: tokens of an answer, at most."""

    model_type = "ietool-qa-mlm"

    def __init__(self, masks: int = 32, **kwargs: Any) -> None:
        self.masks = masks
        super().__init__(**kwargs)


class MaskedEncoder(PretrainedEncoder):
    """An encoder with its head of a masked language model, which is asked for the masks alone."""

    kind = AutoModelForMaskedLM
    complete = "name an encoder that was saved with its head of a masked language model, as bert-base-chinese"

    def __init__(self, config: MaskConfig) -> None:
        super().__init__(config)
        # By this name transformers asks a model's parts which weights are one and the same, saved only once.
        tied: dict[str, str] = self.backbone.all_tied_weights_keys
        self.all_tied_weights_keys = {f"backbone.{one}": f"backbone.{other}" for one, other in tied.items()}
        # The heads work on each token for itself: of hundreds only the masks need the whole vocabulary.
        self.backbone.base_model.register_forward_hook(partial(_masks_alone, count=config.masks))

    def forward(
        self, ids: Tensor, inside: Tensor, words: Tensor | None = None, tags: Tensor | None = None,
        token_types: Tensor | None = None, added: Tensor | None = None,
    ) -> Tensor:  # fmt: skip
        """ids, token_types (B, T), inside (B, T) bool → (B, n, V) logits of the masks; ``added`` as in encoders."""
        out = self.backbone(**self.given(ids, token_types, added), attention_mask=inside.long())
        logits: Tensor = out.logits
        return logits


class MaskModel(PreTrainedModel):
    """What stands behind the masks of :class:`MaskTokens`. V rows of the vocabulary."""

    config_class = MaskConfig
    base_model_prefix = "qa_mlm"
    config: MaskConfig

    def __init__(self, config: MaskConfig) -> None:
        super().__init__(config)
        self.encoder = MaskedEncoder(config)
        self.post_init()

    def _init_weights(self, module: nn.Module) -> None:
        """Layers initialise themselves; transformers must not do it again."""

    def read(self, ids: Tensor, token_types: Tensor, lengths: Tensor, passage: Tensor | None = None) -> Tensor:
        """The logits of a batch of pairs.

        Args:
            ids, token_types: (B, T); lengths (B,). ``passage`` is not looked at.

        Returns:
            (B, n, V), by rows: see :meth:`rows`.
        """
        inside = torch.arange(ids.shape[1], device=ids.device) < lengths[:, None]
        logits: Tensor = self.encoder(ids, inside, token_types=token_types)
        return logits.float()

    def rows(self, ids: Tensor) -> Tensor:
        """The rows of the vocabulary that tokens have, of any shape: others than their ids where it was cut."""
        return self.encoder.rows(ids)

    def forward(self, targets: Tensor, **batch: Tensor) -> dict[str, Tensor]:
        """The training loss of a batch of :meth:`read`: cross-entropy, a mean over all masks that count.

        Args:
            targets: (B, n) ids of the answer's tokens, then that which ends it, then ``IGNORED``.
        """
        logits = self.read(**batch)
        counted = targets != IGNORED
        rows = torch.where(counted, self.rows(targets.clamp(min=0)), -100)
        loss = F.cross_entropy(logits.flatten(0, 1), rows.flatten(), ignore_index=-100, reduction="sum")
        return {"loss": loss / counted.sum().clamp(min=1), "logits": logits, "counted": counted}

    def divergence(self, first: dict[str, Tensor], second: dict[str, Tensor]) -> Tensor:
        """What divides two outputs of :meth:`forward`, a mean over the masks that count."""
        counted = first["counted"]
        return choice_divergence(first["logits"], second["logits"], counted) / counted.sum().clamp(min=1)


def check_encoder(name: str) -> None:
    """Raises UserError if an encoder, a folder or hub id, is not to be had with its head of a masked language model."""
    fetch(name, MaskedEncoder)


def build(recipe: MaskRecipe, prepared: Path) -> MaskModel:
    """A fresh model with the pretrained weights in place.

    Raises:
        UserError: the encoder cannot be had, or has no head of a masked language model.
    """
    settings = encoder_settings(recipe.model.encoder, open_reader(prepared), prepared)
    model = MaskModel(MaskConfig(masks=recipe.model.head.masks, **settings))
    load_encoder(model.encoder, recipe.model.encoder, prepared)
    return model


def _masks_alone(module: nn.Module, inputs: Any, output: Any, *, count: int) -> Any:
    """What an encoder gives, without all that are not the ``count`` masks behind the first token."""
    output.last_hidden_state = output.last_hidden_state[:, 1 : count + 1]
    return output
