"""Probabilities of spans under a linear chain."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ietool.tasks.ner.heads.crf.tagset import TagSet
from ietool.tasks.ner.heads.merging import Array


class PathProbability:
    """How probable an entity of the best path is: the share of all paths that have it.

    Args:
        transitions: (K, K).
        emissions, before, behind: (L, K) of one text; the sums as in :class:`ietool.nn.crf.Chains`.
        partition: of that text.
    """

    def __init__(
        self, tagset: TagSet, transitions: Array, emissions: Array, before: Array, behind: Array, partition: float
    ) -> None:
        self.tagset, self.transitions, self.emissions = tagset, transitions, emissions
        self.before, self.behind, self.partition = before, behind, partition

    def of(self, path: npt.NDArray[np.int64], first: int, end: int, kind: int) -> float:
        """That of the entity in units ``[first, end)`` of the path."""
        tags, last = path[first:end], end - 1
        walked = self.before[first, tags[0]] - self.partition
        walked += (
            self.transitions[tags[:-1], tags[1:]].sum() + self.emissions[np.arange(first + 1, end), tags[1:]].sum()
        )
        probability = np.exp(walked + self.behind[last, tags[-1]])
        if self.tagset.scheme == "bio" and end < len(self.emissions):
            # In BIO these tags may also be the beginning of a longer entity.
            inner = self.tagset.number("I", kind)
            onward = self.transitions[tags[-1], inner] + self.emissions[end, inner] + self.behind[end, inner]
            probability -= np.exp(walked + onward)
        return float(min(1.0, max(0.0, probability)))
