"""What a corpus holds: counters that a preparation feeds text by text, and the tables it shows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ietool.core.survey import Lengths, OracleCounts, percent, text_rows
from ietool.tables import Cell, Table
from ietool.tasks.events.data.example import NOWHERE, Example
from ietool.tasks.events.prepare.labelling import REASONS, EventCounts
from ietool.text.pieces import Piece


@dataclass
class Survey:
    """Counts over one file."""

    records: int = 0
    rejected: int = 0
    duplicates: int = 0
    """Records whose text stood before."""
    conflicting: int = 0
    """Those of them with other events than the first."""
    texts: int = 0
    without_events: int = 0
    several: int = 0
    """Texts with more than one event; ``alike``: of them such with several of one type."""
    alike: int = 0
    without_trigger: int = 0
    """Events."""
    shared: int = 0
    """Arguments that stand in several events of their text, or in several roles, but the first time."""
    windows: int = 0
    windowed: int = 0
    units: int = 0
    unknown: int = 0
    forms: Counter[str] = field(default_factory=Counter)
    types: Counter[str] = field(default_factory=Counter)
    roles: Counter[tuple[str, str]] = field(default_factory=Counter)
    lengths: Lengths = field(default_factory=Lengths)
    oracle: OracleCounts = field(default_factory=lambda: OracleCounts(REASONS))
    whole: EventCounts = field(default_factory=EventCounts)

    def add(self, example: Example, pieces: Sequence[Piece], unknown: int) -> None:
        """Count one text and its pieces; ``unknown`` is the id of what the encoder does not know."""
        events = example.events
        self.texts += 1
        self.forms[example.form] += 1
        self.without_events += not events
        self.several += len(events) > 1
        self.alike += len({event.type for event in events}) < len(events)
        self.without_trigger += sum(event.start == NOWHERE for event in events)
        places = [(a.start, a.end) for event in events for a in event.arguments]
        self.shared += len(places) - len(set(places))
        self.windows += len(pieces)
        self.windowed += len(pieces) > 1
        self.lengths.add(example.text)
        self.types.update(event.type for event in events)
        self.roles.update((event.type, a.role) for event in events for a in event.arguments)
        for piece in pieces:
            self.units += int(piece.units.inside.sum())
            self.unknown += int(np.count_nonzero(piece.units.ids == unknown))

    def numbers(self) -> dict[str, Any]:
        """The counts for ``--json``."""
        return {
            "records": self.records,
            "rejected": self.rejected,
            "duplicates": self.duplicates,
            "conflicting_duplicates": self.conflicting,
            "texts": self.texts,
            "forms": dict(self.forms),
            "texts_without_events": self.without_events,
            "texts_with_several_events": self.several,
            "texts_with_events_of_one_type": self.alike,
            "events": self.types.total(),
            "events_without_trigger": self.without_trigger,
            "arguments": self.roles.total(),
            "shared_arguments": self.shared,
            "characters": self.lengths.numbers(),
            "windows": self.windows,
            "texts_longer_than_window": self.windowed,
            "units": self.units,
            "unknown_units": self.unknown / max(self.units, 1),
            "types": dict(self.types.most_common()),
            "oracle": self.oracle.numbers() | {"f1": oracle_f1(self.oracle), "events": self.whole.numbers()},
        }


def oracle_f1(counts: OracleCounts) -> float:
    """F1 of what perfect labels give back; 1 where there is nothing and nothing comes."""
    right = counts.gold - counts.lost.total()
    both = counts.gold + right + counts.spurious
    return 2 * right / both if both else 1.0


def corpus_table(splits: Mapping[str, Survey], shared: int) -> Table:
    """One row a quantity, one column a split; ``shared`` texts of dev stand in train too."""
    all_ = list(splits.values())
    rows: list[list[Cell]] = [
        ["records", *(s.records for s in all_)],
        ["form", *(", ".join(sorted(s.forms)) for s in all_)],
        *text_rows(all_, ["  without events", *(s.without_events for s in all_)]),
        ["  with several events", *(s.several for s in all_)],
        ["    some of one type", *(s.alike for s in all_)],
        ["events", *(s.types.total() for s in all_)],
        ["  without trigger", *(s.without_trigger for s in all_)],
        ["arguments", *(s.roles.total() for s in all_)],
        ["  in several events or roles", *(s.shared for s in all_)],
        ["unknown units", *(percent(s.unknown, s.units) for s in all_)],
        ["texts that stand in train too", *([None] * (len(all_) - 1)), shared],
    ]
    return Table("Corpus", ["", *splits], rows)


def whole_rows(splits: Mapping[str, Survey]) -> list[list[Cell]]:
    """Rows for the table of what perfect labels give back."""
    all_ = list(splits.values())
    return [
        ["oracle F1", *(oracle_f1(s.oracle) for s in all_)],
        ["gold events", *(s.whole.gold for s in all_)],
        ["  that come back whole", *(s.whole.whole for s in all_)],
    ]


def type_table(splits: Mapping[str, Survey]) -> Table:
    """Events of each type, the most frequent first."""
    all_ = list(splits.values())
    order = sorted({t for s in all_ for t in s.types}, key=lambda t: (*(-s.types[t] for s in all_), t))
    return Table("Events by type", ["type", *splits], [[t, *(s.types[t] for s in all_)] for t in order])


def notes(splits: Mapping[str, Survey], shared: int, window: int) -> list[str]:
    """What the user should know before he trains, one sentence each."""
    found = []
    for name, s in splits.items():
        if s.duplicates:
            what = "each stays, as in the file" if name == "dev" else "the first copy of each is used"
            other = f"; {s.conflicting:,} have other events than the first" if s.conflicting else ""
            found.append(f"{name}: {s.duplicates:,} records repeat a text, {what}{other}")
        if s.windowed:
            found.append(
                f"{name}: {s.windowed:,} texts are longer than data.window={window}, read in overlapping windows"
            )
        if s.without_trigger:
            found.append(f"{name}: {s.without_trigger:,} events have no trigger")
        if s.texts and not s.types:
            found.append(f"{name}: no text has an event")
    if shared:
        found.append(f"{shared:,} texts of dev stand in train too: scores on dev flatter by as much")
    return found
