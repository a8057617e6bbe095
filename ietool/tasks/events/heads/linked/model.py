"""GPLinker's event form: spans as (type, role), and links of first and of last positions (kexue.fm 8926)."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ietool.nn.global_pointer import NEVER, EfficientGlobalPointer, Scores, log_sums_of, multilabel_loss
from ietool.tasks.events.heads.base import RARE, EventsConfig, EventsModel, filled, settings_of
from ietool.tasks.events.heads.linked.recipe import LinkedRecipe
from ietool.training.adversarial import bernoulli_divergence

_PARTS = ("spans", "heads", "tails")


class Links(NamedTuple):
    """All scores of a batch: ``spans`` of every label, ``heads`` and ``tails`` of two positions i ≤ j, whatever the
    label: whether spans of one event begin there, and end there."""

    spans: Scores
    heads: Scores
    tails: Scores


class LinkedConfig(EventsConfig):
    """Sizes of :class:`LinkedModel`; ``head_size`` is the length of queries and keys."""

    model_type = "ietool-events-linked"

    def __init__(self, head_size: int = 64, **kwargs: Any) -> None:
        self.head_size = head_size
        super().__init__(**kwargs)


class LinkedModel(EventsModel):
    """Three efficient GlobalPointers: spans of every (type, role), and links at both ends."""

    config_class = LinkedConfig
    config: LinkedConfig

    def __init__(self, config: LinkedConfig) -> None:
        super().__init__(config)
        h, size = self.encoder.size, config.head_size
        self.spans = EfficientGlobalPointer(h, config.labels, size)
        nn.init.constant_(self.spans.bias.bias, RARE)
        self.heads = EfficientGlobalPointer(h, 1, size, spans=False)
        self.tails = EfficientGlobalPointer(h, 1, size, spans=False)
        self.post_init()

    def links(self, h: Tensor, inside: Tensor) -> Links:
        """Scores of all spans and links of units inside; h (B, T, H), inside (B, T) bool."""
        return Links(self.spans(h, inside), _rising(self.heads(h, inside)), _rising(self.tails(h, inside)))

    def forward(
        self, ids: Tensor, lengths: Tensor, inside: Tensor, span_targets: Tensor, head_targets: Tensor,
        tail_targets: Tensor, words: Tensor | None = None, tags: Tensor | None = None,
        span_groups: Tensor | None = None, head_groups: Tensor | None = None, tail_groups: Tensor | None = None,
    ) -> dict[str, Tensor]:  # fmt: skip
        """The training loss.

        Args:
            ids, words, tags: (B, T).
            lengths: (B,) units with special tokens.
            inside: (B, T) bool.
            span_targets: (4, n) of (text, label, first unit, last unit).
            head_targets, tail_targets: (4, n) of (text, 0, position, the same or a later one).
            span_groups, head_groups, tail_groups: as :func:`multilabel_loss` takes them.

        Returns:
            ``loss``: of all three, summed over labels, a mean over texts; ``span_loss`` and ``link_loss``; and what
            :meth:`divergence` compares.
        """
        links = self.links(self.encode(ids, lengths, words, tags), inside)
        sums = log_sums_of(links)
        spans = multilabel_loss(links.spans, span_targets, groups=span_groups, sums=sums[0])
        heads = multilabel_loss(links.heads, head_targets, groups=head_groups, sums=sums[1])
        tails = multilabel_loss(links.tails, tail_targets, groups=tail_groups, sums=sums[2])
        return {
            "loss": spans.total + heads.total + tails.total,
            "span_loss": spans.total,
            "link_loss": heads.total + tails.total,
            **{f"{name}_scores": part.dense for name, part in zip(_PARTS, (spans, heads, tails), strict=True)},
            "texts": lengths.new_full((), len(lengths)),
        }

    def divergence(self, first: dict[str, Tensor], second: dict[str, Tensor]) -> Tensor:
        """How far two passes are apart, on the scale of the loss, over the labels that a text has."""
        one, other = (torch.cat([out[f"{name}_scores"].flatten() for name in _PARTS]) for out in (first, second))
        return bernoulli_divergence(one, other) / first["texts"]


def _rising(scores: Scores) -> Scores:
    """Without pairs whose second position lies before the first: a link has no direction."""
    allowed = torch.ones_like(scores.pair, dtype=torch.bool).triu()
    return scores._replace(pair=scores.pair.masked_fill(~allowed, NEVER))


def build(recipe: LinkedRecipe, prepared: Path) -> LinkedModel:
    """A fresh model of the recipe's sizes."""
    return filled(LinkedModel(LinkedConfig(**settings_of(recipe, prepared))), recipe, prepared)
