"""An encoder, a condition on the type of the event, and pointers to the subject's start and end, or to none.

Pointers under the condition of the event's type are those of Su Jianlin's solution for CCKS 2019; the condition is a
conditional layer norm (kexue.fm 7124), start and end are scored together (kexue.fm 8877), and all spans of a window and
"none" share one softmax, so that an event has one subject at most.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import PreTrainedModel

from ietool.nn.dgcnn import DGCNNBlock
from ietool.nn.encoder import EncoderConfig, encoder_settings, load_encoder, make_encoder
from ietool.nn.global_pointer import EfficientGlobalPointer
from ietool.nn.norm import ConditionalLayerNorm
from ietool.nn.pooling import highest
from ietool.tasks.event_subject.features.featurizer import load_types
from ietool.tasks.event_subject.heads.pointer.recipe import PointerRecipe
from ietool.text.readers import open_reader
from ietool.training.adversarial import choice_divergence


class SubjectConfig(EncoderConfig):
    """Sizes of :class:`SubjectModel`."""

    model_type = "ietool-event-subject"

    def __init__(
        self, types: int = 1, type_size: int = 64, head_size: int = 64, dilations_behind: Sequence[int] = (1, 2, 5),
        head_dropout: float = 0.1, gate_dropout_behind: float = 0.1, **kwargs: Any,
    ) -> None:  # fmt: skip
        self.types, self.type_size, self.head_size = types, type_size, head_size
        self.dilations_behind, self.head_dropout = list(dilations_behind), head_dropout
        self.gate_dropout_behind = gate_dropout_behind
        super().__init__(**kwargs)


class SubjectModel(PreTrainedModel):
    """A probability for every span of a window, and for none.

    Shapes: B windows, T units with special tokens.
    """

    config_class: ClassVar[type[SubjectConfig]] = SubjectConfig
    base_model_prefix = "event_subject"
    supports_gradient_checkpointing = True
    config: SubjectConfig

    def __init__(self, config: SubjectConfig) -> None:
        super().__init__(config)
        self.encoder = make_encoder(config)
        size = self.encoder.size
        self.kinds = nn.Embedding(config.types, config.type_size)
        self.norm = ConditionalLayerNorm(size, config.type_size, epsilon=1e-6)
        self.blocks = nn.ModuleList(
            DGCNNBlock(size, dilation, config.gate_dropout_behind) for dilation in config.dilations_behind
        )
        self.out = EfficientGlobalPointer(size, 1, config.head_size)
        self.none = nn.Linear(size, 1)
        self.post_init()

    def _init_weights(self, module: nn.Module) -> None:
        """Layers initialise themselves; transformers must not do it again."""

    def choices(
        self, ids: Tensor, lengths: Tensor, inside: Tensor, type: Tensor, words: Tensor | None = None,
        tags: Tensor | None = None,
    ) -> Tensor:  # fmt: skip
        """Logarithms of probabilities: (B, T · T + 1), the span of first unit i and last unit j at i · T + j, and none.

        Args:
            ids, words, tags: (B, T).
            lengths: (B,) units with special tokens.
            inside: (B, T) bool, where spans may begin and end.
            type: (B,) numbers of the event types.
        """
        mask = torch.arange(ids.shape[1], device=ids.device) < lengths[:, None]
        h = F.dropout(self.encoder(ids, mask, words, tags), self.config.head_dropout, self.training)
        kept = mask.unsqueeze(-1).to(h.dtype)
        # The norm gives even padding a value, which the blocks would carry into the text.
        x = self.norm(h, self.kinds(type).to(h.dtype).unsqueeze(1)) * kept
        for block in self.blocks:
            x = block(x, kept)
        scores = self.out(x, inside)
        every = torch.arange(len(ids), device=ids.device)
        spans = scores.dense(every, torch.zeros_like(every)).flatten(1)
        none = self.none(highest(x, mask)).float()
        return torch.cat([spans.to(none.dtype), none], 1).log_softmax(-1)

    def forward(
        self, ids: Tensor, lengths: Tensor, inside: Tensor, type: Tensor, positives: Tensor,
        words: Tensor | None = None, tags: Tensor | None = None,
    ) -> dict[str, Tensor]:  # fmt: skip
        """The training loss.

        Args:
            positives: (2, n) of (window, place as :meth:`choices` has it), each once: all places where the subject
                stands, or that of none.

        Returns:
            ``loss``: minus the logarithm of the probability of any of the positives, a mean over windows; and what
            :meth:`divergence` compares.
        """
        choices = self.choices(ids, lengths, inside, type, words, tags)
        place = (positives[0], positives[1])
        right = torch.full_like(choices, -torch.inf).index_put(place, choices[place])
        return {"loss": -right.logsumexp(1).mean(), "choices": choices}

    def divergence(self, first: dict[str, Tensor], second: dict[str, Tensor]) -> Tensor:
        """What divides two passes over the same batch, for R-Drop: a mean over windows."""
        return choice_divergence(first["choices"], second["choices"]) / len(first["choices"])


def build(recipe: PointerRecipe, prepared: Path) -> SubjectModel:
    """A fresh model of the recipe's sizes. Raises UserError if the encoder cannot be had."""
    head = recipe.model.head
    config = SubjectConfig(
        types=len(load_types(prepared)),
        type_size=head.type_size,
        head_size=head.size,
        dilations_behind=head.dilations,
        head_dropout=head.dropout,
        gate_dropout_behind=head.gate_dropout,
        **encoder_settings(recipe.model.encoder, open_reader(prepared), prepared),
    )
    model = SubjectModel(config)
    load_encoder(model.encoder, recipe.model.encoder, prepared)
    return model
