"""What a corpus of questions holds: counters that a preparation feeds question by question, and the tables it shows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ietool.core.survey import Lengths, OracleCounts, percent
from ietool.tables import Cell, Table
from ietool.tasks.nl2sql.data.example import AGGREGATES, CONNECTORS, OPERATORS, Example
from ietool.tasks.nl2sql.features.featurizer import Piece
from ietool.tasks.nl2sql.features.values import values_of
from ietool.tasks.nl2sql.prepare.labelling import REASONS

UNLIKE = ("to the letter", "as a number", "as something like it")
"""How questions say the values of conditions."""


@dataclass
class Survey:
    """Counts over one file."""

    records: int = 0
    rejected: int = 0
    duplicates: int = 0
    """Records whose question was asked of the same table before."""
    conflicting: int = 0
    """Those of them with another query than the first."""
    questions: int = 0
    wide: int = 0
    """Questions of tables with more headers than an input holds."""
    shortened: int = 0
    columns: Lengths = field(default_factory=Lengths)
    rows: int = 0
    units: int = 0
    unknown: int = 0
    mentions: int = 0
    conditions: Counter[int] = field(default_factory=Counter)
    selected: Counter[int] = field(default_factory=Counter)
    aggregates: Counter[int] = field(default_factory=Counter)
    operators: Counter[int] = field(default_factory=Counter)
    connectors: Counter[int] = field(default_factory=Counter)
    said: Counter[str] = field(default_factory=Counter)
    lengths: Lengths = field(default_factory=Lengths)
    oracle: OracleCounts = field(default_factory=lambda: OracleCounts(REASONS))

    def add(self, piece: Piece, unknown: int) -> None:
        """Count one question; ``unknown`` is the id of what the encoder does not know."""
        example, query = piece.example, piece.example.query
        assert query is not None
        self.questions += 1
        self.wide += piece.left_out > 0
        self.shortened += piece.shortened
        self.lengths.add(example.question)
        self.rows = max(self.rows, len(example.table.rows))
        self.columns.add("x" * example.table.width)
        asked = piece.asked
        self.units += int(asked.sum())
        self.unknown += int(np.count_nonzero(piece.units.ids[asked] == unknown))
        self.mentions += len(piece.values)
        self.conditions[len(query.conditions)] += 1
        self.selected[len(query.select)] += 1
        self.aggregates.update(query.aggregates)
        self.operators.update(one.operator for one in query.conditions)
        self.connectors[query.connector] += 1
        self.said.update(_said(example))

    def numbers(self) -> dict[str, Any]:
        """The counts for ``--json``."""
        return {
            "records": self.records,
            "rejected": self.rejected,
            "duplicates": self.duplicates,
            "conflicting_duplicates": self.conflicting,
            "questions": self.questions,
            "questions_with_headers_left_out": self.wide,
            "questions_shortened": self.shortened,
            "columns": self.columns.numbers(),
            "most_rows": self.rows,
            "characters": self.lengths.numbers(),
            "units": self.units,
            "unknown_units": self.unknown / max(self.units, 1),
            "stretches_that_may_be_values": self.mentions,
            "conditions": _plain(self.conditions),
            "selected": _plain(self.selected),
            "aggregates": _named(self.aggregates, AGGREGATES),
            "operators": _named(self.operators, OPERATORS),
            "connectors": _named(self.connectors, CONNECTORS),
            "values_said": dict(self.said),
            "oracle": self.oracle.numbers(),
        }


def _said(example: Example) -> list[str]:
    """Of each condition, how its value is said."""
    assert example.query is not None
    found = []
    for one in example.query.conditions:
        if one.value in example.question:
            found.append(UNLIKE[0])
            continue
        values = (m for every in values_of(example.question, example.table).values() for m in every)
        kinds = {m.kind for m in values if m.column == one.column and m.value == one.value}
        found.append(UNLIKE[1] if "number" in kinds else UNLIKE[2] if kinds else "not at all")
    return found


def _plain(counts: Counter[int]) -> dict[str, int]:
    return {str(key): counts[key] for key in sorted(counts)}


def _named(counts: Counter[int], names: Sequence[str]) -> dict[str, int]:
    return {names[key] or "none": counts[key] for key in sorted(counts)}


def corpus_table(splits: Mapping[str, Survey], shared: int) -> Table:
    """One row a quantity, one column a split; ``shared`` questions of dev stand in train too."""
    all_ = list(splits.values())
    rows: list[list[Cell]] = [
        ["records", *(s.records for s in all_)],
        ["left out as bad", *(s.rejected for s in all_)],
        ["repeated questions", *(s.duplicates for s in all_)],
        ["questions", *(s.questions for s in all_)],
        ["  whose headers find no room", *(s.wide for s in all_)],
        ["characters a question: median", *(s.lengths.at(0.5) for s in all_)],
        ["  longest", *(s.lengths.longest for s in all_)],
        ["columns a table: median", *(s.columns.at(0.5) for s in all_)],
        ["  most", *(s.columns.longest for s in all_)],
        ["rows a table: most", *(s.rows for s in all_)],
        ["stretches that may be values", *(s.mentions for s in all_)],
        ["unknown units", *(percent(s.unknown, s.units) for s in all_)],
        ["questions that stand in train too", *([None] * (len(all_) - 1)), shared],
    ]
    return Table("Corpus", ["", *splits], rows)


def part_table(splits: Mapping[str, Survey]) -> Table:
    """How often parts of queries are what they may be."""
    all_ = list(splits.values())
    rows: list[list[Cell]] = []
    for what, of, names in (
        ("aggregate", "aggregates", AGGREGATES), ("operator", "operators", OPERATORS),
        ("connector", "connectors", CONNECTORS),
    ):  # fmt: skip
        rows += [[f"{what} {name or 'none'}", *(getattr(s, of)[n] for s in all_)] for n, name in enumerate(names)]
    for what, of in (("conditions", "conditions"), ("selected columns", "selected")):
        for n in sorted({n for s in all_ for n in getattr(s, of)}):
            rows.append([f"{n} {what}", *(getattr(s, of)[n] for s in all_)])
    for how in (*UNLIKE, "not at all"):
        rows.append([f"values said {how}", *(s.said[how] for s in all_)])
    return Table("Parts of queries", ["", *splits], rows)


def notes(splits: Mapping[str, Survey], shared: int, longest: int) -> list[str]:
    """What the user should know before he trains, one sentence each."""
    found = []
    for name, s in splits.items():
        if s.duplicates:
            what = "each stays, as in the file" if name == "dev" else "the first copy of each is used"
            other = f"; {s.conflicting:,} have another query than the first" if s.conflicting else ""
            found.append(f"{name}: {s.duplicates:,} records repeat a question on its table, {what}{other}")
        if s.wide:
            found.append(
                f"{name}: {s.wide:,} questions ask tables with more headers than data.longest={longest} units hold; "
                "the headers most like the question are read, the others cannot be selected"
            )
        if s.shortened:
            found.append(f"{name}: {s.shortened:,} questions lose their end, being longer than data.longest={longest}")
    if shared:
        found.append(f"{shared:,} questions of dev stand in train too: scores on dev flatter by as much")
    return found
