"""From candidates to entities: no model here, and no torch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from ietool.core.candidates import Candidates, Floor, Layout, Parts, Rows
from ietool.core.labels import LabelColumn
from ietool.core.predicting import check_names, least_by_label
from ietool.tasks.ner.data.example import Entity, Example
from ietool.tasks.ner.data.forms.recognise import RECORDS
from ietool.tasks.ner.heads.merging import Found, best_apart, widened, without_overlaps


@dataclass(frozen=True)
class FoundEntity:
    """``text == source[start:end]``, its type, and how probable the model holds it."""

    text: str
    start: int
    end: int
    type: str
    probability: float


@dataclass(frozen=True)
class Recognised:
    """The entities of one text, by place."""

    example: Example
    entities: tuple[FoundEntity, ...]

    @property
    def plain(self) -> list[Entity]:
        """Without text and probability, as gold has them."""
        return [Entity(e.start, e.end, e.type) for e in self.entities]


def least_threshold(decode: Any) -> float:
    """The lowest threshold that any type has."""
    return float(min((decode.threshold, *decode.by_label.values())))


class NerDecoder(ABC):
    """Names the types, and keeps apart what tags could not state together.

    Args:
        types: names of the types, by number.
        by_label: thresholds by type, to be checked.

    Raises:
        UserError: one of them is for a type that there is not.
    """

    layout: ClassVar[Layout]
    threshold: ClassVar[str] = "threshold"
    """The key of ``decode`` that is tried first where thresholds are chosen."""
    flat: bool
    """Whether entities never overlap."""

    def __init__(self, types: Sequence[str], by_label: Mapping[str, float] | None = None) -> None:
        self.types = self.label_names = types
        check_names(by_label or {}, types, "type")

    @property
    def labels(self) -> LabelColumn:
        """As in :class:`ietool.core.joining.JoinedDecoder`."""
        return LabelColumn("type", self.types)

    def joined(self, others: Sequence[NerDecoder]) -> NerDecoder:
        """As in :class:`ietool.core.joining.JoinedDecoder`."""
        return JoinedSpans(self.types, flat=all(one.flat for one in (self, *others)))

    def plain(self, parts: Parts) -> Parts:
        """As in :class:`ietool.core.joining.JoinedDecoder`: the probability of a span."""
        return self.layout.probability(parts)[:, None]

    @abstractmethod
    def floor(self, decode: Any) -> Floor:
        """As in :class:`ietool.core.predicting.Decoder`."""

    @abstractmethod
    def chosen(self, found: Candidates, decode: Any) -> list[Found]:
        """The entities of a text by place, as these settings choose them."""

    @abstractmethod
    def choice(self, found: Candidates, decode: Any) -> tuple[npt.NDArray[np.bool_], Hashable]:
        """As in :class:`ietool.core.predicting.Choosing`."""

    def labels_of(self, rows: Rows) -> npt.NDArray[np.int64]:
        """(n,): which of ``label_names`` each row is of."""
        return rows[:, 2].astype(np.int64)

    def least(self, rows: Rows, decode: Any) -> npt.NDArray[np.float64] | float:
        """(n,): what the probability of each row is compared with: its type's own threshold, or that of all."""
        overall = float(decode.threshold)
        if not decode.by_label:
            return overall
        return least_by_label(self.types, overall, decode.by_label)[rows[:, 2]]

    def decode(self, item: Example, found: Candidates, decode: Any) -> Recognised:
        """As in :class:`ietool.core.predicting.Decoder`."""
        entities = self.chosen(found, decode)
        if item.tokens:
            entities = widened(entities, item.tokens)
        # One tag a place: what two windows say of one place cannot both be written.
        if self.flat or item.form not in ("", *RECORDS):
            entities = without_overlaps(entities)
        text, types = item.text, self.types
        return Recognised(item, tuple(FoundEntity(text[a:b], a, b, types[kind], p) for a, b, kind, p in entities))


EVEN = 0.5
"""What a span must exceed where the recipe gives no threshold, as that of a CRF does."""


class JoinedSpans(NerDecoder):
    """Of spans that several heads speak of, and whose probability alone is known.

    Args:
        flat: whether of those that overlap some must go.
    """

    layout = Layout(("start", "end", "type"), ("probability",), ("probability",))

    def __init__(self, types: Sequence[str], *, flat: bool) -> None:
        super().__init__(types)
        self.flat = flat

    def floor(self, decode: Any) -> Floor:
        return Floor(parts={"probability": min((decode.threshold or EVEN, *decode.by_label.values()))})

    def chosen(self, found: Candidates, decode: Any) -> list[Found]:
        kept, least = self._kept(found, decode), self._least(found, decode)
        rows = [(*row, p) for row, p in zip(found.rows[kept].tolist(), found.parts[kept, 0].tolist(), strict=True)]
        return best_apart(rows, least[kept].tolist()) if self.flat else rows

    def choice(self, found: Candidates, decode: Any) -> tuple[npt.NDArray[np.bool_], Hashable]:
        # Of those that overlap the thresholds decide once more.
        common = (decode.threshold, *sorted(decode.by_label.items())) if self.flat else None
        return self._kept(found, decode)[:, None], common

    def _least(self, found: Candidates, decode: Any) -> npt.NDArray[np.float64]:
        return least_by_label(self.types, decode.threshold or EVEN, decode.by_label)[found.rows[:, 2]]

    def _kept(self, found: Candidates, decode: Any) -> npt.NDArray[np.bool_]:
        kept: npt.NDArray[np.bool_] = found.parts[:, 0] > self._least(found, decode)
        return kept
