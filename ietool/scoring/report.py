"""What every scorer returns. Scorers are pure: gold and predictions in, a report out."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ietool.tables import Table


@dataclass(frozen=True)
class Verdict:
    """One item judged: ``right``, ``spurious`` or ``missed``, the rule that decided, and where it stands."""

    text: str
    verdict: str
    item: Mapping[str, Any]
    rule: str


@dataclass(frozen=True)
class Report:
    """The outcome of a scorer.

    Attributes:
        metric: the variant's name (``duie2``).
        definition: the sentence that says what counted as correct.
        values: named numbers, 0 to 1 (``precision``, ``recall``, ``f1``, …); ``--json`` prints them.
        primary: the key of ``values`` by which runs are compared.
        tables: what is printed under the summary, for example the relations, worst first.
        interval: 95 % bootstrap interval of the primary value over texts.
        notes: remarks for the user (texts that gold lacks, duplicates …).
        verdicts: every item judged, for ``--explain``.
    """

    metric: str
    definition: str
    values: Mapping[str, float]
    primary: str = "f1"
    tables: Sequence[Table] = field(default_factory=list)
    interval: tuple[float, float] | None = None
    notes: Sequence[str] = field(default_factory=list)
    verdicts: Sequence[Verdict] = field(default_factory=list)


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
