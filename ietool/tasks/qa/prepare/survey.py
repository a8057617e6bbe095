"""What ``prepare`` finds out of questions and passages, and what their answers could be at best."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ietool.core.survey import Lengths, OracleCounts, percent
from ietool.tables import Cell, Table
from ietool.tasks.qa.data.question import Question
from ietool.tasks.qa.data.reading import has_markup
from ietool.tasks.qa.features.locate import EMPTY, LONG, MISSING, REASONS, UNREAD, annotated, best_of, locate
from ietool.text.characters import fold
from ietool.text.matching import occurrences

Spans = dict[int, list[tuple[int, int]]]
"""Index of a passage → half-open spans of its characters."""

ORACLE_NOTE = "answerable questions one of whose accepted answers is a span that the reader may give"


@dataclass
class Survey:
    """The counts of one split."""

    records: int = 0
    rejected: int = 0
    duplicates: int = 0
    conflicting: int = 0
    passages: int = 0
    read: int = 0
    answering: int = 0
    impossible: int = 0
    repaired: int = 0
    markup: int = 0
    unknown: int = 0
    units: int = 0
    """Tokens of what is read, and those of them that are unknown; 0 where the units are characters."""
    lengths: Lengths = field(default_factory=Lengths)
    questions: Lengths = field(default_factory=Lengths)
    answers: Lengths = field(default_factory=Lengths)
    forms: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    oracle: OracleCounts = field(default_factory=lambda: OracleCounts(REASONS))

    def add(self, question: Question, chosen: Sequence[int], longest: int) -> Spans:
        """Count a question of which the ``chosen`` passages are read and answers may have ``longest`` characters.

        Returns:
            The answers that a reader could give; none where the question is lost, or not counted.
        """
        self.records += 1
        self.forms[question.form] += 1
        self.kinds[question.kind] += 1
        self.passages += len(question.passages)
        self.read += len(chosen)
        self.questions.add(question.text)
        self.impossible += question.is_impossible is True
        spans: Spans = {}
        for index, passage in enumerate(annotated(question)):
            self.lengths.add(passage.text)
            self.markup += has_markup(passage.text)
            found, repaired = locate(passage)
            self.repaired += repaired
            if found:
                spans[index] = found
                self.answering += 1
        for answer in question.answers[:1]:
            self.answers.add(answer)
        return self._oracle(question, set(chosen), spans, longest)

    def _oracle(self, question: Question, chosen: set[int], spans: Spans, longest: int) -> Spans:
        if question.is_impossible or not (question.answers or any(p.answers for p in question.passages)):
            return {}
        self.oracle.gold += 1
        accepted = [answer for answer in question.answers if answer.strip()]
        accepted += [answer for p in question.passages for answer in p.answers if answer.strip()]
        if not accepted:
            self.oracle.lost[EMPTY] += 1
            return {}
        if not spans:  # gold without passages that are said to answer: a reader may still find its words
            keys = sorted({fold(answer.strip()) for answer in accepted})
            for index, passage in enumerate(question.passages):
                folded = fold(passage.text)
                written = [(at, at + len(key)) for key in keys for at in occurrences(key, folded)]
                if written:
                    spans[index] = written
        short = {index: best_of(found, longest) for index, found in spans.items()}
        reachable = {index: found for index, found in short.items() if found and index in chosen}
        if not spans:
            self.oracle.lost[MISSING] += 1
        elif not any(short.values()):
            self.oracle.lost[LONG] += 1
        elif not reachable:
            self.oracle.lost[UNREAD] += 1
        return reachable

    def numbers(self) -> dict[str, Any]:
        """For ``--json``."""
        return {
            "records": self.records,
            "rejected": self.rejected,
            "forms": dict(self.forms),
            "passages": self.passages,
            "passages_read": self.read,
            "passages_with_an_answer": self.answering,
            "impossible": self.impossible,
            "positions_repaired": self.repaired,
            "passages_with_markup": self.markup,
            "lengths": self.lengths.numbers(),
            "oracle": self.oracle.numbers(),
        }


def corpus_table(splits: dict[str, Survey]) -> Table:
    """Questions, passages and answers; one column a split."""
    all_ = list(splits.values())

    def row(name: str, *cells: Cell) -> list[Cell]:
        return [name, *cells]

    def three(lengths: Lengths) -> str:
        n = lengths.numbers()
        return f"{n['p50']} / {n['p95']} / {n['max']}"

    rows = [
        row("questions", *(s.records for s in all_)),
        row("form", *(", ".join(sorted(s.forms)) for s in all_)),
        row("left out as bad", *(s.rejected for s in all_)),
        row("without an answer", *(s.impossible for s in all_)),
        row("passages", *(s.passages for s in all_)),
        row("… that are read", *(s.read for s in all_)),
        row("… that hold an answer", *(percent(s.answering, s.passages) for s in all_)),
        row("passage length p50 / p95 / max", *(three(s.lengths) for s in all_)),
        row("question length p50 / p95 / max", *(three(s.questions) for s in all_)),
        row("answer length p50 / p95 / max", *(three(s.answers) for s in all_)),
        row("answer positions mended", *(s.repaired for s in all_)),
        row("passages with HTML", *(s.markup for s in all_)),
    ]
    if any(s.units for s in all_):
        rows.append(row("unknown tokens", *(percent(s.unknown, s.units) for s in all_)))
    return Table("Corpus", ["", *splits], rows)
