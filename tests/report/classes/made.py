"""Small reports for tests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ietool.report.classes.study import Given, Study, studies
from ietool.scoring.report import Report
from ietool.tasks.ner.data.example import Entity
from ietool.tasks.ner.score.classes import EntityClasses
from ietool.tasks.ner.score.scorer import score

TEXT = "甲乙丙丁戊己庚辛"
CLASSES = EntityClasses()
Found = Sequence[tuple[int, int, str]]


def report(gold: Sequence[Found], found: Sequence[Found], texts: Sequence[str] = ()) -> Report:
    """Entities of some texts, scored by their spans."""
    items = [(text, [Entity(*e) for e in own]) for text, own in zip(texts or [TEXT] * len(gold), gold, strict=True)]
    given = [[Entity(*e) for e in own] for own in found]
    return score(items, given, metric="span", explain=True, resamples=200)


def study(gold: Sequence[Found], *found: Sequence[Found], chances: Any = (), texts: Sequence[str] = ()) -> list[Study]:
    """One study a prediction; ``chances`` is for each what gives the probability of an entity."""
    given = []
    for n, own in enumerate(found):
        made = report(gold, own, texts)
        known = {} if n >= len(chances) else {
            key: {entity: chances[n](entity) for entity in mine} for key, mine in zip(made.keys, own, strict=True)
        }  # fmt: skip
        given.append(Given(f"prediction {n + 1}", made, known))
    return studies(given, CLASSES)
