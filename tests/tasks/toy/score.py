"""Digits found, by place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ietool.scoring.prf import PRFScore
from ietool.scoring.report import Report


def score(gold: Mapping[str, Sequence[int]], predictions: Mapping[str, Sequence[int]]) -> Report:
    total = PRFScore()
    for text, places in gold.items():
        right, given = set(places), set(predictions.get(text, ()))
        total += PRFScore(len(right & given), len(given), len(right & given), len(right))
    values = {"precision": total.precision, "recall": total.recall, "f1": total.f1}
    return Report("digits", "A digit is right if it is predicted at its place.", values)
