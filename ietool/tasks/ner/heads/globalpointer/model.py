"""An encoder with an efficient GlobalPointer on it (kexue.fm 8877)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ietool.nn.global_pointer import NEVER, EfficientGlobalPointer, Scores, multilabel_loss
from ietool.tasks.ner.heads.base import NerConfig, NerModel, filled, settings_of
from ietool.tasks.ner.heads.globalpointer.recipe import PointerRecipe
from ietool.training.adversarial import bernoulli_divergence


class PointerConfig(NerConfig):
    """Sizes of :class:`PointerModel`; ``head_size`` is the length of queries and keys."""

    model_type = "ietool-ner-globalpointer"

    def __init__(self, head_size: int = 64, **kwargs: Any) -> None:
        self.head_size = head_size
        super().__init__(**kwargs)


class PointerModel(NerModel):
    """A score for every span and type.

    Shapes: B texts, T units with special tokens.
    """

    config_class = PointerConfig
    config: PointerConfig

    def __init__(self, config: PointerConfig) -> None:
        super().__init__(config)
        self.out = EfficientGlobalPointer(self.encoder.size, config.types, config.head_size)
        self.post_init()

    def spans(self, h: Tensor, inside: Tensor) -> Scores:
        """Scores of all spans of units inside, for every type; h (B, T, H), inside (B, T) bool."""
        scores: Scores = self.out(h, inside)
        return scores

    def forward(
        self, ids: Tensor, lengths: Tensor, inside: Tensor, positives: Tensor, words: Tensor | None = None,
        tags: Tensor | None = None, groups: Tensor | None = None,
    ) -> dict[str, Tensor]:  # fmt: skip
        """The training loss.

        Args:
            ids, words, tags: (B, T).
            lengths: (B,) units with special tokens.
            inside: (B, T) bool.
            positives: (4, n) of (text, type, first unit, last unit).
            groups: as :func:`multilabel_loss` takes them.

        Returns:
            ``loss``: summed over types, a mean over texts. And what :meth:`divergence` compares.
        """
        scores = self.spans(self.encode(ids, lengths, words, tags), inside)
        return {"loss": multilabel_loss(scores, positives, groups=groups).total, **scores._asdict()}

    def divergence(self, first: dict[str, Tensor], second: dict[str, Tensor]) -> Tensor:
        """What divides two passes over the same batch, for R-Drop: the spans of all types, a mean over texts."""
        one, other = (Scores(x["pair"], x["first"], x["last"]) for x in (first, second))
        sentence = torch.arange(len(one.pair), device=one.pair.device)
        possible = (one.pair > NEVER / 2).float()
        total = one.pair.new_zeros(())
        for kind in range(self.config.types):
            kinds = torch.full_like(sentence, kind)
            pairs = (one.dense(sentence, kinds), other.dense(sentence, kinds))
            total = total + bernoulli_divergence(*pairs, possible)
        return total / len(sentence)


def build(recipe: PointerRecipe, prepared: Path) -> NerModel:
    """A fresh model of the recipe's sizes."""
    settings = {"head_size": recipe.model.head.size, **settings_of(recipe, prepared)}
    return filled(PointerModel(PointerConfig(**settings)), recipe, prepared)
