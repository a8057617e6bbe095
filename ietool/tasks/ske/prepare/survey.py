"""What a corpus holds: counters that a preparation feeds record by record, and the tables it shows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ietool.core.survey import Lengths, percent, text_rows
from ietool.tables import Cell, Table
from ietool.tasks.ske.data.example import Example
from ietool.tasks.ske.features.featurizer import Features
from ietool.tasks.ske.prepare.oracle import Oracle
from ietool.text.units import cut_note


@dataclass
class SplitStatistics:
    """Counts over one file. Memory does not grow with it: lengths and relations are few."""

    oracle: Oracle
    records: int = 0
    """Valid records, repeated texts included."""
    rejected: int = 0
    dropped: int = 0
    """Triples left out because their published object is empty."""
    duplicates: int = 0
    """Records whose text stood before."""
    conflicting: int = 0
    """Those of them with other triples than the first."""
    texts: int = 0
    without_triples: int = 0
    windows: int = 0
    windowed: int = 0
    """Texts longer than one window."""
    cut: int = 0
    """Windows of more tokens than the encoder has positions."""
    characters: int = 0
    """Characters of all windows, and of these the unknown ones and those in words with a vector."""
    unknown: int = 0
    with_vector: int = 0
    lengths: Lengths = field(default_factory=Lengths)
    relations: Counter[str] = field(default_factory=Counter)

    def add(self, example: Example, windows: Sequence[Features], unknown: int) -> None:
        """Count one text and the features of its windows, in which ``unknown`` is the id of all that is unknown."""
        self.texts += 1
        self.without_triples += not example.triples
        self.windows += len(windows)
        self.windowed += len(windows) > 1
        self.lengths.add(example.text)
        self.relations.update(triple.predicate for triple in example.triples)
        for window in windows:
            units = window.units
            self.characters += int(units.ends.max(initial=0))
            self.unknown += int((units.ends - units.starts)[units.ids == unknown].sum())
            self.with_vector += int(np.count_nonzero(units.words))

    def numbers(self) -> dict[str, Any]:
        """The counts for ``--json``."""
        triples = self.relations.total()
        return {
            "records": self.records,
            "rejected": self.rejected,
            "duplicates": self.duplicates,
            "conflicting_duplicates": self.conflicting,
            "texts": self.texts,
            "texts_without_triples": self.without_triples,
            "characters": self.lengths.numbers(),
            "windows": self.windows,
            "texts_longer_than_window": self.windowed,
            "windows_cut": self.cut,
            "triples": triples,
            "triples_dropped": self.dropped,
            "relations": dict(self.relations.most_common()),
            "unknown_characters": self.unknown / max(self.characters, 1),
            "word_vector_coverage": self.with_vector / max(self.characters, 1),
            "oracle": self.oracle.counts.numbers(),
        }


@dataclass
class Overlap:
    """What dev shares with train."""

    texts: int = 0
    triples: int = 0
    """Dev triples that some text of train states too."""

    def numbers(self, dev: SplitStatistics) -> dict[str, Any]:
        """The counts for ``--json``."""
        known = self.triples / max(dev.relations.total(), 1)
        return {"texts": self.texts, "triples": self.triples, "triples_share": known}


def corpus_table(splits: Mapping[str, SplitStatistics], overlap: Overlap, *, vectors: bool) -> Table:
    """One row a quantity, one column a split."""
    all_ = list(splits.values())
    rows: list[list[Cell]] = [
        ["records", *(s.records for s in all_)],
        *text_rows(all_, ["  without triples", *(s.without_triples for s in all_)]),
        ["triples", *(s.relations.total() for s in all_)],
        ["  left out: empty object", *(s.dropped for s in all_)],
        ["unknown characters", *(percent(s.unknown, s.characters) for s in all_)],
    ]
    if vectors:
        rows.append(["characters in words with a vector", *(percent(s.with_vector, s.characters) for s in all_)])
    if "dev" in splits:
        blank: list[Cell] = [None] * (len(all_) - 1)
        rows.append(["texts that stand in train too", *blank, overlap.texts])
        rows.append(
            ["triples that train states too", *blank, percent(overlap.triples, splits["dev"].relations.total())]
        )
    return Table("Corpus", ["", *splits], rows)


def relation_table(splits: Mapping[str, SplitStatistics], predicates: Sequence[str]) -> Table:
    """Triples of each relation of the schema, the most frequent first."""
    all_ = list(splits.values())
    order = sorted(predicates, key=lambda p: (*(-s.relations[p] for s in all_), p))
    return Table("Triples by relation", ["relation", *splits], [[p, *(s.relations[p] for s in all_)] for p in order])


def notes(splits: Mapping[str, SplitStatistics], overlap: Overlap, window: int) -> list[str]:
    """What the user should know before you train, one sentence each."""
    found = []
    for name, s in splits.items():
        if s.duplicates:
            what = "each stays, as in the file" if name == "dev" else "the first copy of each is used"
            other = f"; {s.conflicting:,} have other triples than the first" if s.conflicting else ""
            if other and name != "dev":
                other += ", which are left out"
            found.append(f"{name}: {s.duplicates:,} records repeat a text, {what}{other}")
        if s.windowed:
            found.append(
                f"{name}: {s.windowed:,} texts are longer than data.window={window}, read in overlapping windows"
            )
        if s.cut:
            found.append(f"{name}: {cut_note(s.cut)}")
        if s.dropped:
            found.append(f"{name}: {s.dropped:,} triples left out, their object is empty")
        if s.texts and not s.relations:
            found.append(f"{name}: no text has a triple")
    if overlap.texts:
        found.append(f"{overlap.texts:,} texts of dev stand in train too: scores on dev flatter by as much")
    return found
