"""Which dictionary matches are mentions: the part that both heads share, on whatever encodes the text."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import PreTrainedModel

from ietool.nn.pooling import span_vectors


class MatchModel(PreTrainedModel):
    """Base of the models. A subclass makes the layers: ``kind``, an embedding of the classes of entities, the two
    layers ``span_inner`` and ``span_outer``, ``called``, a projection of a name's word vector, or None, and
    ``nil_type``, which tells the type of a NIL, or None."""

    base_model_prefix = "el"
    config: Any
    kind: nn.Embedding
    span_inner: nn.Linear
    span_outer: nn.Linear
    called: nn.Linear | None
    nil_type: nn.Linear | None

    def _init_weights(self, module: nn.Module) -> None:
        """Layers initialise themselves; transformers must not do it again."""

    @property
    def name_vectors(self) -> Tensor:
        """(words, word_size): the frozen vectors of names."""
        raise NotImplementedError

    def match_logits(self, encoded: dict[str, Tensor], matches: Tensor, names: Tensor, signals: Tensor) -> Tensor:
        """(n,) logits that a match (3, n) is a mention; ``names`` (n, 2) and ``signals`` (n, SIGNALS) of Features."""
        parts = [span_vectors(encoded["z"], matches), self.kind(names[:, 0])]
        if self.config.habits:
            parts.append(signals.to(parts[0].dtype))
        z = self.span_inner(torch.cat(parts, -1))
        if self.called is not None:
            z = z + self.called(F.embedding(names[:, 1], self.name_vectors).to(z.dtype))
        z = F.dropout(F.relu(z), self.config.head_dropout, self.training)
        logits: Tensor = self.span_outer(z).squeeze(-1).float()
        return logits
