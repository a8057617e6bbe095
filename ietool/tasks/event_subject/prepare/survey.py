"""What a corpus holds: counters that a preparation feeds text by text, and the tables it shows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ietool.core.survey import Lengths, OracleCounts, percent, text_rows
from ietool.tables import Cell, Table
from ietool.tasks.event_subject.data.example import Example
from ietool.text.pieces import Piece

ABSENT, TOKEN, APART, TYPE = (
    "does not stand in the text",
    "no token begins or ends there",
    "in no single window",
    "train has no such type",
)
REASONS = (ABSENT, TOKEN, APART, TYPE)
MENDS = {
    ABSENT: "mend the subjects: they must stand in their texts to the character",
    TOKEN: "name another model.encoder, or model.encoder=characters",
    APART: "raise data.window",
}
"""What can be done about a reason."""

ORACLE_NOTE = "what a model without a fault would reach: its labels, cut into windows and units, are put together again"


@dataclass
class Survey:
    """Counts over one file."""

    records: int = 0
    rejected: int = 0
    duplicates: int = 0
    """Records whose text and type stood before."""
    conflicting: int = 0
    """Those of them with another subject than the first."""
    texts: int = 0
    without_subject: int = 0
    several: int = 0
    """Subjects that stand more than once in their text."""
    windows: int = 0
    windowed: int = 0
    characters: int = 0
    units: int = 0
    unknown: int = 0
    types: Counter[str] = field(default_factory=Counter)
    answered: Counter[str] = field(default_factory=Counter)
    """By type, those with a subject."""
    lengths: Lengths = field(default_factory=Lengths)
    oracle: OracleCounts = field(default_factory=lambda: OracleCounts(REASONS))

    def add(self, example: Example, pieces: Sequence[Piece], unknown: int) -> None:
        """Count one record and its pieces; ``unknown`` is the id of what the encoder does not know."""
        self.texts += 1
        self.without_subject += not example.subject
        self.several += bool(example.subject) and example.text.count(example.subject) > 1
        self.windows += len(pieces)
        self.windowed += len(pieces) > 1
        self.lengths.add(example.text)
        self.types[example.type] += 1
        self.answered[example.type] += bool(example.subject)
        for piece in pieces:
            self.characters += piece.end - piece.start
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
            "texts_without_subject": self.without_subject,
            "subjects_that_stand_several_times": self.several,
            "characters": self.lengths.numbers(),
            "windows": self.windows,
            "texts_longer_than_window": self.windowed,
            "units": self.units,
            "unknown_units": self.unknown / max(self.units, 1),
            "types": dict(self.types.most_common()),
            "oracle": self.oracle.numbers(),
        }


@dataclass
class Baseline:
    """What is reached without a model: the longest name that train has as a subject, of those in the text."""

    records: int = 0
    right: int = 0
    hits: int = 0
    predicted: int = 0
    gold: int = 0

    def add(self, gold: str, found: str) -> None:
        """Count one record; empty strings are none."""
        self.records += 1
        self.right += gold == found
        self.hits += bool(gold) and gold == found
        self.predicted += bool(found)
        self.gold += bool(gold)

    def numbers(self) -> dict[str, float]:
        """``accuracy`` and ``f1``, 0 to 1."""
        return {
            "accuracy": self.right / max(self.records, 1),
            "f1": 2 * self.hits / max(self.predicted + self.gold, 1),
        }


def corpus_table(splits: Mapping[str, Survey], shared: int) -> Table:
    """One row a quantity, one column a split; ``shared`` records of dev stand in train too."""
    all_ = list(splits.values())
    rows: list[list[Cell]] = [
        ["records", *(s.records for s in all_)],
        *text_rows(all_, ["  without a subject", *(s.without_subject for s in all_)]),
        ["subjects that stand several times", *(s.several for s in all_)],
        ["unknown units", *(percent(s.unknown, s.units) for s in all_)],
        ["texts and types that stand in train too", *([None] * (len(all_) - 1)), shared],
    ]
    return Table("Corpus", ["", *splits], rows)


def type_table(splits: Mapping[str, Survey]) -> Table:
    """Records of each type and those with a subject, the most frequent first."""
    all_ = list(splits.values())
    order = sorted({t for s in all_ for t in s.types}, key=lambda t: (*(-s.types[t] for s in all_), t))
    columns = ["type", *(name for split in splits for name in (split, "with a subject"))]
    rows: list[list[Cell]] = [[t, *(n for s in all_ for n in (s.types[t], s.answered[t]))] for t in order]
    return Table("Records by type", columns, rows)


def floor_table(baseline: Baseline) -> Table:
    """What a model must beat."""
    numbers = baseline.numbers()
    row: list[Cell] = ["the longest subject of train that stands in the text", numbers["accuracy"], numbers["f1"]]
    return Table("Floor on dev, without a model", ["answer", "accuracy", "F1"], [row])


def notes(splits: Mapping[str, Survey], shared: int, window: int) -> list[str]:
    """What the user should know before he trains, one sentence each."""
    found = []
    for name, s in splits.items():
        if s.conflicting:
            found.append(
                f"{name}: {s.conflicting:,} records have another subject than an earlier one of the same text and "
                "type; a model gives all of them the same"
            )
        if s.windowed:
            found.append(
                f"{name}: {s.windowed:,} texts are longer than data.window={window}, read in overlapping windows"
            )
        if s.texts and s.without_subject == s.texts:
            found.append(f"{name}: no record has a subject")
    if shared:
        found.append(f"{shared:,} records of dev stand in train too: scores on dev flatter by as much")
    return found
