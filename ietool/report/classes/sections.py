"""The sections of a report: its score, errors by class, scores by part, and the texts themselves."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from ietool.report.classes import calibration, groups
from ietool.report.classes.pairs import Changes, change_table, changes, difference
from ietool.report.classes.study import Study, class_table
from ietool.report.classes.texts import TEXTS, texts_section
from ietool.report.html import charts
from ietool.report.html.page import Section, table
from ietool.report.html.spans import shown
from ietool.report.summary import summary
from ietool.runs.checks import EpochScores
from ietool.scoring.classes import ErrorClasses
from ietool.tables import Table, as_number

BARS = 40
"""Bars of a chart at most: the worst."""
ROWS = 200
"""Rows of a table at most."""


@dataclass(frozen=True)
class Texts:
    """What a page tells of texts.

    Attributes:
        known: the names of train, where they are known.
        most: texts that the page holds at most.
    """

    known: Collection[str] | None = None
    most: int = TEXTS


def sections(
    studies: Sequence[Study], classes: ErrorClasses, texts: Texts, curves: Mapping[str, Sequence[EpochScores]]
) -> list[Section]:
    """The sections of a page on one prediction, or on two of the same texts."""
    made = [_score(studies)]
    if any(curves.values()):
        made.append(_curves(curves))
    found = changes(studies, classes) if len(studies) == 2 else None
    if found is not None:
        made.append(_changes(studies, found, classes))
    made.append(_classes(studies, classes))
    made += _parts(studies)
    made += _calibration(studies)
    made += _lengths(studies, classes)
    made += _seen(studies, classes, texts.known)
    made.append(texts_section(studies, classes, texts.most, found))
    return made


def _beside(parts: Sequence[Markup]) -> Markup:
    """Parts next to one another where there is room."""
    if len(parts) == 1:
        return parts[0]
    inner = Markup("").join(Markup("<div>{}</div>").format(part) for part in parts)
    return Markup('<div class="pair">{}</div>').format(inner)


def _named(one: Study, studies: Sequence[Study]) -> Markup:
    """The name of a prediction as a heading, where there are several."""
    return Markup("") if len(studies) == 1 else Markup("<h3><bdi>{}</bdi></h3>").format(one.shown)


def _score(studies: Sequence[Study]) -> Section:
    parts = []
    for one in studies:
        report = one.report
        value = f"{report.values[report.primary]:.4f}"
        interval = (
            "" if report.interval is None else f"95 % interval {report.interval[0]:.4f} – {report.interval[1]:.4f}"
        )
        big = Markup('<p class="score">{} <small>{} of {} {}</small></p>').format(
            value, report.primary, report.metric, interval
        )
        parts.append(_named(one, studies) + big + table(summary(report, "")))
    notes = dict.fromkeys(note for one in studies for note in one.report.notes)
    told = Markup("").join(Markup('<p class="note"><bdi>{}</bdi></p>').format(note) for note in notes)
    return Section("score", "Score", _beside(parts) + told, studies[0].report.definition)


def _changes(studies: Sequence[Study], found: Changes, classes: ErrorClasses) -> Section:
    gain, interval = difference(studies)
    said = f"{gain:+.4f} {studies[0].report.primary}"
    if interval is not None:
        said += f", 95 % interval {interval[0]:+.4f} – {interval[1]:+.4f} (paired bootstrap over texts)"
    note = (
        f"{studies[1].shown} against {studies[0].shown}: {said}. Repaired is an error that only the first makes, "
        "broken one that only the second makes."
    )
    return Section("changes", "Repaired and broken", table(change_table(studies, found, classes)), note)


def _classes(studies: Sequence[Study], classes: ErrorClasses) -> Section:
    parts = []
    for n, one in enumerate(studies):
        counted = class_table(one, classes)
        rows = [(str(row[0]), as_number(row[1]), f"{row[1]:,}") for row in counted.rows if row[1]]
        drawn = charts.bars(rows, name=f"classes-{n}", most=None, caption="errors") if rows else Markup("")
        parts.append(_named(one, studies) + drawn + table(counted))
    return Section(
        "classes",
        "Errors by class",
        Markup("").join(parts),
        "" if any(any(one.classes) for one in studies) else "There is no error.",
    )


def _parts(studies: Sequence[Study]) -> list[Section]:
    """A section a table of the scorer's: relations, types, kinds of question."""
    made: list[Section] = []
    for number, one in enumerate(studies[0].report.tables):
        parts = []
        for side, study in enumerate(studies):
            tables = study.report.tables
            beside = one if side == 0 else next((t for t in tables if t.title == one.title), None)
            if beside is None or not beside.rows:
                continue
            parts.append(_named(study, studies) + _bars(beside, f"part-{number}-{side}", study.report.primary))
        if parts:
            made.append(Section(f"part-{number}", one.title or "Parts", Markup("").join(parts)))
    return made


