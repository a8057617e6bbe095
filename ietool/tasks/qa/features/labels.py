"""The labels of YES_NO questions."""

from __future__ import annotations

from ietool.tasks.qa.data.question import Question

LABELS = ("Yes", "No", "Depends")
"""In the order of the model's classes."""

LABELLED = "labelled"
"""File of a prepared folder whose train has labels of YES_NO questions."""


def label_class(question: Question) -> int:
    """Class of a YES_NO question's label, that of most of its answers; −1 where there is none."""
    known = [LABELS.index(label) for label in question.labels if label in LABELS]
    return max(set(known), key=lambda label: (known.count(label), -label)) if known else -1
