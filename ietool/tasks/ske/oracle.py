"""Oracle recall: which gold triples labels and decoder could give back at all, and where the others are lost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ietool.report.corpus import OracleCounts
from ietool.tasks.ske.assembly import assemble
from ietool.tasks.ske.data import Example, Triple
from ietool.tasks.ske.judge import Rules
from ietool.tasks.ske.labelling import Row, locate_names
from ietool.text.characters import fold
from ietool.text.spans import nearest_spans

NOT_IN_TEXT = "not in the text"
APART = "in no single window"
BORDERS = "no token begins or ends there"
AMBIGUOUS = "spans cross: another end is nearer"
SLOTS = "slots joined to another object"
REASONS = (NOT_IN_TEXT, APART, BORDERS, AMBIGUOUS, SLOTS)

ORACLE_NOTE = "what a model without a fault would reach: its labels, cut into windows, go through the decoder and back"


class Piece(NamedTuple):
    """A window of a text: where it starts, and its label rows, counted from there; ``split`` are those that the units
    cannot express."""

    start: int
    rows: Sequence[Row]
    split: Sequence[Row] = ()


def perfect_rows(windows: Sequence[Sequence[Row]], labels: int) -> list[list[Row]]:
    """What decoding gives for each window when every start and end probability is exactly the label.

    As the predictor works: subject starts take the nearest end; then, for each subject span so found, the object starts
    of each of the ``labels`` labels take the nearest end. A span that no gold row has as its subject has no objects.
    """
    found: list[list[Row]] = [[] for _ in windows]
    flat = np.array([(i, *row) for i, rows in enumerate(windows) for row in rows], np.int64).reshape(-1, 6)
    if not len(flat):
        return found
    at, s0, s1, label, o0, o1 = flat.T
    length = int(max(s1.max(), o1.max())) + 1
    begins, ends = np.unique(at * length + s0), np.unique(at * length + s1 - 1)
    kept_s, kept_e, _ = nearest_spans(begins % length, ends % length, begins // length, ends // length, length)
    # A span by one number: its place among all characters of all windows, and its end.
    subjects = begins[kept_s] * length + ends[kept_e] % length
    own = (at * length + s0) * length + s1 - 1
    pair = np.searchsorted(subjects, own)
    pair[pair == len(subjects)] = 0
    found_subject = subjects[pair] == own
    group = (pair * labels + label)[found_subject]
    starts = np.unique(group * length + o0[found_subject])
    stops = np.unique(group * length + o1[found_subject] - 1)
    kept_o, kept_p, groups = nearest_spans(starts % length, stops % length, starts // length, stops // length, length)
    span = subjects[groups // labels]
    columns = (
        span // length // length,
        span // length % length,
        span % length + 1,
        groups % labels,
        starts[kept_o] % length,
        stops[kept_p] % length + 1,
    )
    for i, *row in np.stack(columns, 1).tolist():
        found[i].append((row[0], row[1], row[2], row[3], row[4]))
    return found


def perfect_links(windows: Sequence[Sequence[Row]]) -> list[list[Row]]:
    """The same of gplinker: every pair of a subject and an object whose first and whose last positions are linked by
    a label."""
    found = []
    for rows in windows:
        subjects, objects = {(a, b) for a, b, *_ in rows}, {(c, d) for *_, c, d in rows}
        heads, tails = {(a, r, c) for a, _, r, c, _ in rows}, {(b, r, d) for _, b, r, _, d in rows}
        labels = {r for _, _, r, _, _ in rows}
        found.append(
            [
                (a, b, r, c, d)
                for a, b in subjects
                for c, d in objects
                for r in labels
                if (a, r, c) in heads and (b, r, d) in tails
            ]
        )
    return found


class Oracle:
    """Counts over the texts of one split.

    Args:
        labels: those of the schema.
        metric: decides when triples are the same.
        head: of the model whose decoder is meant.
    """

    def __init__(self, labels: Sequence[tuple[str, str]], metric: str, head: str = "graph") -> None:
        self.labels, self.head = labels, head
        self.counts = OracleCounts(REASONS)
        self._key = Rules(metric).key
        self._number = {label: i for i, label in enumerate(labels)}

    def add(self, texts: Sequence[tuple[Example, Sequence[Piece]]]) -> None:
        """Count some texts, with their windows and labels."""
        windows = [piece.rows for _, pieces in texts for piece in pieces]
        linked = self.head == "gplinker"
        decoded = iter(perfect_links(windows) if linked else perfect_rows(windows, len(self.labels)))
        for example, pieces in texts:
            rows = {
                (a + start, b + start, label, c + start, d + start, 1.0)
                for start, *_ in pieces
                for a, b, label, c, d in next(decoded)
            }
            found = {self._key(t.triple) for t in assemble(example.text, sorted(rows), self.labels)}
            gold = {self._key(triple) for triple in example.triples}
            self.counts.gold += len(example.triples)
            self.counts.spurious += len(found - gold)
            if gold <= found:
                continue
            facts = {(r[0], r[1], r[2], r[3], r[4]) for r in rows}
            for triple in example.triples:
                if self._key(triple) not in found:
                    self.counts.lost[self._reason(triple, example.text, pieces, facts)] += 1

    def _reason(self, triple: Triple, text: str, pieces: Sequence[Piece], decoded: set[Row]) -> str:
        spans = locate_names([triple.subject, *(value for _, value in triple.object)], text)
        if triple.subject not in spans or any(value not in spans for _, value in triple.object):
            return NOT_IN_TEXT

        subject, folded = fold(triple.subject), fold(text)

        def means(row: Row, start: int, label: int, value: str) -> bool:
            """Whether a row states the subject with this filler of a slot."""
            if row[2] != label or folded[row[0] + start : row[1] + start] != subject:
                return False
            return folded[row[3] + start : row[4] + start] == fold(value)

        for slot, value in triple.object:
            label = self._number[triple.predicate, slot]
            if not any(means(row, start, label, value) for start, rows, _ in pieces for row in rows):
                split = any(means(row, start, label, value) for start, _, rows in pieces for row in rows)
                return BORDERS if split else APART
            if not any(means(row, 0, label, value) for row in decoded):
                return AMBIGUOUS
        return SLOTS
