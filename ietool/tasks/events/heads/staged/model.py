"""Triggers of every type, then the arguments of a trigger on a layer norm that it conditions (kexue.fm 7161, 7124)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ietool.nn.global_pointer import EfficientGlobalPointer, Scores, log_sums_of, multilabel_loss
from ietool.nn.norm import ConditionalLayerNorm
from ietool.tasks.events.heads.base import RARE, EventsConfig, EventsModel, filled, settings_of
from ietool.tasks.events.heads.staged.recipe import StagedRecipe
from ietool.training.adversarial import bernoulli_divergence

_PARTS = ("trigger", "argument")


class StagedConfig(EventsConfig):
    """Sizes of :class:`StagedModel`; ``head_size`` is the length of queries and keys."""

    model_type = "ietool-events-staged"

    def __init__(self, head_size: int = 64, **kwargs: Any) -> None:
        self.head_size = head_size
        super().__init__(**kwargs)


class StagedModel(EventsModel):
    """An efficient GlobalPointer for triggers, one kind a type; another for arguments, one kind a role, on what the
    encoder says as the trigger's first and last unit and its type condition it."""

    config_class = StagedConfig
    config: StagedConfig

    def __init__(self, config: StagedConfig) -> None:
        super().__init__(config)
        h = self.encoder.size
        self.triggers = EfficientGlobalPointer(h, config.types, config.head_size)
        nn.init.constant_(self.triggers.bias.bias, RARE)
        self.kinds = nn.Embedding(config.types, h)
        self.norm = ConditionalLayerNorm(h, 3 * h)
        self.arguments = EfficientGlobalPointer(h, config.roles, config.head_size)
        nn.init.constant_(self.arguments.bias.bias, RARE)
        self.post_init()

    def arguments_of(
        self, h: Tensor, inside: Tensor, text: Tensor, kind: Tensor, first: Tensor, last: Tensor
    ) -> Scores:
        """Scores of the arguments of P triggers, for every role.

        Args:
            h, inside: (B, T, H) and (B, T).
            text, kind, first, last: (P,) of each trigger; the last unit is inclusive.
        """
        condition = torch.cat([h[text, first], h[text, last], self.kinds(kind).to(h.dtype)], -1)
        scores: Scores = self.arguments(self.norm(h[text], condition.unsqueeze(1)), inside[text])
        return scores

    def forward(
        self, ids: Tensor, lengths: Tensor, inside: Tensor, trigger_targets: Tensor, chosen: Tensor,
        argument_targets: Tensor, words: Tensor | None = None, tags: Tensor | None = None,
        trigger_groups: Tensor | None = None, argument_groups: Tensor | None = None,
    ) -> dict[str, Tensor]:  # fmt: skip
        """The training loss.

        Args:
            ids, words, tags: (B, T).
            lengths: (B,) units with special tokens.
            inside: (B, T) bool.
            trigger_targets: (4, n) of (text, type, first unit, last unit).
            chosen: (4, P) of the same: the triggers whose arguments are taught.
            argument_targets: (4, n) of (number among them, role, first unit, last unit).
            trigger_groups, argument_groups: as :func:`multilabel_loss` takes them.

        Returns:
            ``loss``: summed over types and over roles, means over texts and over triggers; ``trigger_loss`` and
            ``argument_loss``; and what :meth:`divergence` compares.
        """
        h = self.encode(ids, lengths, words, tags)
        triggers = self.triggers(h, inside)
        arguments = self.arguments_of(h, inside, *chosen.unbind(0))
        sums = log_sums_of([triggers, arguments])
        first = multilabel_loss(triggers, trigger_targets, groups=trigger_groups, sums=sums[0])
        second = multilabel_loss(arguments, argument_targets, groups=argument_groups, sums=sums[1])
        return {
            "loss": first.total + second.total,
            "trigger_loss": first.total,
            "argument_loss": second.total,
            "trigger_scores": first.dense,
            "argument_scores": second.dense,
            "texts": lengths.new_full((), len(lengths)),
        }

    def divergence(self, first: dict[str, Tensor], second: dict[str, Tensor]) -> Tensor:
        """How far two passes are apart, on the scale of the loss, over the types and roles that a text has."""
        one, other = (torch.cat([out[f"{name}_scores"].flatten() for name in _PARTS]) for out in (first, second))
        return bernoulli_divergence(one, other) / first["texts"]


def build(recipe: StagedRecipe, prepared: Path) -> StagedModel:
    """A fresh model of the recipe's sizes."""
    return filled(StagedModel(StagedConfig(**settings_of(recipe, prepared))), recipe, prepared)
