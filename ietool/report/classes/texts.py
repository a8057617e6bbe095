"""The texts of a report: each with what gold has above it, what is predicted below, and its items as tags."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence

from ietool.report.classes.pairs import Changes
from ietool.report.classes.sampling import by_turns, within
from ietool.report.classes.study import Study
from ietool.report.html.items import Chip, Item, item_json, item_list
from ietool.report.html.page import Section
from ietool.report.html.spans import Mark
from ietool.scoring.classes import RIGHT, ErrorClasses
from ietool.scoring.report import Outcome

TEXTS = 3000
"""Texts that a page holds unless another number is asked for."""
ROOM = 7_000_000
"""Bytes of all texts together, whatever is asked for: a page stays below ten million."""


def texts_section(studies: Sequence[Study], classes: ErrorClasses, most: int, found: Changes | None) -> Section:
    """The section of texts, all of them or some of every class.

    Args:
        most: texts at most.
        found: what differs, of two predictions.
    """
    keys: list[Hashable] = list(dict.fromkeys(key for one in studies for key in one.texts))
    order = {key: n for n, key in enumerate(studies[0].report.keys)}
    place = {key: order.get(key, len(order) + n) for n, key in enumerate(keys)}
    keys.sort(key=lambda key: place[key])
    happened = {} if found is None else found.texts(studies)
    numbers = {place[key] + 1: key for key in keys}
    named: dict[int, list[str]] = {}
    for number, key in numbers.items():
        names = dict.fromkeys(name for one in studies for _, name, _ in one.of(key) if name)
        named[number] = [*(names or [RIGHT]), *sorted(happened.get(key, ()))]
    facets = [
        "class",
        *([classes.label_name] if any(classes.label(o) for o in studies[0].report.outcomes[:1000]) else []),
    ]
    facets += ["change"] if found is not None else []

    def make(number: int) -> str:
        return item_json(_item(number, numbers[number], studies, classes, found, facets), facets)

    shown = within(by_turns(named), make, lambda made: len(made.encode()), most, ROOM)
    note = f"All {len(numbers):,} texts in which gold or a prediction has something."
    if len(shown) < len(numbers):
        note = (
            f"{len(shown):,} of the {len(numbers):,} texts in which gold or a prediction has something, drawn by "
            "class, so that rare classes are not lost. All counts and scores above are of all texts."
        )
    note += " The line above is gold's, the one below the prediction's: green right, orange missed, red wrong."
    sides = [one.shown for one in studies] if len(studies) > 1 else []
    return Section("texts", "Texts", item_list(shown, sides=sides, facets=facets), note)


def _item(
    number: int,
    key: Hashable,
    studies: Sequence[Study],
    classes: ErrorClasses,
    found: Changes | None,
    facets: Sequence[str],
) -> Item:
    sides = [one.of(key) for one in studies]
    outcomes = [[outcome for outcome, _, _ in side] for side in sides]
    any_side = next(side for side in outcomes if side)
    text = classes.text(any_side)
    names = dict.fromkeys(name for side in sides for _, name, _ in side if name)
    labels = dict.fromkeys(label for side in outcomes for one in side if (label := classes.label(one)))
    values: Mapping[str, Sequence[str]] = {"class": [*names] or [RIGHT], classes.label_name: [*labels]}
    chips = []
    gold_marks: dict[tuple[str, int, int], list[str]] = {}
    predicted = []
    changed: set[str] = set()
    for at, (one, side, judged) in enumerate(zip(studies, sides, outcomes, strict=True)):
        own = []
        for place, (outcome, name, chance) in zip(one.texts.get(key, ()), side, strict=True):
            change = "" if found is None else found.of.get((at, place), "")
            changed.add(change)
            if not classes.is_shown(outcome):
                continue
            own.append(Chip(classes.words(outcome), outcome.verdict, name, _why(outcome, name), chance, change))
        chips.append(own)
        for span, verdict in classes.gold_spans(judged, text) if judged else ():
            gold_marks.setdefault(span, [""] * len(studies))[at] = verdict
        predicted.append(
            [Mark(*span, verdict) for span, verdict in classes.found_spans(judged, text)] if judged else []
        )
    if found is not None:
        values = {**values, "change": sorted(changed - {""})}
    gold = [
        Mark(*span, verdicts[0], tuple(verdicts) if len(verdicts) > 1 else ()) for span, verdicts in gold_marks.items()
    ]
    kept = {name: values[name] for name in facets}
    return Item(number, text, gold, predicted, chips, classes.title(any_side), kept)


def _why(outcome: Outcome, name: str) -> str:
    """Why an outcome is what it is, without what its tags say already."""
    if outcome.verdict == RIGHT and outcome.kind == "exact":
        return ""
    return outcome.kind.removeprefix("not in gold: ").removeprefix("missed: ").removeprefix(f"{name}: ")
