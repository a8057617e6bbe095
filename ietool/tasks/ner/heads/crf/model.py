"""An encoder with a CRF on it (kexue.fm 5542, 7196)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ietool.nn.crf import CRF
from ietool.tasks.ner.heads.base import NerConfig, NerModel, filled, settings_of
from ietool.tasks.ner.heads.crf.recipe import CRFRecipe
from ietool.tasks.ner.heads.crf.tagset import TagSet
from ietool.training.adversarial import choice_divergence


class CRFConfig(NerConfig):
    """Sizes of :class:`CRFModel`; ``tag_scheme`` is that of the CRF."""

    model_type = "ietool-ner-crf"

    def __init__(self, tag_scheme: str = "bioes", transition_scale: float = 1.0, **kwargs: Any) -> None:
        self.tag_scheme, self.transition_scale = tag_scheme, transition_scale
        super().__init__(**kwargs)


class CRFModel(NerModel):
    """One tag a unit.

    Shapes: B texts, T units with special tokens, L without, K tags.
    """

    config_class = CRFConfig
    config: CRFConfig

    def __init__(self, config: CRFConfig) -> None:
        super().__init__(config)
        tags = TagSet(config.types, config.tag_scheme)
        self.out = nn.Linear(self.encoder.size, len(tags))
        self.crf = CRF(*tags.allowed(), scale=config.transition_scale)
        self.post_init()

    def emissions(self, h: Tensor, inside: Tensor, longest: int | None = None) -> tuple[Tensor, Tensor]:
        """Scores of tags, (B, L, K), special tokens left out, and how many units each text has, (B,).

        Args:
            h: (B, T, H).
            inside: (B, T) bool, true for units that stand for characters.
            longest: L, where it is known; a GPU is waited for to find it.
        """
        lengths = inside.sum(1)
        longest = int(lengths.max()) if longest is None else longest
        order = inside.to(torch.uint8).argsort(dim=1, descending=True, stable=True)[:, :longest]
        h = h.gather(1, order.unsqueeze(2).expand(-1, -1, h.shape[2]))
        return self.out(h).float(), lengths

    def forward(
        self, ids: Tensor, lengths: Tensor, inside: Tensor, targets: Tensor, words: Tensor | None = None,
        tags: Tensor | None = None,
    ) -> dict[str, Tensor]:  # fmt: skip
        """The training loss.

        Args:
            ids, words, tags: (B, T).
            lengths: (B,) units with special tokens.
            inside: (B, T) bool.
            targets: (B, L) tags of the units inside.

        Returns:
            ``loss``: −log P(tags) summed over texts, a mean over units. And what :meth:`divergence` compares.
        """
        emissions, counts = self.emissions(self.encode(ids, lengths, words, tags), inside, targets.shape[1])
        loss = self.crf.loss(emissions, counts, targets).sum() / counts.sum()
        return {"loss": loss, "emissions": emissions, "counts": counts}

    def divergence(self, first: dict[str, Tensor], second: dict[str, Tensor]) -> Tensor:
        """What divides two passes over the same batch, for R-Drop: the tags of units, a mean over them."""
        counts = first["counts"]
        weight = torch.arange(first["emissions"].shape[1], device=counts.device) < counts[:, None]
        return choice_divergence(first["emissions"], second["emissions"], weight.float()) / counts.sum()


def build(recipe: CRFRecipe, prepared: Path) -> NerModel:
    """A fresh model of the recipe's sizes."""
    head = recipe.model.head
    settings = {"tag_scheme": head.tags, "transition_scale": head.transition_scale, **settings_of(recipe, prepared)}
    return filled(CRFModel(CRFConfig(**settings)), recipe, prepared)
