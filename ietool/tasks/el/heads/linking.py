"""What is found in a text: mentions apart from each other, each with its candidates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ietool.tasks.el.data.example import Mention

Proposal = tuple[int, int, int, float]
"""A mention found: start, end, name number (−1: a given mention whose name the knowledge base lacks), probability."""


TIE = 1e-5
"""Probabilities that differ by less are the same."""


@dataclass(frozen=True)
class Candidate:
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
    candidates: tuple[Candidate, ...] = ()


@dataclass(frozen=True)
class Linking:
    """What was found in one text, in the order of the text."""

    text_id: str
    text: str
    mentions: tuple[LinkedMention, ...]

    def submission(self) -> list[Mention]:
        """The mentions in the form that files have."""
        return [Mention(m.mention, m.start, m.kb_id) for m in self.mentions]


def apart(spans: Sequence[Proposal]) -> list[Proposal]:
    """Of overlapping spans those that together are most probable, in the order of the text.

    Weighted interval scheduling with the weight log-odds-free p: the chosen spans have the largest sum of p.
    """
    order = sorted(spans, key=lambda span: (span[1], -span[0]))
    best: list[float] = [0.0]
    chosen: list[tuple[int, bool]] = []
    ends = [span[1] for span in order]
    for i, (start, _, _, p) in enumerate(order):
        before = i
        while before and ends[before - 1] > start:
            before -= 1
        take = best[before] + p
        chosen.append((before, take > best[i]))
        best.append(max(take, best[i]))
    found: list[Proposal] = []
    i = len(order)
    while i:
        before, taken = chosen[i - 1]
        if taken:
            found.append(order[i - 1])
            i = before
        else:
            i -= 1
    return found[::-1]


def best_first(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Candidates by falling probability; of those that tie for the first place the one that came first.

    Two records of the same names and no facts score alike but for rounding, which must not decide: it depends on what
    else is in the batch.
    """
    highest = max((c.probability for c in candidates), default=0.0)
    first = next((i for i, c in enumerate(candidates) if c.probability >= highest - TIE), None)
    order = sorted(range(len(candidates)), key=lambda i: (i != first, -candidates[i].probability))
    return [candidates[i] for i in order]


def best_apart(mentions: Sequence[LinkedMention]) -> list[LinkedMention]:
    """The same for linked mentions, which two windows may have found."""
    kept = apart([(m.start, m.end, i, m.probability) for i, m in enumerate(mentions)])
    return [mentions[i] for _, _, i, _ in kept]
