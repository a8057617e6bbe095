"""What every task says of a corpus when it prepares one: lengths, and what perfect labels could reach."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from ietool.tables import Cell, Table


def percent(part: int, whole: int) -> str:
    """``part`` of ``whole`` as a cell: ``12.50%``; 0 of 0 is ``0.00%``."""
    return f"{part / max(whole, 1):.2%}"


class Lengths:
    """How many texts have which length, in characters. Memory does not grow with the texts: lengths are few."""

    def __init__(self) -> None:
        self._counts: Counter[int] = Counter()

    def add(self, text: str) -> None:
        """Count one text."""
        self._counts[len(text)] += 1

    @property
    def counts(self) -> Counter[int]:
        """Length → texts."""
        return self._counts

    def at(self, share: float) -> int:
        """The length that this share of the texts does not exceed; 0 without texts."""
        left = share * self._counts.total()
        for length, count in sorted(self._counts.items()):
            left -= count
            if left <= 0:
                return length
        return 0

    @property
    def longest(self) -> int:
        """0 without texts."""
        return max(self._counts, default=0)

    def numbers(self) -> dict[str, int]:
        """For ``--json``."""
        return {"p50": self.at(0.5), "p95": self.at(0.95), "max": self.longest}


class TextCounts(Protocol):
    """What is counted of the texts of a split, whatever the task."""

    rejected: int
    duplicates: int
    texts: int
    windowed: int
    windows: int
    lengths: Lengths


def text_rows(splits: Sequence[TextCounts], without: Sequence[Cell]) -> list[list[Cell]]:
    """Rows of the table of a corpus, one column a split; ``without`` is the row of texts that hold no gold."""
    return [
        ["left out as bad", *(s.rejected for s in splits)],
        ["repeated texts", *(s.duplicates for s in splits)],
        ["texts", *(s.texts for s in splits)],
        list(without),
        ["  longer than one window", *(s.windowed for s in splits)],
        ["windows", *(s.windows for s in splits)],
        ["characters a text: median", *(s.lengths.at(0.5) for s in splits)],
        ["  95 % have at most", *(s.lengths.at(0.95) for s in splits)],
        ["  longest", *(s.lengths.longest for s in splits)],
    ]


@dataclass
class OracleCounts:
    """Gold items, and those of them that labels and decoder could not give back, by reason.

    Attributes:
        reasons: what a gold item may be lost by, in the order in which tables show them.
        gold: gold items.
        lost: reason → gold items.
        spurious: items that perfect labels give and gold does not have.
    """

    reasons: Sequence[str]
    gold: int = 0
    lost: Counter[str] = field(default_factory=Counter)
    spurious: int = 0

    @property
    def recall(self) -> float:
        """The share of gold items that come back; 1 where there are none."""
        return 1.0 - self.lost.total() / self.gold if self.gold else 1.0

    def numbers(self) -> dict[str, Any]:
        """For ``--json``."""
        lost = {reason: self.lost[reason] for reason in self.reasons}
        return {"recall": self.recall, "lost": lost, "spurious": self.spurious}


def oracle_table(splits: Mapping[str, OracleCounts], what: str, note: str) -> Table:
    """Gold items that perfect labels give back, and why the others are lost; one column a split.

    Args:
        splits: name → counts, all with the same reasons.
        what: the items, in the plural.
        note: how the labels were taken there and back.
    """
    all_ = list(splits.values())
    reasons = all_[0].reasons if all_ else ()
    rows: list[list[Cell]] = [[f"gold {what}", *(o.gold for o in all_)]]
    rows += [[f"lost: {reason}", *(o.lost[reason] for o in all_)] for reason in reasons]
    rows.append(["oracle recall", *(o.recall for o in all_)])
    rows.append(["made from perfect labels, but not gold", *(o.spurious for o in all_)])
    return Table("Oracle recall", ["", *splits], rows, note)
