"""What the knowledge base says of a name before any text is read: what kind of thing it is, and how much is known."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log, log1p
from pathlib import Path

from ietool.tasks.el.data.example import normalise
from ietool.tasks.el.kb.knowledge_base import KnowledgeBase
from ietool.tasks.el.kb.records import Entity
from ietool.text.encoding import TextEncoder

TYPES = "types.txt"
"""File of a prepared folder and a run folder: the types that have a class of their own, by class from 1."""

CLASSES = 255
"""At most so many types have one, the most frequent ones; 0 is any other and none."""

TRAITS = 6
"""Numbers of :class:`Traits`."""


@dataclass(frozen=True, slots=True)
class Traits:
    """Of a name.

    Attributes:
        type: class of its first entity's first type.
        word: row of its word vector, 0: none.
        numbers: around 0; see :meth:`NameTraits.get`.
    """

    type: int
    word: int
    numbers: tuple[float, ...]


class NameTraits:
    """Traits by number of a name, the last used ones kept."""

    CACHE = 50_000
    ENTITIES = 5
    """Entities of a name that are looked at."""

    def __init__(self, kb: KnowledgeBase, encoder: TextEncoder, types: Mapping[str, int]) -> None:
        self._kb, self._encoder, self._types = kb, encoder, types
        self._known: OrderedDict[int, Traits] = OrderedDict()

    def get(self, number: int) -> Traits:
        """The traits of a name.

        Its numbers: logarithms of the most facts that one of its entities has and of the characters of the first one's
        facts; the share of its entities that are called so and not only nicknamed; the logarithm of their types; the
        logarithm of its word's rank by frequency, and whether it is a word with a vector.
        """
        found = self._known.get(number)
        if found is None:
            found = self._known[number] = self._read(number)
            if len(self._known) > self.CACHE:
                self._known.popitem(last=False)
        return found

    def _read(self, number: int) -> Traits:
        kb, name = self._kb, self._kb.name(number)
        entities = kb.entities(kb.candidates(number)[: self.ENTITIES])
        word = self._encoder.word_row(name)
        numbers = (
            log1p(max(len(entity.facts) for entity in entities)),
            log1p(sum(len(value) for _, value in entities[0].facts)) / 2,
            sum(normalise(entity.subject) == name for entity in entities) / len(entities),
            log(len({name for entity in entities for name in entity.types}) or 1),
            log1p(word) / 4,
            float(word > 0),
        )
        return Traits(type_class(entities[0], self._types), word, numbers)


def type_class(entity: Entity, types: Mapping[str, int]) -> int:
    """Class of an entity's first type."""
    return types.get(entity.types[0], 0) if entity.types else 0


def choose_types(counts: Mapping[str, int]) -> list[str]:
    """The types that get a class: those of two entities and more, the most frequent first."""
    often = [name for name, count in counts.items() if count > 1 and not any(c.isspace() for c in name)]
    return sorted(often, key=lambda name: (-counts[name], name))[:CLASSES]


def write_types(folder: Path, types: Sequence[str]) -> None:
    """Write what :func:`read_types` reads."""
    (folder / TYPES).write_text("".join(f"{name}\n" for name in types), encoding="utf-8", newline="\n")


def read_types(folder: Path) -> dict[str, int]:
    """Type → class, from 1."""
    return {name: i for i, name in enumerate((folder / TYPES).read_text(encoding="utf-8").split(), 1)}
