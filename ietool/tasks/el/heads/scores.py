"""What the decoders of all heads share: batches of pairs, and shares of probability."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from ietool.tasks.el.features.featurizer import Features
from ietool.tasks.el.heads.losses import log_partition
from ietool.tasks.el.heads.sampling import Linkable
from ietool.training.batches import columns

PAIRS = 512
"""At most so many (mention, candidate) pairs are scored at once."""


def _spans(features: Sequence[Features]) -> torch.Tensor:
    """(3, n) of text, first and last unit of all matches."""
    return columns([(i, a, b - 1) for i, f in enumerate(features) for a, b in f.spans.tolist()], 3)


def softmax_shares(scores: torch.Tensor, links: Sequence[Linkable]) -> list[list[float]]:
    """Logits (P,) of all candidates in their order → each mention's softmax over them and the choice of none."""
    counts = [len(linked.entities) for linked in links]
    mention = torch.arange(len(links)).repeat_interleave(torch.tensor(counts, dtype=torch.int64))
    probabilities = torch.exp(scores - log_partition(scores, mention, len(links))[mention])
    return [part.tolist() for part in probabilities.split(counts)] if links else []
