"""The scorers of question answering: what is done around a variant, whose rules stand in a file of its own.

Pure: questions and predictions in, a report out. No heavy imports.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ietool.errors import NothingCounts, UserError
from ietool.progress import Progress, no_progress
from ietool.scoring.coverage import check_shared
from ietool.scoring.intervals import bootstrap
from ietool.scoring.report import Outcome, Report
from ietool.tables import Cell, Table
from ietool.tasks.qa.data.question import Question
from ietool.tasks.qa.data.reading import load_questions
from ietool.tasks.qa.score.explain import explain as explain_answer
from ietool.tasks.qa.score.explain import key_of
from ietool.tasks.qa.score.files import Predicted, read_predictions
from ietool.tasks.qa.score.judged import OUTCOMES, PARTLY, RIGHT, UNANSWERED, WRONG, Judged, Metric, Sums
from ietool.tasks.qa.score.metrics import metric_by_name

_EVERY = 1_000  # questions between two tellings of the progress
_MEANINGS = {
    RIGHT: "equal to a reference, or accepted",
    PARTLY: "part of it was credited",
    WRONG: "nothing of it was credited",
    UNANSWERED: "no prediction, or an empty one",
}
_CMRC_IDS = ("DEV_", "TRAIN_", "TRIAL_", "TEST_", "CHALLENGE_")


def metric_of(question: Question) -> str:
    """The variant by which questions like this one are scored unless another is asked for."""
    if question.form == "dureader2":
        return "dureader2"
    if question.form == "webqa":
        return "sogouqa"
    return "cmrc2018" if question.question_id.startswith(_CMRC_IDS) else "dureader_robust"


@dataclass
class _Tally:
    """What is added up while questions stream by: numbers, ids and questions, no passages."""

    rows: list[np.ndarray] = field(default_factory=list)
    keys: list[tuple[str, str]] = field(default_factory=list)
    groups: dict[str, tuple[int, Sums]] = field(default_factory=dict)
    outcomes: dict[str, int] = field(default_factory=lambda: dict.fromkeys(OUTCOMES, 0))
    examples: dict[str, str] = field(default_factory=dict)
    ids: set[str] = field(default_factory=set)
    items: int = 0
    missing: int = 0
    left_out: int = 0

    def add(self, question: Question, judged: Sequence[Judged], *, predicted: bool) -> None:
        self.ids.add(question.question_id)
        if not judged:
            self.left_out += 1
            return
        self.missing += not predicted
        sums = np.array([one.sums for one in judged], dtype=np.float64)
        self.rows.append(sums.sum(axis=0))
        self.keys.append(key_of(question))
        self.items += len(judged)
        for one, row in zip(judged, sums, strict=True):
            self.outcomes[one.outcome] += 1
            if one.outcome not in self.examples:
                self.examples[one.outcome] = _example(question, one)
            if one.group:
                count, total = self.groups.get(one.group, (0, 0.0))
                self.groups[one.group] = count + 1, total + row


def score(
    gold: Iterable[Question],
    predictions: Mapping[str, Predicted],
    *,
    metric: str,
    explain: bool = False,
    resamples: int = 1000,
    notes: Sequence[str] = (),
) -> Report:
    """The score of predictions under a variant.

    Args:
        gold: questions with their references, in any order; read once.
        predictions: question id → what was predicted; those of other ids cost nothing.
        metric: one of ``SCORERS``.
        explain: also give a verdict on every answer.
        resamples: draws of the bootstrap over questions; 0: no intervals.
        notes: remarks to pass on.

    Returns:
        values: the variant's measures, 0 to 1, the primary one first (``f1 em average``, ``score accuracy f1``,
        ``rouge_l bleu_4`` …), then the counts ``questions`` that count, ``answers`` (more where labels
        are scored apart), ``answered`` of them not empty, ``right``, and ``unknown`` predictions. Tables of intervals,
        of kinds of question, and of outcomes.

    Raises:
        UserError: unknown metric; no question counts under it.
    """
    variant = metric_by_name(metric)
    tally = _Tally()
    outcomes: list[Outcome] = []
    for question in gold:
        predicted = predictions.get(question.question_id)
        judged = variant.judge(question, predicted)
        tally.add(question, judged, predicted=predicted is not None)
        if explain:
            outcomes += [explain_answer(question, one, variant, predicted=predicted is not None) for one in judged]
    if not tally.rows:
        what = "gold has no question" if not tally.ids else f"none of the {len(tally.ids):,} questions of gold counts"
        mend = "bring the gold file with its references, or name a --metric"
        raise NothingCounts(f"{what} under {metric}", metric=metric, mend=mend)
    rows = np.stack(tally.rows)
    found = bootstrap(rows, variant.values, resamples=resamples)
    values = {name: float(value) for name, value in variant.values(rows.sum(axis=0)).items()}
    unknown = [question_id for question_id in predictions if question_id not in tally.ids]
    tables = [_measures(values, found), _groups(variant, tally), _outcomes(tally, unknown)]
    return Report(
        metric=metric,
        definition=variant.definition,
        values={
            **values,
            "questions": len(rows),
            "answers": tally.items,
            "answered": tally.items - tally.outcomes[UNANSWERED],
            "right": tally.outcomes[RIGHT],
            "unknown": len(unknown),
        },
        primary=variant.primary,
        tables=[table for table in tables if table.rows],
        interval=found.get(variant.primary),
        notes=[*notes, *_notes(tally, unknown, predictions)],
        keys=tally.keys,
        counts=rows,
        measures=variant.values,
        outcomes=outcomes,
    )


def _measures(values: Mapping[str, float], found: Mapping[str, tuple[float, float]]) -> Table:
    rows: list[Sequence[Cell]] = [(name, value, *found[name]) for name, value in values.items() if name in found]
    return Table("Measures", ["measure", "value", "from", "to (95 %)"], rows)


def _groups(variant: Metric, tally: _Tally) -> Table:
    """One row a kind of question or label; nothing where there is but one."""
    if len(tally.groups) < 2:
        return Table(variant.groups, [])
    names: list[str] = []
    rows: list[Sequence[Cell]] = []
    for group, (count, sums) in sorted(tally.groups.items(), key=lambda entry: (-entry[1][0], entry[0])):
        values = variant.values(sums)
        names = names or list(values)
        rows.append((group, count, *(float(values[name]) if name in values else None for name in names)))
    return Table(variant.groups, ["kind", "answers", *names], rows)


def _outcomes(tally: _Tally, unknown: Sequence[str]) -> Table:
    rows: list[Sequence[Cell]] = [
        (name, count, count / tally.items, _MEANINGS[name], tally.examples.get(name, ""))
        for name, count in tally.outcomes.items()
    ]
    if unknown:
        rows.append(("unknown id", len(unknown), None, "predicted, but no question of gold: costs nothing", unknown[0]))
    return Table("Outcomes", ["outcome", "answers", "share", "meaning", "first example"], rows)


def _example(question: Question, judged: Judged) -> str:
    return f"{_short(question.text)} {_short(judged.prediction) or '–'} (gold {_short(judged.reference)})"


def _short(text: str, size: int = 20) -> str:
    text = " ".join(text.split())
    return text if len(text) <= size else text[: size - 1] + "…"


def _notes(tally: _Tally, unknown: Sequence[str], predictions: Mapping[str, Predicted]) -> list[str]:
    notes = []
    if tally.missing:
        notes.append(f"{tally.missing:,} of {len(tally.rows):,} questions have no prediction and count as unanswered")
    if unknown:
        every = len(unknown) == len(predictions)
        what = f"{len(unknown):,} predictions are on ids that gold lacks and cost nothing, the first is {unknown[0]!r}"
        notes.append(what + (": none is on a question of gold, is this its submission?" if every else ""))
    if tally.left_out:
        notes.append(f"{tally.left_out:,} questions do not count under this variant: they have no references for it")
    return notes


def score_paths(
    gold: str | Path,
    predictions: str | Path,
    *,
    metric: str | None = None,
    explain: bool = False,
    progress: Progress = no_progress,
    resamples: int = 1000,
) -> Report:
    """The score of a submission file: as :func:`score`, on files plain or packed. Gold is streamed.

    Args:
        gold: questions with references, of any form; DuReader 2.0's may lack their documents.
        predictions: the submission, in any form that :func:`read_predictions` takes.
        metric: None: told from gold's first question.

    Raises:
        UserError: a file cannot be read or is not of a known form, or no question counts under the variant.
    """
    given = read_predictions(Path(predictions))
    questions = load_questions(gold, needs_answers=False, needs_passages=False)
    first = next(questions, None)
    if first is None:
        raise UserError("holds no question", file=gold, mend="bring the gold file of the questions you predicted on")
    notes = [] if given else [f"{predictions} holds no prediction"]
    report = score(
        _told(itertools.chain([first], questions), progress),
        given,
        metric=metric or metric_of(first),
        explain=explain,
        resamples=resamples,
        notes=notes,
    )
    asked, shared = int(report.values["questions"]), len(given) - int(report.values["unknown"])
    check_shared(asked, len(given), shared, file=predictions, what="questions")
    return report


def _told(questions: Iterable[Question], progress: Progress) -> Iterator[Question]:
    for number, question in enumerate(questions):
        if number % _EVERY == 0:
            progress("scoring", number, None)
        yield question
