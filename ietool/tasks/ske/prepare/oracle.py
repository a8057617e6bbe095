"""Oracle recall: which gold triples labels and decoder could give back at all, and where the others are lost."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from ietool.core.survey import OracleCounts
from ietool.tasks.ske.data.example import Example, Triple
from ietool.tasks.ske.data.schema import WEBNLG
from ietool.tasks.ske.features.labelling import Row, locate_names
from ietool.tasks.ske.heads.assembly import assemble
from ietool.tasks.ske.score.judge import Matching
from ietool.text.characters import fold

NOT_IN_TEXT = "not in the text"
UNKNOWN = "train has no such relation"
APART = "in no single window"
BORDERS = "no token begins or ends there"
AMBIGUOUS = "spans cross: another end is nearer"
SLOTS = "slots joined to another object"
REASONS = (NOT_IN_TEXT, APART, BORDERS, AMBIGUOUS, SLOTS)

MENDS = {
    NOT_IN_TEXT: "see that texts and triples belong together",
    APART: "raise data.window",
    BORDERS: "name another model.encoder, or model.encoder=characters",
}
"""What can be done about a reason."""

ORACLE_NOTE = "what a model without a fault would reach: its labels, cut into windows, go through the decoder and back"


Perfect = Callable[[Sequence[Sequence[Row]], int], list[list[Row]]]
"""See :meth:`ietool.tasks.ske.heads.decoder.SkeDecoder.perfect`."""


class Window(NamedTuple):
    """A window of a text: where it starts, and its label rows, counted from there; ``split`` are those that the units
    cannot express."""

    start: int
    rows: Sequence[Row]
    split: Sequence[Row] = ()


class Oracle:
    """Counts over the texts of one split.

    Args:
        labels: those of the schema.
        metric: decides when triples are the same, and whether names stand at the borders of words.
        perfect: of the decoder that is meant.
    """

    def __init__(self, labels: Sequence[tuple[str, str]], metric: str, perfect: Perfect) -> None:
        self.labels, self.perfect, self.words = labels, perfect, metric == WEBNLG
        # Other schemas list all relations, and what is not in them is refused.
        self.counts = OracleCounts((UNKNOWN, *REASONS) if self.words else REASONS)
        self._key = Matching(metric).key
        self._number = {label: i for i, label in enumerate(labels)}

    def add(self, texts: Sequence[tuple[Example, Sequence[Window]]]) -> None:
        """Count some texts, with their windows and labels."""
        decoded = iter(self.perfect([window.rows for _, windows in texts for window in windows], len(self.labels)))
        for example, windows in texts:
            rows = {
                (a + start, b + start, label, c + start, d + start, 1.0)
                for start, *_ in windows
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
                    self.counts.lost[self._reason(triple, example.text, windows, facts)] += 1

    def _reason(self, triple: Triple, text: str, windows: Sequence[Window], decoded: set[Row]) -> str:
        if any((triple.predicate, slot) not in self._number for slot, _ in triple.object):
            return UNKNOWN
        spans = locate_names([triple.subject, *(value for _, value in triple.object)], text, words=self.words)
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
            if not any(means(row, start, label, value) for start, rows, _ in windows for row in rows):
                split = any(means(row, start, label, value) for start, _, rows in windows for row in rows)
                return BORDERS if split else APART
            if not any(means(row, 0, label, value) for row in decoded):
                return AMBIGUOUS
        return SLOTS
