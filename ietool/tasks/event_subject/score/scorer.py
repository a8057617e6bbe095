"""Scorers of subjects: exact (type, subject), as F1 and as accuracy.

Pure: records in, a report out; no heavy imports.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ietool.errors import UserError
from ietool.scoring.intervals import bootstrap, prf_measures, ratio
from ietool.scoring.prf import PRFScore
from ietool.scoring.report import Counts, Outcome, Report
from ietool.scoring.tables import prf_table
from ietool.tasks.event_subject.data.example import Example, occurrences
from ietool.tasks.event_subject.score.files import pair_up, read_gold, read_predictions

METRICS = ("ccks2019", "accuracy")
"""The variants there are."""

_F1 = (
    "A predicted subject is right if gold has the same string for the same record, so for the same type; a record "
    "without a subject is no gold item, and an answer of NaN is no prediction; micro over all records."
)
_ACCURACY = (
    "A record is right if its subject is predicted to the character, or NaN where gold has none: the share of right "
    "records."
)


@dataclass(frozen=True)
class Judged:
    """A record with what was predicted; empty subjects are none. ``answered``: whether there is any prediction."""

    example: Example
    found: str
    answered: bool = True


def score(
    judged: Sequence[Judged], *, metric: str, explain: bool = False, notes: Sequence[str] = (), resamples: int = 2000
) -> Report:
    """The score of predicted subjects.

    Args:
        metric: one of ``METRICS``: which value is the primary one; both are given.
        explain: also give a verdict on every record.
        notes: remarks to pass on in the report.
        resamples: draws of the bootstrap interval; 0: no interval.

    Returns:
        values ``precision recall f1 accuracy`` (0 to 1) and the counts ``texts gold predicted right found``, a table of
        types, worst F1 first.

    Raises:
        UserError: unknown metric.
    """
    if metric not in METRICS:
        raise UserError(f"no scoring variant is called {metric!r}", field="metric", mend=f"use {' or '.join(METRICS)}")
    counts = np.zeros((len(judged), 6))
    by_type: dict[str, PRFScore] = {}
    for n, one in enumerate(judged):
        gold, found = one.example.subject, one.found
        hit = bool(gold) and gold == found
        own = PRFScore(int(hit), int(bool(found)), int(hit), int(bool(gold)))
        counts[n] = (own.hits, own.predicted, own.found, own.gold, gold == found, 1)
        by_type[one.example.type] = by_type.get(one.example.type, PRFScore()) + own
    values = sum(by_type.values(), PRFScore()).values(len(judged))
    values = {
        **values,
        "accuracy": float(measures(counts.sum(0))["accuracy"]),
        "right_records": int(counts[:, 4].sum()),
    }
    primary = "f1" if metric == "ccks2019" else "accuracy"
    keys = [(n, one.example.text) for n, one in enumerate(judged)]
    outcomes = [outcome for key, one in zip(keys, judged, strict=True) for outcome in _verdicts(key, one)]
    return Report(
        metric=metric,
        definition=_F1 if primary == "f1" else _ACCURACY,
        values=values,
        primary=primary,
        tables=[prf_table("Types, worst first", "type", by_type)],
        interval=bootstrap(counts, measures, resamples=resamples).get(primary),
        notes=list(notes),
        keys=keys,
        counts=counts,
        measures=measures,
        outcomes=outcomes if explain else [],
    )


def measures(sums: Counts) -> dict[str, Counts]:
    """Precision, recall, F1 and accuracy from sums (…, 6) of hits, predicted, found, gold, right records, records."""
    return {**prf_measures(sums[..., :4]), "accuracy": ratio(sums[..., 4], sums[..., 5])}


def _verdicts(key: Any, one: Judged) -> list[Outcome]:
    """The verdict on a record: its prediction, then a gold subject that it misses."""
    gold, found, kind = one.example.subject, one.found, one.example.type
    if gold == found:
        return [_outcome(key, one, "right", "exact", gold)] if gold else []
    told = []
    if found:
        if not gold:
            why = "gold has none"
        elif found in gold or gold in found:
            why = f"boundary differs: gold has {gold}"
        else:
            why = f"another company: gold has {gold}"
        told.append(_outcome(key, one, "spurious", f"{kind}: {why}", found))
    if gold:
        why = "the prediction has " + (found or "none") if one.answered else "the record has no prediction"
        told.append(_outcome(key, one, "missed", f"{kind}: {why}", gold))
    return told


def _outcome(key: Any, one: Judged, verdict: str, why: str, subject: str) -> Outcome:
    at = next(occurrences(one.example.text, subject), None)
    item = {"id": one.example.id, "type": one.example.type, "subject": subject}
    return Outcome(key, one.example.text, verdict, why, item, spans=[("subject", *at)] if at else [])


def score_paths(
    gold: str | Path, predictions: str | Path, *, metric: str | None = None, explain: bool = False
) -> Report:
    """The score of a submission file: as :func:`score`, on files plain or packed.

    Raises:
        UserError: a file cannot be read, or gold holds no record.
    """
    wanted = read_gold(gold)
    found = read_predictions(predictions)
    pairs, notes = pair_up(wanted, found, predictions)
    judged = [Judged(example, subject or "", subject is not None) for example, subject in pairs]
    return score(judged, metric=metric or METRICS[0], explain=explain, notes=notes)
