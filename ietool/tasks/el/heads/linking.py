"""What is found in a text: mentions apart from each other, each with its candidates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ietool.tasks.el.data.example import Mention

TIE = 1e-5
"""Probabilities that differ by less are the same."""


@dataclass(frozen=True)
class LinkCandidate:
    """An entity that a mention may mean, and how probable that is among them and the choice of none."""

    kb_id: str
    subject: str
    probability: float


@dataclass(frozen=True)
class LinkedMention:
    """A mention at ``[start, end)`` of the text as given, and its entity: a ``kb_id``, or ``NIL`` with its type.

    ``probability`` is that of the mention times that of the link; ``candidates`` come best first.
    """

    mention: str
    start: int
    end: int
    kb_id: str
    probability: float
    candidates: tuple[LinkCandidate, ...] = ()


@dataclass(frozen=True)
class Linking:
    """What was found in one text, in the order of the text."""

    text_id: str
    text: str
    mentions: tuple[LinkedMention, ...]

    def submission(self) -> list[Mention]:
        """The mentions in the form that files have."""
        return [Mention(m.mention, m.start, m.kb_id) for m in self.mentions]


def best_first(shares: Sequence[float]) -> list[int]:
    """Indices of candidates by falling probability; of those that tie for the first place the one that came first.

    Two records of the same names and no facts score alike but for rounding, which must not decide: it depends on what
    else is in the batch.
    """
    if len(shares) < 2:
        return list(range(len(shares)))
    highest = max(shares)
    first = next(i for i, p in enumerate(shares) if p >= highest - TIE)
    return sorted(range(len(shares)), key=lambda i: (i != first, -shares[i]))
