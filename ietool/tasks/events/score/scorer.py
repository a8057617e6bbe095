"""Scorers of events: DuEE 1.0's official score, and exact arguments.

What is known of the official score (LIC 2020 and 2021, sentence-level event extraction) is what the organisers wrote on
the pages of the competition and in the README of their baseline (PaddleNLP, ``examples/information_extraction/DuEE``);
their script was never published:

- P = the sum of the predicted arguments' scores / how many arguments are predicted,
- R = the same sum / how many arguments are annotated, F1 = 2 · P · R / (P + R);
- the score of a predicted argument = whether its event type is right · whether its role is right · its F1 by characters
  with what is annotated there: P = characters that both have / its own, R = the same / those annotated;
- case does not count, and of several forms of an argument that with the highest F1 is taken.

The rest is open, and settled here: characters that both have are counted as often as they stand in both (``aab`` and
``ab`` share two); of an argument that a text has several times under one type and role, on either side, one counts, as
the organisers' baseline merges the events of one type; "what is annotated there" is any argument of that type and role
in the text, and its aliases, each of which several predictions may hit; a sum that exceeds the number of annotated
arguments, which only near copies of one argument can bring about, is cut to it for R.

Pure: events in, a report out; no heavy imports.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ietool.errors import UserError
from ietool.scoring.intervals import bootstrap, ratio
from ietool.scoring.report import Counts, Outcome, Report
from ietool.tables import Cell, Table
from ietool.tasks.events.score.explain import explain_text
from ietool.tasks.events.score.files import read_for_scoring
from ietool.tasks.events.score.judge import Judged, Slot, Told, judge

METRICS = ("duee1", "exact")
"""The variants there are."""

_DUEE1 = (
    "A predicted argument scores the F1, by characters and whatever the case, that it has with the most similar "
    "argument (or alias) of the same event type and role in the same text; an argument that stands there several times "
    "counts once. P and R are the sum of these scores over all predicted and over all gold arguments."
)
_EXACT = (
    "A predicted argument is right if gold has the same string under the same event type and role in the same text; an "
    "argument that stands there several times counts once; micro over all arguments."
)


def score(
    gold: Sequence[Told],
    predictions: Sequence[Told],
    *,
    metric: str,
    explain: bool = False,
    notes: Sequence[str] = (),
    resamples: int = 2000,
    keys: Sequence[Hashable] = (),
    unanswered: Collection[int] = (),
) -> Report:
    """The score of predicted events.

    Args:
        gold, predictions: of each text.
        metric: one of ``METRICS``.
        explain: also give a verdict on every argument.
        notes: remarks to pass on in the report.
        resamples: draws of the bootstrap interval; 0: no interval.
        keys: of the texts; default: number and text.
        unanswered: numbers of texts without any prediction.

    Returns:
        values ``precision recall f1`` of arguments, the same of triggers (``trigger_f1`` …: exact strings of a type,
        each once a text), and the counts ``texts gold predicted right``; tables of types and of roles, worst F1 first.

    Raises:
        UserError: unknown metric.
    """
    if metric not in METRICS:
        raise UserError(f"no scoring variant is called {metric!r}", field="metric", mend=f"use {' or '.join(METRICS)}")
    keys = keys or list(enumerate(told.text for told in gold))
    arguments, triggers = _Sums(len(gold)), _Sums(len(gold))
    outcomes: list[Outcome] = []
    for n, (wanted, found) in enumerate(zip(gold, predictions, strict=True)):
        judged = judge(wanted, found, metric)
        arguments.add(n, judged, wanted.arguments)
        shared = wanted.triggers & found.triggers
        for side, column in ((found.triggers, 1), (wanted.triggers, 2), (shared, 0)):
            triggers.whole[n, column] += len(side)
        if explain:
            outcomes += explain_text(keys[n], wanted, judged, metric, answered=n not in unanswered)
    counts = arguments.whole
    total = counts.sum(0)
    values = {name: float(value) for name, value in prf_of_sums(total).items()}
    for name, value in prf_of_sums(triggers.whole.sum(0)).items():
        values[f"trigger_{name}"] = float(value)
    values |= {"texts": len(gold), "gold": int(total[2]), "predicted": int(total[1]), "right": float(total[0])}
    return Report(
        metric=metric,
        definition=_DUEE1 if metric == "duee1" else _EXACT,
        values=values,
        tables=[
            _triggers(triggers.whole.sum(0)),
            _table("Types, worst first", "type", arguments.by_type),
            _table("Roles, worst first", "type and role", arguments.by_role),
        ],
        interval=bootstrap(counts, prf_of_sums, resamples=resamples).get("f1"),
        notes=list(notes),
        keys=list(keys),
        counts=counts,
        measures=prf_of_sums,
        outcomes=outcomes,
    )


def prf_of_sums(sums: Counts) -> dict[str, Counts]:
    """Precision, recall and F1 from sums (…, 3) of scores, predicted, gold."""
    scores, predicted, gold = np.moveaxis(np.asarray(sums, np.float64), -1, 0)
    precision, recall = ratio(scores, predicted), ratio(np.minimum(scores, gold), gold)
    return {"precision": precision, "recall": recall, "f1": ratio(2 * precision * recall, precision + recall)}


@dataclass
class _Sums:
    """(texts, 3) of scores, predicted and gold arguments, and the same by type and by role."""

    texts: int
    whole: Counts = field(init=False)
    by_type: dict[str, npt.NDArray[np.float64]] = field(default_factory=dict)
    by_role: dict[str, npt.NDArray[np.float64]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.whole = np.zeros((self.texts, 3))

    def add(self, number: int, judged: Sequence[Judged], gold: Mapping[Slot, Collection[object]]) -> None:
        """What became of the predicted arguments of a text, and how many gold has."""
        for one in judged:
            self._add(number, one.slot, (one.score, 1, 0))
        for slot, names in gold.items():
            self._add(number, slot, (0, 0, len(names)))

    def _add(self, number: int, slot: Slot, what: tuple[float, int, int]) -> None:
        self.whole[number] += what
        for sums, name in ((self.by_type, slot[0]), (self.by_role, f"{slot[0]}: {slot[1]}")):
            sums.setdefault(name, np.zeros(3))
            sums[name] += what


def _table(title: str, what: str, sums: Mapping[str, Counts]) -> Table:
    rows: list[tuple[float, float, list[Cell]]] = []
    for name, one in sums.items():
        values = {key: float(value) for key, value in prf_of_sums(one).items()}
        cells: list[Cell] = [name, values["precision"], values["recall"], values["f1"], int(one[2]), int(one[1])]
        rows.append((values["f1"], -float(one[2]), [*cells, float(one[0])]))
    rows.sort(key=lambda row: (row[0], row[1], str(row[2][0])))
    return Table(title, [what, "P", "R", "F1", "gold", "predicted", "score"], [cells for _, _, cells in rows])


def _triggers(sums: Counts) -> Table:
    values = {key: float(value) for key, value in prf_of_sums(sums).items()}
    row: list[Cell] = [values["precision"], values["recall"], values["f1"], int(sums[2]), int(sums[1]), int(sums[0])]
    note = "the same string under the same type in the same text, each once; nothing official counts it"
    return Table("Triggers", ["P", "R", "F1", "gold", "predicted", "right"], [row], note)


def score_paths(
    gold: str | Path, predictions: str | Path, *, metric: str | None = None, explain: bool = False
) -> Report:
    """The score of a submission file: as :func:`score`, on files plain or packed, of either form.

    Raises:
        UserError: a file cannot be read, or gold holds no record.
    """
    wanted = read_for_scoring(gold)
    if not wanted.told:
        raise UserError("holds no record", file=gold, mend="bring the gold file of the texts you predicted on")
    given = read_for_scoring(predictions)
    keys, pairs, notes = wanted.paired(given)
    if not given.told:
        notes.insert(0, f"{predictions} holds no record: every prediction is empty")
    empty = [n for n, (_, found) in enumerate(pairs) if found is None]
    return score(
        [told for told, _ in pairs],
        [found or Told(told.text) for told, found in pairs],
        metric=metric or METRICS[0],
        explain=explain,
        notes=notes,
        keys=keys,
        unanswered=frozenset(empty),
    )
