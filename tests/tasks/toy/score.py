"""Digits found, by place."""

from __future__ import annotations

from collections.abc import Sequence

from ietool.scoring.prf import PRFScore
from ietool.scoring.report import Report
from tests.tasks.toy.data import Example


def score(gold: Sequence[Example], predictions: Sequence[Example]) -> Report:
    total, given = PRFScore(), {p.text: set(p.digits) for p in predictions}
    for example in gold:
        wanted, found = set(example.digits), given.get(example.text, set())
        total += PRFScore(len(wanted & found), len(found), len(wanted & found), len(wanted))
    values = {"precision": total.precision, "recall": total.recall, "f1": total.f1}
    return Report("digits", "A digit is right if it is predicted at its place.", values)
