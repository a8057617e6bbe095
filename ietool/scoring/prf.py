"""Precision, recall and F1 from counts."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class PRFScore:
    """Counts from which precision, recall and F1 follow.

    ``hits`` counts right predictions, ``found`` gold items that a prediction hits; they differ only under alias rules.
    """

    hits: int = 0
    predicted: int = 0
    found: int = 0
    gold: int = 0

    @property
    def precision(self) -> float:
        return self.hits / self.predicted if self.predicted else 0.0

    @property
    def recall(self) -> float:
        return self.found / self.gold if self.gold else 0.0

    @property
    def f1(self) -> float:
        p, r = self.precision, self.recall
        return 2 * p * r / (p + r) if p + r else 0.0

    def values(self, texts: int) -> dict[str, float]:
        """For :class:`Report`: ``precision recall f1`` (0 to 1), then counts: ``texts gold predicted right found``."""
        return {
            "precision": self.precision,
            "recall": self.recall,
            "f1": self.f1,
            "texts": texts,
            "gold": self.gold,
            "predicted": self.predicted,
            "right": self.hits,
            "found": self.found,
        }

    def __add__(self, other: PRFScore) -> PRFScore:
        return PRFScore(
            self.hits + other.hits, self.predicted + other.predicted, self.found + other.found, self.gold + other.gold
        )
