"""Predictions with every outcome in its class: what the sections of a report are drawn from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field

from ietool.errors import cut
from ietool.report.html.spans import shown
from ietool.scoring.classes import GOLD, MISSED, RIGHT, SPURIOUS, UNANSWERED, ErrorClasses
from ietool.scoring.report import Outcome, Report
from ietool.tables import Cell, Table

SURE = 0.95
"""Models that are at least so sure of what gold lacks are believed more than gold."""

Chances = Mapping[Hashable, Mapping[Hashable, float]]
"""Key of a text → item → probability."""

_MEANINGS = {
    GOLD: f"gold lacks it, but both predictions have it with p ≥ {SURE:g}",
    UNANSWERED: "the text has no prediction at all",
}


@dataclass(frozen=True)
class Study:
    """One prediction, judged.

    Attributes:
        name: of its file or run.
        report: with outcomes.
        texts: key of a text → the numbers of its outcomes; texts without an outcome are missing.
        classes: beside the outcomes; empty where one is right.
        chances: beside the outcomes; None where no probability is known.
    """

    name: str
    report: Report
    texts: Mapping[Hashable, Sequence[int]]
    classes: Sequence[str]
    chances: Sequence[float | None]

    @property
    def shown(self) -> str:
        """Its name, as pages may have it."""
        return shown(self.name)

    @property
    def has_chances(self) -> bool:
        return any(chance is not None for chance in self.chances)

    def of(self, key: Hashable) -> list[tuple[Outcome, str, float | None]]:
        """The outcomes of a text, each with its class and its probability."""
        return [(self.report.outcomes[n], self.classes[n], self.chances[n]) for n in self.texts.get(key, ())]


@dataclass
class Given:
    """What a study is made of."""

    name: str
    report: Report
    chances: Chances = field(default_factory=dict)


def studies(given: Sequence[Given], classes: ErrorClasses) -> list[Study]:
    """The predictions with their outcomes in classes: one, or two on the same texts.

    What gold lacks but both predictions have is :data:`GOLD`'s fault, where both models are known to be sure of it
    (:data:`SURE`): models of one kind share errors. One prediction alone proves nothing: a model that learnt well is
    sure of its errors too.
    """
    classes.study(outcome for one in given for outcome in one.report.outcomes)
    made = [_study(one, classes) for one in given]
    if len(made) == 1:
        return made
    sure = [_sure_items(one, classes) for one in made]
    marked = []
    for one in made:
        own = list(one.classes)
        for n, outcome in enumerate(one.report.outcomes):
            said = outcome.key, said_of(outcome, classes)
            if outcome.verdict == SPURIOUS and classes.blames_gold(outcome) and all(said in errors for errors in sure):
                own[n] = GOLD
        marked.append(Study(one.name, one.report, one.texts, own, one.chances))
    return marked


def said_of(outcome: Outcome, classes: ErrorClasses) -> Hashable:
    """By what an item is the same in another prediction of the same text."""
    found = classes.item(outcome)
    return found if found is not None else (classes.label(outcome), classes.words(outcome))


def _sure_items(one: Study, classes: ErrorClasses) -> set[tuple[Hashable, Hashable]]:
    """(key of the text, item) of what a prediction has and gold lacks, and of which its model is known to be sure."""
    return {
        (outcome.key, said_of(outcome, classes))
        for outcome, chance in zip(one.report.outcomes, one.chances, strict=True)
        if outcome.verdict == SPURIOUS and chance is not None and chance >= SURE
    }


def _study(given: Given, classes: ErrorClasses) -> Study:
    outcomes = given.report.outcomes
    texts: dict[Hashable, list[int]] = {}
    for n, outcome in enumerate(outcomes):
        texts.setdefault(outcome.key, []).append(n)
    names = [""] * len(outcomes)
    for numbers in texts.values():
        for n, name in zip(numbers, classes.of([outcomes[n] for n in numbers]), strict=True):
            names[n] = name
    chances: list[float | None] = [None] * len(outcomes)
    if given.chances:
        for n, outcome in enumerate(outcomes):
            if outcome.verdict in (RIGHT, SPURIOUS) and (item := classes.item(outcome)) is not None:
                chances[n] = given.chances.get(outcome.key, {}).get(item)
    return Study(given.name, given.report, texts, names, chances)


def class_table(one: Study, classes: ErrorClasses) -> Table:
    """Errors by class, the most frequent first, each with what it means and an example."""
    counts: Counter[tuple[str, str]] = Counter()
    first: dict[str, int] = {}
    for n, (name, outcome) in enumerate(zip(one.classes, one.report.outcomes, strict=True)):
        if name:
            counts[name, outcome.verdict] += 1
            first.setdefault(name, n)
    totals = Counter[str]()
    for (name, _), count in counts.items():
        totals[name] += count
    whole = totals.total()
    meanings = {**classes.meanings, **{name: said for name, said in _MEANINGS.items() if totals[name]}}
    order = sorted({*meanings, *totals}, key=lambda name: (-totals[name], list(meanings).index(name)))
    rows: list[Sequence[Cell]] = []
    for name in order:
        example = cut(classes.words(one.report.outcomes[first[name]])) if name in first else None
        share = totals[name] / whole if whole else None
        sides = counts[name, SPURIOUS], counts[name, MISSED]
        rows.append((name, totals[name], share, *sides, meanings.get(name, ""), example))
    return Table("", ("class", "items", "share", SPURIOUS, MISSED, "meaning", "first example"), rows)
