"""A text and its candidates as the model's input."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ietool.tasks.el.data.example import normalise
from ietool.tasks.el.features.annotations import Annotations, Found, Habit
from ietool.tasks.el.features.assets import ANNOTATIONS, KB
from ietool.tasks.el.features.candidates import PRIORS, Described
from ietool.tasks.el.features.descriptions import describe, short_values, whole
from ietool.tasks.el.features.signals import Known, match_signals
from ietool.tasks.el.features.traits import NameTraits, read_types, type_class
from ietool.tasks.el.kb.knowledge_base import KnowledgeBase
from ietool.tasks.el.recipe import ElRecipe
from ietool.text.characters import fold
from ietool.text.encoding import TextEncoder
from ietool.text.readers import open_reader
from ietool.text.segmentation import word_spans
from ietool.text.units import UnitReader, Units

POPULAR = 32
"""Candidates of a name that are looked at for the most popular one."""


@dataclass(frozen=True)
class Features:
    """One text or window of L characters with those n dictionary matches that its units can express.

    Attributes:
        text: folded.
        units: characters or tokens.
        matches: (n, 3) of start, end, name number.
        spans: (n, 2) first and last of their units, half-open.
        names: (n, 2) of the class of the name's type and the row of its word vector.
        signals: (n, SIGNALS) what is known of each match.
    """

    text: str
    units: Units
    matches: npt.NDArray[np.int32]
    spans: npt.NDArray[np.int32]
    names: npt.NDArray[np.int32]
    signals: npt.NDArray[np.float32]


class Featurizer:
    """Everything that turns texts and entities into features; opened from a prepared folder or a run folder.

    Args:
        encoder: of characters, and of the words of names.
        reader: of what the model reads: the same, or tokens.
        kb, annotations, types: what the knowledge base and train say.
    """

    CACHE = 20_000
    """Described entities kept, the last used ones."""

    def __init__(
        self,
        recipe: ElRecipe,
        encoder: TextEncoder,
        kb: KnowledgeBase,
        annotations: Annotations,
        types: Mapping[str, int],
        reader: UnitReader | None = None,
    ) -> None:
        self.recipe, self.encoder, self.kb, self.annotations = recipe, encoder, kb, annotations
        self.reader: UnitReader = encoder if reader is None else reader
        self.types, self.traits = types, NameTraits(kb, encoder, types)
        self._described: OrderedDict[int, Described] = OrderedDict()

    @classmethod
    def open(cls, recipe: ElRecipe, folder: Path, kb: KnowledgeBase | None = None) -> Featurizer:
        """From what :func:`copy_assets` copies; ``kb`` takes the place of the folder's own."""
        reader = open_reader(folder)
        return cls(
            recipe,
            reader if isinstance(reader, TextEncoder) else TextEncoder.open(folder),
            kb if kb is not None else KnowledgeBase.open(folder / KB),
            Annotations.load(folder / ANNOTATIONS),
            read_types(folder),
            reader,
        )

    # -- texts

    def find(self, text: str) -> list[Found]:
        """All matches, before any filter."""
        return [(start, end, self.kb.name(number)) for start, end, number in self.kb.match(text)]

    def encode(self, text: str, without: Annotations | None = None) -> Features:
        """Features of a text.

        Args:
            text: as given.
            without: a part of the annotators' statistics that is not to be used, that which holds the text itself.
        """
        return self._encode(text, self.reader.units(text), without)

    def encode_all(self, texts: Sequence[str]) -> list[Features]:
        """:meth:`encode` of many texts."""
        return [self._encode(text, units) for text, units in zip(texts, self.reader.units_all(texts), strict=True)]

    def _encode(self, text: str, units: Units, without: Annotations | None = None) -> Features:
        kb, limit, folded = self.kb, self.recipe.data.name_filter, fold(text)
        every = kb.match(text)
        known = []
        for match in every:
            habit = self.habit(kb.name(match[2]), without)
            if habit.reluctance < limit:
                rows = kb.candidates(match[2])
                popularity = self._popularity(rows, without)
                known.append(Known(match, habit, len(rows), popularity, self.traits.get(match[2])))
        signals = match_signals(folded, word_spans(folded), every, known, self.annotations, without)
        matches = np.array([k.match for k in known], np.int32).reshape(-1, 3)
        names = np.array([(k.traits.type, k.traits.word) for k in known], np.int32).reshape(-1, 2)
        spans = units.spans_of(matches[:, :2])
        said = spans[:, 0] >= 0
        return Features(folded, units, matches[said], spans[said], names[said], signals[said])

    def habit(self, name: str, without: Annotations | None = None) -> Habit:
        """How annotators treated a normalised name."""
        habit = self.annotations.get(name)
        return habit if without is None else habit.minus(without.get(name))

    def _popularity(self, rows: Sequence[int], without: Annotations | None) -> int:
        ids = [self.kb.kb_id(row) for row in rows[:POPULAR]]
        mine = self.annotations.entities
        return max((mine[i] - (without.entities[i] if without else 0) for i in ids), default=0)

    # -- candidates

    def candidates(self, number: int, *, restrict: int = 0, limit: int | None = None) -> list[int]:
        """Entity rows that a name may mean, those linked most often in train first.

        Args:
            number: of the name; negative: a name that the knowledge base lacks, which has none.
            restrict: a name that train links at least so often keeps only the entities linked then; 0: never.
            limit: how many at most.
        """
        if number < 0:
            return []
        rows = self.kb.candidates(number)
        if len(rows) == 1 and not restrict:
            return rows
        links = self.annotations.get(self.kb.name(number)).links
        if links:
            counts = {row: links.get(self.kb.kb_id(row), 0) for row in rows}
            rows = sorted(rows, key=lambda row: -counts[row])
            if restrict and links.total() >= restrict:
                rows = [row for row in rows if counts[row]] or rows
        return rows[:limit]

    def describe(self, row: int) -> Described:
        """An entity's features, kept for the next time."""
        found = self._described.get(row)
        if found is None:
            found = self._describe(row)
            self._described[row] = found
            if len(self._described) > self.CACHE:
                self._described.popitem(last=False)
        else:
            self._described.move_to_end(row)
        return found

    def _describe(self, row: int) -> Described:
        entity, head = self.kb.entity(row), self.recipe.model.head
        full = whole(entity)
        description = describe(entity, head.description, head.description_choice)
        # Where the model reads tokens, it reads a description together with a text.
        ids = self.encoder.ids(description if self.reader is self.encoder else "")
        kind = type_class(entity, self.types)
        return Described(
            row,
            entity.kb_id,
            entity.subject,
            kind,
            len(entity.facts),
            description,
            *ids,
            full,
            frozenset(full),
            short_values(entity),
        )

    def priors(
        self,
        number: int,
        rows: Sequence[int],
        count: int,
        without: Annotations | None = None,
    ) -> npt.NDArray[np.float32]:
        """(rows, PRIORS): what train says of these of the ``count`` candidates of a name, ``without`` a part of it.

        Columns: log(1 + times the name was linked to it), its share of the name's links, log(1 + times any name was),
        whether the name is its subject and not an alias, 1 / number of candidates,
        logarithms of its facts and of its record's characters.
        """
        out = np.zeros((len(rows), PRIORS), np.float32)
        if not rows:
            return out
        name = self.kb.name(number)
        links = self.annotations.get(name).links
        left_out, left_out_entities = (without.get(name).links, without.entities) if without else (Counter(), Counter())
        ids = [self.kb.kb_id(row) for row in rows]
        counts = np.array([links.get(i, 0) - left_out.get(i, 0) for i in ids], np.float32)
        total = links.total() - left_out.total()
        out[:, 0] = np.log1p(counts)
        out[:, 1] = counts / (total + 1)
        out[:, 2] = np.log1p([self.annotations.entities[i] - left_out_entities[i] for i in ids])
        entities = [self.describe(row) for row in rows]
        out[:, 3] = [normalise(entity.subject) == name for entity in entities]
        out[:, 4] = 1 / count
        out[:, 5] = np.log1p([entity.facts for entity in entities])
        out[:, 6] = np.log1p([len(entity.whole) for entity in entities]) / 2
        return out
