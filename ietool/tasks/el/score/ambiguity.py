"""Linking where there is something to choose: gold mentions whose name several entities of the knowledge base have.

Most mentions have one candidate and are right by being found, so the accuracy over all mentions says little of how well
meanings are told apart; and where most are linked to what train links the name to, little of what the text adds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ietool.scoring.prf import PRFScore
from ietool.tasks.el.data.example import normalise
from ietool.tasks.el.score.judge import ENTITY, Judged, Place

if TYPE_CHECKING:
    from ietool.tasks.el.features.annotations import Annotations
    from ietool.tasks.el.kb.knowledge_base import KnowledgeBase

IdsOfNames = Mapping[str, Sequence[str]]
"""Normalised name → kb_ids of the entities that have it, in the order of the knowledge base."""

Links = Mapping[str, Mapping[str, int]]
"""Normalised name → kb_id → how often train links the name to it."""

COUNTED = (
    "the kb_id is right, among gold mentions with an id (no NIL) whose name two or more entities of the knowledge base "
    "have, and that are right in the first row"
)
PRIOR = (
    "the same mentions, each given the candidate that the training texts link its name to most often, the first in the "
    "knowledge base among equals and where they never do"
)


@dataclass
class Ambiguity:
    """Counts over texts.

    Attributes:
        candidates: what the knowledge base says of a name.
        links: what train says of it; None where that is not known.
        texts: right and all ambiguous mentions of each text.
        prior: of all of them, those that the prior links rightly.
        unreachable: those whose gold id is none of the candidates.
    """

    candidates: IdsOfNames
    links: Links | None = None
    texts: list[PRFScore] = field(default_factory=list)
    prior: int = 0
    unreachable: int = 0
    _seen: dict[str, tuple[Sequence[str], str]] = field(default_factory=dict)

    def add(self, judged: Judged) -> None:
        """Count one text."""
        right, every = 0, 0
        for (name, _), ids, is_right in _found(judged):
            candidates, most_frequent = self._look(name)
            if len(candidates) < 2:
                continue
            every += 1
            right += is_right
            self.prior += most_frequent in ids
            self.unreachable += ids.isdisjoint(candidates)
        self.texts.append(PRFScore(right, every, right, every))

    def _look(self, name: str) -> tuple[Sequence[str], str]:
        """The candidates of a name as written, and the most frequent of them."""
        known = self._seen.get(name)
        if known is None:
            key = normalise(name)
            ids = self.candidates.get(key, ())
            times = self.links.get(key, {}) if self.links is not None else {}
            known = self._seen[name] = ids, max(ids, key=lambda kb_id: times.get(kb_id, 0), default="")
        return known


def _found(judged: Judged) -> Iterator[tuple[Place, set[str], bool]]:
    """The places of gold mentions with an id that predictions have too: their ids (more than one only where gold gives
    a place several), and whether one was hit."""
    ids: dict[Place, set[str]] = {}
    hit = set()
    for _, gold in judged.right:
        place = gold.mention, gold.start
        hit.add(place)
        if not gold.is_nil:
            ids.setdefault(place, set()).add(gold.kb_id)
    for error in judged.missed:
        gold = error.mention
        if error.kind == ENTITY and not gold.is_nil:
            ids.setdefault((gold.mention, gold.start), set()).add(gold.kb_id)
    for place, there in ids.items():
        yield place, there, place in hit


class IdsInKB(Mapping[str, Sequence[str]]):
    """The :data:`IdsOfNames` of an open knowledge base."""

    def __init__(self, kb: KnowledgeBase) -> None:
        self._kb = kb

    def __getitem__(self, name: str) -> Sequence[str]:
        number = self._kb.number(name)
        if number is None:
            raise KeyError(name)
        return [self._kb.kb_id(row) for row in self._kb.candidates(number)]

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self._kb.number(name) is not None

    def __iter__(self) -> Iterator[str]:
        return iter(self._kb.names)

    def __len__(self) -> int:
        return len(self._kb.names)


def links_of(annotations: Annotations) -> Links:
    """The :data:`Links` in the annotators' statistics."""
    return {name: habit.links for name, habit in annotations}
