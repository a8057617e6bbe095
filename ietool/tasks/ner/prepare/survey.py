"""What a corpus holds: counters that a preparation feeds text by text, and the tables it shows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ietool.core.survey import Lengths, OracleCounts, percent, text_rows
from ietool.tables import Cell, Table
from ietool.tasks.ner.data.example import Example, flatten
from ietool.tasks.ner.data.forms.recognise import CMEEE
from ietool.tasks.ner.prepare.labelling import REASONS
from ietool.text.pieces import Piece


@dataclass
class Survey:
    """Counts over one file."""

    records: int = 0
    rejected: int = 0
    duplicates: int = 0
    """Records whose text stood before."""
    conflicting: int = 0
    """Those of them with other entities than the first."""
    texts: int = 0
    without_entities: int = 0
    overlapping: int = 0
    """Entities that no sequence of tags can state beside the others."""
    broken: int = 0
    """Tags that belong to no entity, since they break the scheme of the file."""
    windows: int = 0
    windowed: int = 0
    characters: int = 0
    units: int = 0
    unknown: int = 0
    forms: Counter[str] = field(default_factory=Counter)
    types: Counter[str] = field(default_factory=Counter)
    lengths: Lengths = field(default_factory=Lengths)
    oracle: OracleCounts = field(default_factory=lambda: OracleCounts(REASONS))

    def add(self, example: Example, pieces: Sequence[Piece], unknown: int) -> None:
        """Count one text and its pieces; ``unknown`` is the id of what the encoder does not know."""
        self.texts += 1
        self.forms[example.form] += 1
        self.without_entities += not example.entities
        self.overlapping += len(example.entities) - len(flatten(example.entities))
        self.broken += example.broken
        self.windows += len(pieces)
        self.windowed += len(pieces) > 1
        self.lengths.add(example.text)
        self.types.update(entity.type for entity in example.entities)
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
            "forms": dict(self.forms),
            "texts_without_entities": self.without_entities,
            "entities": self.types.total(),
            "overlapping_entities": self.overlapping,
            "tags_that_break_the_scheme": self.broken,
            "characters": self.lengths.numbers(),
            "windows": self.windows,
            "texts_longer_than_window": self.windowed,
            "units": self.units,
            "unknown_units": self.unknown / max(self.units, 1),
            "types": dict(self.types.most_common()),
            "oracle": self.oracle.numbers(),
        }


def corpus_table(splits: Mapping[str, Survey], shared: int) -> Table:
    """One row a quantity, one column a split; ``shared`` texts of dev stand in train too."""
    all_ = list(splits.values())
    rows: list[list[Cell]] = [
        ["records", *(s.records for s in all_)],
        ["form", *(", ".join(sorted(s.forms)) for s in all_)],
        *text_rows(all_, ["  without entities", *(s.without_entities for s in all_)]),
        ["entities", *(s.types.total() for s in all_)],
        ["  in or across another", *(s.overlapping for s in all_)],
        ["tags that break the scheme", *(s.broken for s in all_)],
        ["unknown units", *(percent(s.unknown, s.units) for s in all_)],
        ["texts that stand in train too", *([None] * (len(all_) - 1)), shared],
    ]
    return Table("Corpus", ["", *splits], rows)


def type_table(splits: Mapping[str, Survey]) -> Table:
    """Entities of each type, the most frequent first."""
    all_ = list(splits.values())
    order = sorted({t for s in all_ for t in s.types}, key=lambda t: (*(-s.types[t] for s in all_), t))
    return Table("Entities by type", ["type", *splits], [[t, *(s.types[t] for s in all_)] for t in order])


def notes(splits: Mapping[str, Survey], shared: int, window: int, *, flat: bool) -> list[str]:
    """What the user should know before he trains, one sentence each."""
    found = []
    for name, s in splits.items():
        if s.duplicates:
            what = "each stays, as in the file" if name == "dev" else "the first copy of each is used"
            other = f"; {s.conflicting:,} have other entities than the first" if s.conflicting else ""
            found.append(f"{name}: {s.duplicates:,} records repeat a text, {what}{other}")
        if s.windowed:
            found.append(
                f"{name}: {s.windowed:,} texts are longer than data.window={window}, read in overlapping windows"
            )
        if s.broken and CMEEE in s.forms:
            found.append(f"{name}: {s.broken:,} entities end before they begin, and are left out")
        elif s.broken:
            found.append(
                f"{name}: {s.broken:,} tags break the scheme of the file (I- behind O and the like); they count as no "
                "entity, as in seqeval's strict mode"
            )
        if s.overlapping and flat:
            found.append(
                f"{name}: {s.overlapping:,} entities overlap a longer one and cannot be tagged beside it; "
                "model.head=globalpointer can give both"
            )
        if s.texts and not s.types:
            found.append(f"{name}: no text has an entity")
    if shared:
        found.append(f"{shared:,} texts of dev stand in train too: scores on dev flatter by as much")
    return found
