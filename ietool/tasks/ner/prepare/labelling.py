"""From gold entities to rows of units, and which of them a perfect model could give back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from ietool.core.survey import OracleCounts
from ietool.tasks.ner.data.example import Entity, Example, flatten
from ietool.tasks.ner.heads.merging import owned
from ietool.text.pieces import Piece

TYPE, OVERLAP, TOKEN, APART, EDGE = (
    "train has no such type",
    "overlaps another: one tag a place",
    "no token begins or ends there",
    "in no single window",
    "cut by a window: another has the say",
)
REASONS = (TYPE, OVERLAP, TOKEN, APART, EDGE)
MENDS = {
    OVERLAP: "choose model.head=globalpointer, which can give entities that overlap",
    TOKEN: "name another model.encoder, or model.encoder=characters",
    APART: "raise data.window",
    EDGE: "raise data.overlap",
}
"""What can be done about a reason."""

ORACLE_NOTE = "what a model without a fault would reach: its labels, cut into windows and units, are put together again"

Rows = npt.NDArray[np.int32]
"""(n, 3): first unit, the one behind the last, number of the type."""


class Labeller:
    """Turns entities into rows.

    Args:
        types: type → number.
        flat: the head has one tag a place, and entities that overlap cannot all be taught.
    """

    def __init__(self, types: Mapping[str, int], *, flat: bool) -> None:
        self.types, self.flat = types, flat

    def rows(self, entities: Sequence[Entity], piece: Piece) -> Rows:
        """Those of a text's entities that a piece of it holds whole, in its units."""
        mine = [e for e in entities if e.type in self.types and piece.start <= e.start and e.end <= piece.end]
        kept = flatten(mine) if self.flat else mine
        spans = piece.units.spans_of(np.array([(e.start - piece.start, e.end - piece.start) for e in kept], np.int64))
        kinds = np.array([[self.types[e.type]] for e in kept], np.int32).reshape(-1, 1)
        rows: Rows = np.concatenate([spans, kinds], 1)[spans[:, 0] >= 0]
        return rows

    def soft_rows(
        self, entities: Sequence[Entity], chances: Sequence[float], piece: Piece
    ) -> tuple[Rows, npt.NDArray[np.float32]]:
        """The same of soft labels, with the probability of each row; they may overlap, since not all of them hold."""
        mine = [
            (e, p)
            for e, p in zip(entities, chances, strict=True)
            if e.type in self.types and piece.start <= e.start and e.end <= piece.end
        ]
        spans = piece.units.spans_of(
            np.array([(e.start - piece.start, e.end - piece.start) for e, _ in mine], np.int64)
        )
        kinds = np.array([[self.types[e.type]] for e, _ in mine], np.int32).reshape(-1, 1)
        able = spans[:, 0] >= 0
        return np.concatenate([spans, kinds], 1)[able], np.array([p for _, p in mine], np.float32)[able]

    def count(self, example: Example, pieces: Sequence[Piece], rows: Sequence[Rows], counts: OracleCounts) -> None:
        """Count the gold of one text, and by reason what its rows do not give back."""
        names = list(self.types)
        found = {
            Entity(a, b, names[kind])
            for a, b, kind, _ in owned(
                [(piece.start, piece.end) for piece in pieces],
                [_placed(piece, mine) for piece, mine in zip(pieces, rows, strict=True)],
            )
        }
        gold = set(example.entities)
        counts.gold += len(gold)
        counts.spurious += len(found - gold)
        if gold <= found:
            return
        known = [entity for entity in example.entities if entity.type in self.types]
        flat = set(flatten(known)) if self.flat else gold
        for entity in sorted(gold - found):
            counts.lost[self._reason(entity, flat, pieces)] += 1

    def _reason(self, entity: Entity, flat: set[Entity], pieces: Sequence[Piece]) -> str:
        if entity.type not in self.types:
            return TYPE
        if entity not in flat:
            return OVERLAP
        whole = [piece for piece in pieces if piece.start <= entity.start and entity.end <= piece.end]
        if not whole:
            return APART
        spans = [piece.units.span_of(entity.start - piece.start, entity.end - piece.start) for piece in whole]
        return EDGE if any(span is not None for span in spans) else TOKEN


def _placed(piece: Piece, rows: Rows) -> list[tuple[int, int, int, float]]:
    found = []
    for first, behind, kind in rows.tolist():
        start, end = piece.units.text_span(first, behind)
        found.append((piece.start + start, piece.start + end, kind, 1.0))
    return found
