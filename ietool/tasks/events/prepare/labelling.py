"""From gold events to rows of units, and which of them a perfect model could give back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from ietool.core.candidates import capped
from ietool.core.survey import OracleCounts
from ietool.tasks.events.data.example import NOWHERE, TRIGGER, Event, Example, Part, parts_of
from ietool.tasks.events.features.featurizer import Labels
from ietool.tasks.events.heads.decoder import EventDecoder
from ietool.tasks.events.heads.rows import merged_windows, placed
from ietool.text.pieces import Piece

LABEL, NO_TRIGGER, TOKEN, APART, JOINED = (
    "train has no such type or role",
    "the event has no trigger",
    "no token begins or ends there",
    "in no single window with its trigger",
    "events joined otherwise",
)
REASONS = (LABEL, NO_TRIGGER, TOKEN, APART, JOINED)
MENDS = {
    NO_TRIGGER: "choose model.head=linked with decode.needs_trigger=false, which gives events without triggers",
    TOKEN: "name another model.encoder, or model.encoder=characters",
    APART: "raise data.window and data.overlap",
}
"""What can be done about a reason."""

ORACLE_NOTE = "what a model without a fault would reach: its labels, cut into windows and units, go through the decoder"

Rows = npt.NDArray[np.int32]
"""(n, 4): number of the event, first unit, the one behind the last, label."""


@dataclass
class EventCounts:
    """Gold events, and those of them that come back whole: with the same trigger and arguments, and no others."""

    gold: int = 0
    whole: int = 0

    def numbers(self) -> dict[str, Any]:
        """For ``--json``."""
        return {"gold": self.gold, "whole": self.whole}


@dataclass
class Labeller:
    """Turns events into rows, and back.

    Attributes:
        labels: types and roles.
        decoder: of the head that is meant, with settings of ``decode``.
    """

    labels: Labels
    decoder: EventDecoder
    decode: Any
    most: int = field(default=1024)

    def rows(self, events: Sequence[Event], piece: Piece) -> Rows:
        """What a piece of a text holds whole of its events, in its units; those of one event together."""
        found: list[tuple[int, int, int, int]] = []
        for number, event in enumerate(events):
            for start, end, role in event.nodes:
                label = self.labels.numbers.get((event.type, role))
                if label is not None and piece.start <= start and end <= piece.end:
                    found.append((number, start - piece.start, end - piece.start, label))
        rows = np.array(found, np.int64).reshape(-1, 4)
        spans = piece.units.spans_of(rows[:, 1:3])
        able = spans[:, 0] >= 0
        return np.concatenate([rows[:, :1], spans, rows[:, 3:]], 1)[able].astype(np.int32)

    def given_back(self, example: Example, pieces: Sequence[Piece], rows: Sequence[Rows]) -> list[Event]:
        """What the decoder makes of the rows of a text, each as certain as can be."""
        layout = self.decoder.layout
        windows = []
        for piece, mine in zip(pieces, rows, strict=True):
            perfect = self.decoder.perfect(mine[:, 1:].astype(np.int64), mine[:, 0])
            parts = np.ones((len(perfect), len(layout.parts)), np.float32)
            (found,) = placed(layout, [piece], np.zeros(len(perfect), np.int64), perfect, parts, np.zeros(1, np.int64))
            windows.append((piece, capped(layout, found, self.most)))
        merged = capped(layout, merged_windows(layout, windows), max(self.most, len(example.text)))
        return self.decoder.decode(example, merged, self.decode).plain

    def count(
        self, example: Example, pieces: Sequence[Piece], rows: Sequence[Rows], counts: OracleCounts, whole: EventCounts
    ) -> None:
        """Count the gold of one text, and by reason what its rows do not give back."""
        bare = [_bare(event) for event in example.events]
        gold = {part for event in bare for part in parts_of(event)}
        back = self.given_back(example, pieces, rows)
        found = {part for event in back for part in parts_of(event)}
        counts.gold += len(gold)
        counts.spurious += len(found - gold)
        whole.gold += len(set(bare))
        whole.whole += len(set(bare) & set(back))
        for part in sorted(gold - found):
            counts.lost[self._reason(part, pieces)] += 1

    def _reason(self, part: Part, pieces: Sequence[Piece]) -> str:
        if not {(part.type, part.role), (part.type, TRIGGER)} <= self.labels.numbers.keys():
            return LABEL
        if part.start == NOWHERE:
            return NO_TRIGGER
        spans = [(part.start, part.end), (part.first, part.last)]
        together = [p for p in pieces if all(p.start <= a and b <= p.end for a, b in spans)]
        if not together:
            return APART
        units = [p.units.spans_of(np.array(spans, np.int64) - p.start) for p in together]
        return JOINED if any((own >= 0).all() for own in units) else TOKEN


def _bare(event: Event) -> Event:
    """Without aliases, which nothing that is found has."""
    arguments = {(a.start, a.end, a.role): a for a in event.arguments}
    plain = tuple(sorted(type(a)(a.start, a.end, a.role) for a in arguments.values()))
    return Event(event.type, event.start, event.end, plain)
