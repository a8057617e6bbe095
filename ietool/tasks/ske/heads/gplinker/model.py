"""GPLinker: a triple is five scores of pairs of positions, and none waits for another (kexue.fm 8888)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ietool.nn.global_pointer import EfficientGlobalPointer, Scores, log_sums_of, multilabel_loss
from ietool.tasks.ske.heads.base import SkeConfig, SkeModel, filled, settings_of
from ietool.tasks.ske.heads.gplinker.recipe import LinkRecipe
from ietool.training.adversarial import bernoulli_divergence

SUBJECT, OBJECT = 0, 1
"""Types of the entity scores."""

_PARTS = ("entity", "heads", "tails")


@dataclass(frozen=True)
class Links:
    """All scores of a batch: ``entity`` of spans as subject or object, ``heads`` from a subject's first to an object's
    first position per label, ``tails`` from last to last."""

    entity: Scores
    heads: Scores
    tails: Scores


class LinkConfig(SkeConfig):
    """Sizes of :class:`LinkModel`."""

    model_type = "ietool-ske-gplinker"

    def __init__(self, pointer_size: int = 64, **kwargs: Any) -> None:
        self.pointer_size = pointer_size
        super().__init__(**kwargs)


class LinkModel(SkeModel):
    """S(s, p, o) = S(s_h, s_t) + S(o_h, o_t) + S(s_h, o_h | p) + S(s_t, o_t | p), each an efficient GlobalPointer.

    What the index of training triples knows raises the scores of that very link by a weight per label."""

    config_class = LinkConfig
    config: LinkConfig

    def __init__(self, config: LinkConfig) -> None:
        super().__init__(config)
        h, size = self.encoder.size, config.pointer_size
        self.entity = EfficientGlobalPointer(h, 2, size)
        self.heads = EfficientGlobalPointer(h, config.labels, size, spans=False)
        self.tails = EfficientGlobalPointer(h, config.labels, size, spans=False)
        self.known = nn.Parameter(torch.zeros(2, config.labels)) if config.priors else None
        self.post_init()

    def encode(self, ids: Tensor, lengths: Tensor, words: Tensor | None = None, tags: Tensor | None = None) -> Links:
        """ids, words, tags (B, T), lengths (B,)."""
        inside = torch.arange(ids.shape[1], device=ids.device) < lengths[:, None]
        h = F.dropout(self.encoder(ids, inside, words, tags), self.config.head_dropout, self.training)
        return Links(self.entity(h, inside), self.heads(h, inside), self.tails(h, inside))

    def forward(
        self, ids: Tensor, lengths: Tensor, entity_targets: Tensor, head_targets: Tensor, tail_targets: Tensor,
        words: Tensor | None = None, tags: Tensor | None = None, head_marks: Tensor | None = None,
        tail_marks: Tensor | None = None, entity_groups: Tensor | None = None, head_groups: Tensor | None = None,
        tail_groups: Tensor | None = None,
    ) -> dict[str, Tensor]:  # fmt: skip
        """The training loss.

        Args:
            entity_targets: (4, n) of (sentence, 0 subject | 1 object, first, last).
            head_targets, tail_targets: (4, n) of (sentence, label, position of the subject, of the object).
            head_marks, tail_marks: the same of links that the index knows.
            entity_groups, head_groups, tail_groups: as :func:`multilabel_loss` takes them.

        Returns:
            ``loss``, ``entity_loss``, ``link_loss``; and scores for :meth:`divergence`.
        """
        links = self.encode(ids, lengths, words, tags)
        weights: tuple[Tensor | None, Tensor | None] = (None, None)
        if self.known is not None:
            weights = (self.known[0], self.known[1])
        sums = log_sums_of([links.entity, links.heads, links.tails])
        entity = multilabel_loss(links.entity, entity_targets, groups=entity_groups, sums=sums[0])
        heads = multilabel_loss(links.heads, head_targets, head_marks, weights[0], head_groups, sums[1])
        tails = multilabel_loss(links.tails, tail_targets, tail_marks, weights[1], tail_groups, sums[2])
        return {
            "loss": entity.total + heads.total + tails.total,
            "entity_loss": entity.total,
            "link_loss": heads.total + tails.total,
            **{f"{name}_scores": part.dense for name, part in zip(_PARTS, (entity, heads, tails), strict=True)},
            "sentences": lengths.new_full((), len(lengths)),
        }

    def divergence(self, first: dict[str, Tensor], second: dict[str, Tensor]) -> Tensor:
        """How far two passes are apart, on the scale of the loss, over the labels that a sentence has."""
        one, other = (torch.cat([out[f"{name}_scores"].flatten() for name in _PARTS]) for out in (first, second))
        return bernoulli_divergence(one, other) / first["sentences"]


def build(recipe: LinkRecipe, prepared: Path) -> LinkModel:
    """A fresh model of the recipe's sizes."""
    config = LinkConfig(pointer_size=recipe.model.head.pointer_size, **settings_of(recipe, prepared))
    return filled(LinkModel(config), recipe, prepared)