def _bars(one: Table, name: str, primary: str) -> Markup:
    """A table with bars of its scores above it, the worst first, where a column has scores."""
    columns = [str(column) for column in one.columns]
    score = next((columns.index(c) for c in ("F1", "f1", primary, "score", "right", "value") if c in columns), None)
    bare = Table("", one.columns, one.rows, one.note, one.whole)
    # A type without gold and without a prediction has no score, and stands in the table alone.
    scored = [] if score is None else [row for row in one.rows if isinstance(row[score], float)]
    if score is None or not scored:
        return table(bare, most=ROWS)
    weight = next((columns.index(c) for c in ("gold", "answers", "texts") if c in columns), None)
    rows = sorted(scored, key=lambda row: as_number(row[score])) if "kind" in columns else scored
    drawn = [
        (
            str(row[0]),
            as_number(row[score]),
            charts.plain_number(row[score]) + (f"  of {row[weight]:,}" if weight is not None else ""),
        )
        for row in rows[:BARS]
    ]
    more = Markup("")
    if len(rows) > BARS:
        more = Markup('<p class="note">The {} worst of {:,}.</p>').format(BARS, len(rows))
    return charts.bars(drawn, name=name, caption=columns[score]) + more + table(bare, most=ROWS)


def _calibration(studies: Sequence[Study]) -> list[Section]:
    known = [(one, calibration.of_study(one)) for one in studies if one.has_chances]
    if not known:
        return []
    curves = {one.shown: [(b.chance, b.right) for b in found] for one, found in known}
    drawn = charts.curves(curves, name="calibration", x="probability", y="share that is right", diagonal=True)
    parts = [
        _named(one, studies)
        + Markup('<p class="note">Expected calibration error {:.4f}.</p>').format(calibration.gap(found))
        + table(calibration.table(found))
        for one, found in known
    ]
    note = "Of what the model is 80 % sure of, eight in ten should be right: a curve below the line is too sure."
    return [Section("calibration", "Calibration", drawn + _beside(parts), note)]


def _lengths(studies: Sequence[Study], classes: ErrorClasses) -> list[Section]:
    tables = [(one, groups.by_length(one.report, classes)) for one in studies]
    tables = [(one, found) for one, found in tables if len(found.rows) > 1]
    if not tables:
        return []
    parts = [_named(one, studies) + _group_bars(found, f"length-{n}") for n, (one, found) in enumerate(tables)]
    primary = studies[0].report.primary
    return [Section("length", f"{primary} by length of text", _beside(parts), "Texts in parts of about equal number.")]


def _group_bars(found: Table, name: str) -> Markup:
    rows = [(str(row[0]), as_number(row[2]), f"{charts.plain_number(row[2])}  of {row[1]:,}") for row in found.rows]
    return charts.bars(rows, name=name, caption=str(found.columns[2])) + table(found)


def _seen(studies: Sequence[Study], classes: ErrorClasses, known: Collection[str] | None) -> list[Section]:
    if known is None:
        return []
    tables = [(one, groups.by_seen(one, classes, known)) for one in studies]
    parts = [_named(one, studies) + table(found) for one, found in tables if found.rows]
    if not parts:
        return []
    note = f"Whether train has the names, which are {len(known):,} different ones, as they are written."
    return [Section("seen", "Names seen and unseen in train", _beside(parts), note)]


def _curves(runs: Mapping[str, Sequence[EpochScores]]) -> Section:
    """The curves of trainings: loss, and the dev score of the weights and of their average.

    Args:
        runs: name → rows.
    """
    losses: dict[str, list[tuple[float, float]]] = {}
    scores: dict[str, list[tuple[float, float]]] = {}
    notes = []
    for run, rows in runs.items():
        before = f"{shown(run)}: " if len(runs) > 1 else ""
        for n, row in enumerate(rows, 1):
            if row.loss is not None and math.isfinite(row.loss):
                losses.setdefault(f"{before}loss", []).append((n, row.loss))
            for name, values in (("weights", row.raw), ("average of weights", row.ema)):
                if values and (score := values.get("score")) is not None:
                    scores.setdefault(f"{before}{name}", []).append((n, score))
        best = max((n for n, row in enumerate(rows, 1) if row.best), default=None)
        if best is not None:
            notes.append(f"{before}those of epoch {best} of {len(rows)} are kept")
    drawn = []
    if scores:
        drawn.append(charts.curves(scores, name="curve-score", x="epoch", y="dev score"))
    if losses:
        drawn.append(charts.curves(losses, name="curve-loss", x="epoch", y="loss"))
    note = "Weights are chosen by the dev score after each epoch: " + "; ".join(notes) if notes else ""
    return Section("training", "Training", _beside(drawn) if drawn else Markup(""), note)
