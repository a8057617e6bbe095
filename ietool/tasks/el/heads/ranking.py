"""What the ranking of candidates has in common in all heads: batches of pairs, and shares of probability.

How well a candidate fits is said in ``joint/ranking.py`` and ``cross/ranking.py``; what follows from it in
``decoder.py``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import torch

from ietool.nn.choice import log_partition
from ietool.tasks.el.heads.linkable import Linkable

PAIRS = 512
"""At most so many (mention, candidate) pairs are scored at once, or those of one mention."""

Shares = list[npt.NDArray[np.float32]]
"""Of each mention the probabilities of its candidates."""

K = TypeVar("K")


def pair_parts(links: Sequence[tuple[K, Linkable]]) -> Iterator[list[tuple[K, Linkable]]]:
    """Mentions in parts of some hundred pairs; those without any candidate behind the last part are left out."""
    part: list[tuple[K, Linkable]] = []
    pairs = 0
    for number, link in enumerate(links, 1):
        part.append(link)
        pairs += len(link[1].entities)
        if pairs and (pairs >= PAIRS or number == len(links)):
            yield part
            part, pairs = [], 0


def split(values: torch.Tensor, links: Sequence[Linkable]) -> Shares:
    """(P,) of all candidates in their order → those of each mention."""
    cuts = np.cumsum([len(linked.entities) for linked in links])
    return np.split(values.numpy(), cuts[:-1]) if links else []


def softmax_shares(scores: torch.Tensor, links: Sequence[Linkable]) -> Shares:
    """Logits (P,) of all candidates in their order → each mention's softmax over them and the choice of none."""
    counts = [len(linked.entities) for linked in links]
    mention = torch.arange(len(links)).repeat_interleave(torch.tensor(counts, dtype=torch.int64))
    return split(torch.exp(scores - log_partition(scores, mention, len(links))[mention]), links)


def none_of(shares: npt.NDArray[np.float32]) -> float:
    """How probable none of a mention's candidates is, where they share one probability with that choice."""
    return max(0.0, 1.0 - sum(shares.tolist()))
