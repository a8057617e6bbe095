"""Start and end on a pretrained encoder (as BERT reads SQuAD; Devlin et al. 2019, https://arxiv.org/abs/1810.04805)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import PreTrainedModel

from ietool.nn.choice import known_cross_entropy
from ietool.nn.encoder import EncoderConfig, encoder_settings, load_encoder, make_encoder
from ietool.tasks.qa.features.labels import LABELLED, LABELS
from ietool.tasks.qa.heads.span.recipe import SpanRecipe
from ietool.text.readers import open_reader
from ietool.training.adversarial import choice_divergence

# Not −∞: differences of such logits, as R-Drop takes them, would be no numbers.
_NEVER = -1e30


class SpanConfig(EncoderConfig):
    """Sizes of :class:`SpanModel`."""

    model_type = "ietool-qa-span"

    def __init__(self, labels: int = 0, head_dropout: float = 0.0, **kwargs: Any) -> None:
        self.labels, self.head_dropout = labels, head_dropout
        super().__init__(**kwargs)


class SpanModel(PreTrainedModel):
    """Which tokens of the passage an answer starts and ends with, or the first token of all for: none."""

    config_class = SpanConfig
    base_model_prefix = "qa_span"
    config: SpanConfig

    def __init__(self, config: SpanConfig) -> None:
        super().__init__(config)
        self.encoder = make_encoder(config)
        self.span = nn.Linear(self.encoder.size, 2)
        self.label = nn.Linear(self.encoder.size, config.labels) if config.labels else None
        self.post_init()

    def _init_weights(self, module: nn.Module) -> None:
        """Layers initialise themselves; transformers must not do it again."""

    def read(self, ids: Tensor, token_types: Tensor, lengths: Tensor, passage: Tensor) -> tuple[Tensor, Tensor | None]:
        """The logits of a batch of pairs.

        Args:
            ids, token_types: (B, T); lengths (B,).
            passage: (B, T) bool, the tokens that may be an answer's.

        Returns:
            (B, T, 2) of starts and ends, far below all others where there can be none; (B, labels) of yes and no or
            None.
        """
        inside = torch.arange(ids.shape[1], device=ids.device) < lengths[:, None]
        h = F.dropout(self.encoder(ids, inside, token_types=token_types), self.config.head_dropout, self.training)
        # A choice among hundreds wants more than the eight bits of bf16.
        with torch.autocast(h.device.type, enabled=False):
            logits: Tensor = self.span(h.float())
            labels = None if self.label is None else self.label(h[:, 0].float())
        allowed = passage.clone()
        allowed[:, 0] = True
        return logits.masked_fill(~allowed.unsqueeze(-1), _NEVER), labels

    def probabilities(self, logits: Tensor) -> Tensor:
        """Logits of :meth:`read` → (B, T, 2) probabilities of start and end, those of none left out."""
        p = logits.softmax(1)
        p[:, 0] = 0
        return p

    def forward(
        self, targets: Tensor, known: Tensor, label_targets: Tensor | None = None, **batch: Tensor
    ) -> dict[str, Tensor]:
        """The training loss of a batch of :meth:`read`: −log of the probability that is given to the gold starts and
        ends, any of them being right.

        Args:
            targets: (3, k) of pair, token and 0 for start or 1 for end; token 0 where there is no answer.
            known: (B,) 0 where the tokens do not show what is gold: such a pair does not count.
            label_targets: (B,) class of a YES_NO answer, −1: none; None: none at all.
        """
        logits, labels = self.read(**batch)
        gold = torch.zeros_like(logits, dtype=torch.bool)
        gold[targets[0], targets[1], targets[2]] = True
        wanted = logits.masked_fill(~gold, _NEVER).logsumexp(1)
        each = ((logits.logsumexp(1) - wanted) * known[:, None]).sum(-1)
        loss = each.sum() / known.sum().clamp(min=1)
        if labels is not None and label_targets is not None:
            loss = loss + known_cross_entropy(labels, label_targets)
        return {"loss": loss, "logits": logits}

    def divergence(self, first: dict[str, Tensor], second: dict[str, Tensor]) -> Tensor:
        """What divides two outputs of :meth:`forward`, a mean over pairs."""
        a, b = first["logits"].transpose(1, 2), second["logits"].transpose(1, 2)
        return choice_divergence(a, b) / len(a)


def build(recipe: SpanRecipe, prepared: Path) -> SpanModel:
    """A fresh model with the pretrained weights in place; it has labels where those of YES_NO questions are in train.

    Raises:
        UserError: the encoder cannot be had.
    """
    settings = encoder_settings(recipe.model.encoder, open_reader(prepared), prepared)
    labels = len(LABELS) if (prepared / LABELLED).is_file() else 0
    model = SpanModel(SpanConfig(labels=labels, head_dropout=recipe.model.head.dropout, **settings))
    load_encoder(model.encoder, recipe.model.encoder, prepared)
    return model
