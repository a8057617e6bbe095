"""Scores of parts of the texts: by length, and by whether train has the names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Hashable, Sequence

import numpy as np

from ietool.report.classes.study import Study
from ietool.scoring.classes import MISSED, RIGHT, SPURIOUS, ErrorClasses
from ietool.scoring.intervals import bootstrap
from ietool.scoring.prf import PRFScore
from ietool.scoring.report import Report
from ietool.tables import Cell, Table

PARTS = 5
"""Parts into which texts are cut by their length, about equally many in each."""
_RESAMPLES = 500


def text_of(key: Hashable) -> str:
    """The text in what texts are told apart by: itself, or the last string of several values."""
    if isinstance(key, str):
        return key
    if isinstance(key, tuple):
        return next((part for part in reversed(key) if isinstance(part, str)), "")
    return ""


def by_length(report: Report, classes: ErrorClasses) -> Table:
    """The primary measure of texts by length, with its interval; no rows where counts or lengths are not known, or
    parts of the texts cannot be scored."""
    columns = ("characters", "texts", report.primary, "low", "high")
    rows: list[Sequence[Cell]] = []
    if report.counts is None or report.measures is None or len(report.counts) != len(report.keys):
        return Table("", columns, rows)
    if report.metric in classes.means_over_labels:
        return Table("", columns, rows)
    lengths = np.array([len(text_of(key)) for key in report.keys], np.int64)
    if not len(lengths) or not lengths.any():
        return Table("", columns, rows)
    ends = sorted({int(end) for end in np.quantile(lengths, np.arange(1, PARTS + 1) / PARTS, method="lower")})
    low = -1
    for end in ends:
        inside = (lengths > low) & (lengths <= end)
        rows.append((f"{int(lengths[inside].min())} – {end}", *_scored(report, inside)))
        low = end
    return Table("", columns, rows)


def _scored(report: Report, inside: np.ndarray) -> tuple[int, float, float | None, float | None]:
    """(texts, primary value, low, high) of some texts."""
    assert report.counts is not None and report.measures is not None
    counts = np.asarray(report.counts, np.float64)[inside]
    value = float(report.measures(counts.sum(0))[report.primary])
    interval = bootstrap(counts, report.measures, resamples=_RESAMPLES).get(report.primary)
    return (len(counts), value, *(interval or (None, None)))


def by_seen(one: Study, classes: ErrorClasses, known: Collection[str]) -> Table:
    """Precision, recall and F1 of items whose names all stand in train, and of the others; where items do not add up to
    a score, the primary measure of texts by the names that gold has in them.

    Args:
        known: the names of train.
    """
    if not classes.counts_items or not _adds_up(one.report):
        return _texts_by_seen(one, classes, known)
    sums = {True: [0, 0, 0], False: [0, 0, 0]}
    at = {RIGHT: 0, SPURIOUS: 1, MISSED: 2}
    for outcome in one.report.outcomes:
        names = classes.names(outcome)
        if names and outcome.verdict in at:
            sums[all(name in known for name in names)][at[outcome.verdict]] += 1
    rows: list[Sequence[Cell]] = []
    for seen, (right, spurious, missed) in sums.items():
        score = PRFScore(right, right + spurious, right, right + missed)
        if score.predicted or score.gold:
            what = "all in train" if seen else "one or more not in train"
            rows.append((what, score.precision, score.recall, score.f1, score.gold, score.predicted))
    return Table("", ("names", "P", "R", "F1", "gold", "predicted"), rows)


def _adds_up(report: Report) -> bool:
    """Whether outcomes, each counted as one, make the score: not where one is right in part, or a name counts once."""
    verdicts = Counter(one.verdict for one in report.outcomes)
    right, predicted = verdicts[RIGHT], verdicts[RIGHT] + verdicts[SPURIOUS]
    counted = {"right": right, "predicted": predicted, "gold": right + verdicts[MISSED]}
    return all(report.values.get(name, count) == count for name, count in counted.items())


def _texts_by_seen(one: Study, classes: ErrorClasses, known: Collection[str]) -> Table:
    report = one.report
    columns = ("names", "texts", report.primary, "low", "high")
    rows: list[Sequence[Cell]] = []
    if report.counts is None or report.measures is None or report.metric in classes.means_over_labels:
        return Table("", columns, rows)
    state = np.zeros(len(report.keys), np.int64)
    for n, key in enumerate(report.keys):
        names = [name for outcome, _, _ in one.of(key) for name in classes.names(outcome)]
        state[n] = 0 if not names else 1 if all(name in known for name in names) else 2
    for number, what in ((1, "all in train"), (2, "one or more not in train")):
        if (state == number).any():
            rows.append((what, *_scored(report, state == number)))
    return Table("", columns, rows)
