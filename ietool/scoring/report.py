"""What every scorer returns. Scorers are pure: gold and predictions in, a report out."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from ietool.tables import Table

Counts = npt.NDArray[np.float64]
"""(…, columns) of what adds up over texts."""


@dataclass(frozen=True)
class Outcome:
    """One item judged.

    Attributes:
        key: the text that it stands in, by what gold texts are told apart.
        text: that text.
        verdict: ``right``, ``spurious``, ``missed``, or ``duplicate`` of one that counted.
        kind: what is wrong with it, or the rule that decided.
        item: its own fields, as ``--explain`` writes them.
        other: what the other side has there, if anything.
        spans: (role, start, end) for marking it in the text, half-open.
    """

    key: Hashable
    text: str
    verdict: str
    kind: str
    item: Mapping[str, Any]
    other: Mapping[str, Any] | None = None
    spans: Sequence[tuple[str, int, int]] = ()

    def record(self) -> dict[str, Any]:
        """As plain data, for a line of JSON."""
        line: dict[str, Any] = {"text": self.text, "verdict": self.verdict, "rule": self.kind, **self.item}
        if self.other is not None:
            line["other"] = dict(self.other)
        if self.spans:
            line["spans"] = [list(span) for span in self.spans]
        return line


@dataclass(frozen=True)
class Report:
    """What a scorer found.

    Attributes:
        metric: the variant's name (``duie2``).
        definition: the sentence that says what counted as correct.
        values: named numbers, 0 to 1 (``precision``, ``recall``, ``f1``, …); ``--json`` prints them.
        primary: the key of ``values`` by which runs are compared.
        tables: what is printed under the summary, for example the relations, worst first.
        interval: 95 % bootstrap interval of the primary value over texts.
        notes: remarks for the user (texts that gold lacks, duplicates …).
        keys: the texts that were judged, in order.
        counts: (texts, columns) beside ``keys``: what adds up.
        measures: sums (…, columns) → measure → (…): how values follow from counts; the primary one is among them.
        outcomes: every item judged, where that was wanted.
    """

    metric: str
    definition: str
    values: Mapping[str, float]
    primary: str = "f1"
    tables: Sequence[Table] = field(default_factory=list)
    interval: tuple[float, float] | None = None
    notes: Sequence[str] = field(default_factory=list)
    keys: Sequence[Hashable] = ()
    counts: Counts | None = None
    measures: Callable[[Counts], Mapping[str, Counts]] | None = None
    outcomes: Sequence[Outcome] = ()


def coverage_notes(
    gold: Collection[Hashable], predicted: Collection[Hashable], *, extra: str = "cost nothing"
) -> list[str]:
    """Remarks for a report on gold texts without a prediction and on predicted texts that gold lacks.

    Args:
        gold: what gold texts are found by: the text, or its id and the text.
        predicted: the same of the predictions.
        extra: what predictions on other texts do under the variant's rules.
    """
    notes = []
    unanswered = sum(text not in predicted for text in gold)
    others = sum(text not in gold for text in predicted)
    if unanswered:
        notes.append(f"{unanswered:,} of {len(gold):,} gold texts have no prediction and count as empty ones")
    if others:
        notes.append(f"{others:,} predicted texts are not in gold and {extra}")
    return notes
