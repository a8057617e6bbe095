"""The labels of YES_NO questions."""

from __future__ import annotations

from pathlib import Path

from ietool.runs.checks import read_settings
from ietool.runs.entry import CONFIG_FILE
from ietool.tasks.qa.data.question import Question

LABELS = ("Yes", "No", "Depends")
"""In the order of the model's classes."""

LABELLED = "labelled"
"""File of a prepared folder whose train has labels of YES_NO questions."""


def is_labelled(folder: Path) -> bool:
    """Whether the model of a prepared folder or run folder gives labels."""
    if (folder / CONFIG_FILE).is_file():
        return bool(read_settings(folder / CONFIG_FILE).get("labels"))
    return (folder / LABELLED).is_file()


def label_class(question: Question) -> int:
    """Class of a YES_NO question's label, that of most of its answers; −1 where there is none."""
    known = [LABELS.index(label) for label in question.labels if label in LABELS]
    return max(set(known), key=lambda label: (known.count(label), -label)) if known else -1
