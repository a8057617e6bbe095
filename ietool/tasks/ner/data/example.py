"""What an example is: a text with the entities in it."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, order=True)
class Entity:
    """A stretch of the text, ``[start, end)`` in characters, and what it is."""

    start: int
    end: int
    type: str


@dataclass(frozen=True, slots=True)
class Example:
    """One text.

    Attributes:
        text: of a file of tokens, the tokens joined.
        entities: gold, by place, each once; empty where the file has none.
        form: one of ``forms.FORMS`` less ``auto``; empty for a bare string.
        id: what the record has under ``id``; None without.
        tokens: (start, end) of the tokens in the text; empty where every character is one.
        broken: tags of the file that belong to no entity, since they break its scheme; entities of no length.
        chances: of the entities, where these are soft labels.
    """

    text: str
    entities: tuple[Entity, ...] = ()
    form: str = ""
    id: Any = None
    tokens: tuple[tuple[int, int], ...] = ()
    broken: int = 0
    file: str = ""
    line: int = 0
    chances: tuple[float, ...] = ()

    @property
    def bounds(self) -> Sequence[tuple[int, int]]:
        """(start, end) of every token."""
        return self.tokens or [(at, at + 1) for at in range(len(self.text))]


def flatten(entities: Iterable[Entity]) -> list[Entity]:
    """The entities that a sequence of tags can state, by place: of those that overlap the longest, of equally long ones
    the first by place and type."""
    kept: list[Entity] = []
    for entity in sorted(entities, key=lambda e: (e.start - e.end, e)):
        at = bisect_left(kept, entity)  # a submission may claim any length: places are compared, not characters
        before, behind = kept[max(at - 1, 0) : at], kept[at : at + 1]
        if all(other.end <= entity.start for other in before) and all(entity.end <= other.start for other in behind):
            kept.insert(at, entity)
    return kept


def token_spans(example: Example, entities: Iterable[Entity]) -> list[tuple[int, int, str]]:
    """Entities as (first token, the one behind the last, type); what begins or ends within a token has all of it."""
    if not example.tokens:
        return [(e.start, e.end, e.type) for e in entities]
    found = []
    for entity in entities:
        inside = [n for n, (a, b) in enumerate(example.tokens) if a < entity.end and entity.start < b]
        if inside:
            found.append((inside[0], inside[-1] + 1, entity.type))
    return found
