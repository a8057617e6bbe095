"""From gold queries to what each part of the model is taught, and which queries a perfect model could give."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from typing import Any

import numpy as np

from ietool.core.candidates import Candidates
from ietool.core.survey import OracleCounts
from ietool.tasks.nl2sql.data.example import Query
from ietool.tasks.nl2sql.features.alignment import OVERLAP, UNSAID, WRITTEN, Alignment
from ietool.tasks.nl2sql.features.featurizer import Piece
from ietool.tasks.nl2sql.features.stretches import NO_OPERATOR, NOT_SELECTED, stretches_of
from ietool.tasks.nl2sql.features.values import Span, values_of
from ietool.tasks.nl2sql.heads.sketch.beam import ranked
from ietool.tasks.nl2sql.heads.sketch.decode import COMPARE, LAYOUT, SELECT, key_of, parted

TOKEN, ROOM, FORM = (
    "no token begins or ends where a value does",
    "a header found no room in the input",
    "a column is selected twice, or the connector does not fit the conditions",
)
REASONS = (UNSAID, WRITTEN, OVERLAP, TOKEN, ROOM, FORM)
MENDS = {
    TOKEN: "name another model.encoder, or model.encoder=characters",
    ROOM: "raise data.longest, or name an encoder with more positions",
    UNSAID: "check that the tables are those of the questions",
}
"""What can be done about a reason."""

ORACLE_NOTE = "what a model without a fault would reach: the labels of each part are put together again"


def row_of(piece: Piece, alignment: Alignment) -> dict[str, Any]:
    """What the model is taught of a question, as the training table has it: the inputs, ``connector`` (1,),
    ``aggregates`` (C,), ``operators`` of the units of the question (−1: not asked), and of the stretches that are
    looked at ``spans``, ``values`` and ``features`` as :func:`stretches_of` gives them, flat, and ``targets`` (E,)."""
    example, query = piece.example, piece.example.query
    assert query is not None
    units = piece.units
    aggregates = np.full(len(piece.columns), NOT_SELECTED, np.int8)
    chosen = dict(zip(query.select, query.aggregates, strict=True))
    for place, column in enumerate(piece.columns.tolist()):
        aggregates[place] = chosen.get(column, NOT_SELECTED)
    end = int(piece.cuts[1])
    operators = np.where(piece.asked[:end], NO_OPERATOR, -1).astype(np.int8)
    spans = {*values_of(example.question, example.table), *(one.span for one in alignment.found)}
    wrong = _shifted(example.question, [one.span for one in alignment.found])
    stretches = stretches_of(piece, sorted(spans | wrong))
    for one in alignment.found:
        within = units.span_of(*one.span)
        if within is not None:
            operators[within[0] : within[1]] = one.operator
    wanted = {(*one.span, one.column, one.form) for one in alignment.found}
    at = stretches["spans"][stretches["values"][:, 0], :2].tolist()
    keys = zip(at, stretches["values"][:, 2:].tolist(), strict=True)
    taught = [(a, b, column, form) in wanted for (a, b), (column, form) in keys]
    return {
        "length": len(units), "ids": units.ids, "words": units.words, "tags": units.tags, "marks": piece.marks,
        "cuts": piece.cuts, "links": piece.links.reshape(-1),
        "connector": np.array([query.connector if len(query.conditions) > 1 else 0], np.int8),
        "aggregates": aggregates, "operators": operators, "spans": stretches["spans"].reshape(-1),
        "values": stretches["values"].reshape(-1), "features": stretches["features"].reshape(-1),
        "targets": np.array(taught, np.uint8),
    }  # fmt: skip


def _shifted(question: str, spans: list[Span]) -> set[Span]:
    """A stretch beside each, by which a model learns where values end; the same whenever a question is prepared."""
    random, found = Random(question), set()
    for start, end in spans:
        a, b = start + random.choice((-1, 0, 1)), end + random.choice((-1, 1))
        if 0 <= a < b <= len(question):
            found.add((a, b))
    return found - set(spans)


def candidates_of(row: Mapping[str, Any], piece: Piece) -> Candidates:
    """What a model without a fault says of a question that it was taught by this row."""
    spans, values = row["spans"].reshape(-1, 4), row["values"].reshape(-1, 4)
    rows = [
        (SELECT, 0, 0, piece.columns[n], kind, 0) for n, kind in enumerate(row["aggregates"]) if kind < NOT_SELECTED
    ]
    for n in np.flatnonzero(row["targets"]).tolist():
        stretch, _, column, form = values[n]
        start, end, first, _ = spans[stretch]
        rows.append((COMPARE, start, end, column, row["operators"][first], form))
    whole = np.zeros(3, np.float32)
    whole[row["connector"][0]] = 1
    parts = np.ones((len(rows), len(LAYOUT.parts)), np.float32)
    return Candidates(np.array(rows, np.int32).reshape(-1, len(LAYOUT.rows)), parts, whole)


def count(piece: Piece, row: Mapping[str, Any], alignment: Alignment, counts: OracleCounts) -> None:
    """Count the gold of one question, and why its labels do not give it back."""
    gold = piece.example.query
    assert gold is not None
    (found, _), *_ = ranked(parted(piece.example, candidates_of(row, piece)), 1)
    counts.gold += 1
    if key_of(found) == key_of(gold):
        return
    counts.lost[_reason(piece, gold, alignment)] += 1
    counts.spurious += 1


def _reason(piece: Piece, gold: Query, alignment: Alignment) -> str:
    columns = set(piece.columns.tolist())
    if not columns.issuperset((*gold.select, *(one.column for one in gold.conditions))):
        return ROOM
    if alignment.reasons:
        return min(alignment.reasons, key=REASONS.index)
    if any(piece.units.span_of(*one.span) is None for one in alignment.found):
        return TOKEN
    return FORM
