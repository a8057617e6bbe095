"""A cascade of pointers: subjects, then objects on a layer norm that the subject conditions (kexue.fm 7161)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ietool.nn.norm import ConditionalLayerNorm
from ietool.tasks.ske.heads.base import SkeConfig, filled, settings_of
from ietool.tasks.ske.heads.cascade.recipe import CascadeRecipe
from ietool.tasks.ske.heads.stages.model import TwoStageModel


class CascadeConfig(SkeConfig):
    """Sizes of :class:`CascadeModel`."""

    model_type = "ietool-ske-cascade"

    def __init__(self, subject_power: float = 2.0, object_power: float = 4.0, **kwargs: Any) -> None:
        self.subject_power, self.object_power = subject_power, object_power
        super().__init__(**kwargs)


class CascadeModel(TwoStageModel):
    """Starts and ends are sigmoids raised to a power (2 for subjects, 4 for objects): they begin near zero, where
    nearly all of them belong. What the index of training triples knows raises the logit of that very start or end."""

    config_class = CascadeConfig
    config: CascadeConfig

    def __init__(self, config: CascadeConfig) -> None:
        super().__init__(config)
        h = self.encoder.size
        self.subject_out = nn.Linear(h, 2)
        self.norm = ConditionalLayerNorm(h, 2 * h)
        self.object_out = nn.Linear(h, 2 * config.labels)  # starts, then ends
        self.subject_known = nn.Parameter(torch.zeros(2)) if config.priors else None
        self.object_known = nn.Parameter(torch.zeros(2 * config.labels)) if config.priors else None
        self.post_init()

    def encode(
        self, ids: Tensor, lengths: Tensor, words: Tensor | None = None, tags: Tensor | None = None,
        subject_marks: tuple[Tensor, Tensor, Tensor] | None = None,
    ) -> dict[str, Tensor]:  # fmt: skip
        """As in :class:`TwoStageModel`; also ``h`` (B, L, H)."""
        inside = torch.arange(ids.shape[1], device=ids.device) < lengths[:, None]
        h = F.dropout(self.encoder(ids, inside, words, tags), self.config.head_dropout, self.training)
        logits = self.subject_out(h).float()
        if self.subject_known is not None and subject_marks is not None:
            logits = logits.index_put(subject_marks, self.subject_known[subject_marks[2]].float(), accumulate=True)
        gate = (self.config.subject_power - 1.0) * F.logsigmoid(logits)
        return {"subject_logits": logits, "entity": gate, "h": h, "mask": inside}

    def objects(
        self, encoded: dict[str, Tensor], sentence: Tensor, start: Tensor, end: Tensor,
        object_marks: tuple[Tensor, Tensor, Tensor] | None = None,
    ) -> tuple[Tensor, list[Tensor]]:  # fmt: skip
        """As in :class:`TwoStageModel`."""
        h = encoded["h"]
        subject = torch.cat([h[sentence, start], h[sentence, end]], -1)
        logits = self.object_out(self.norm(h[sentence], subject.unsqueeze(1))).float()
        if self.object_known is not None and object_marks is not None:
            logits = logits.index_put(object_marks, self.object_known[object_marks[2]].float(), accumulate=True)
        logits = logits.unflatten(-1, (2, self.config.labels))
        return logits, [(self.config.object_power - 1.0) * F.logsigmoid(logits)]


def build(recipe: CascadeRecipe, prepared: Path) -> CascadeModel:
    """A fresh model of the recipe's sizes."""
    head = recipe.model.head
    own = {"subject_power": head.subject_power, "object_power": head.object_power}
    return filled(CascadeModel(CascadeConfig(**own, **settings_of(recipe, prepared))), recipe, prepared)
