"""What a finished run said of dev, judged: by its kept candidates, or by what it kept of every item."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ietool.core.contract import Task
from ietool.core.intake import EVERY
from ietool.errors import WHOLE, UserError, cause
from ietool.files.lines import parse_json, read_lines
from ietool.progress import Progress
from ietool.recipe import Recipe
from ietool.recipe_io import load_recipe
from ietool.registry import get_task
from ietool.report.classes.study import Chances
from ietool.runs.entry import RECIPE_FILE, open_run
from ietool.runs.folder import DEV
from ietool.scoring.classes import MISSED, RIGHT, SPURIOUS, ErrorClasses
from ietool.scoring.prf import PRFScore
from ietool.scoring.report import Outcome, Report

OUTCOMES = "outcomes.jsonl"
RESAMPLES = 1000
"""Draws of the interval of a run's score."""

_VERDICTS = (RIGHT, SPURIOUS, MISSED, "duplicate")


@dataclass(frozen=True)
class JudgedRun:
    """What a run said of dev, judged.

    Attributes:
        examples: dev; None: what the run was prepared from is gone.
        predictions: beside them.
    """

    run: Path
    task: Task[Any]
    recipe: Recipe
    report: Report
    examples: Sequence[Any] | None = None
    predictions: Sequence[Any] = ()

    def chances(self, classes: ErrorClasses) -> Chances:
        """The probabilities of what it found; empty where only outcomes are left."""
        return {classes.key_of(n, one): classes.chances(one) for n, one in enumerate(self.predictions)}


def by_outcomes(one: JudgedRun) -> JudgedRun:
    """The same of what the run kept of every item."""
    best = open_run(one.run, weights=False).info.best or {}
    return JudgedRun(one.run, one.task, one.recipe, _kept(one.run, best))


def keys_of(judged: Sequence[JudgedRun]) -> list[Hashable]:
    """The texts of which any has kept something: of one that has no gold only who finds something there keeps it."""
    return list(dict.fromkeys(key for one in judged for key in one.report.keys))


def gold_texts(one: JudgedRun) -> set[Hashable] | None:
    """The texts that have gold, where they are told by outcomes alone."""
    if one.examples is not None:
        return None
    return {outcome.key for outcome in one.report.outcomes if outcome.verdict in (RIGHT, MISSED)}


def judged_run(run: Path, progress: Progress) -> JudgedRun:
    """What a finished run said of dev.

    Raises:
        UserError: it is no run, is not finished, or has kept nothing of dev.
    """
    entry = open_run(run, weights=False)
    recipe = load_recipe(run / RECIPE_FILE)
    task = get_task(recipe.task)
    if not (run / DEV / OUTCOMES).is_file():
        mend = "predict, and name files: ietool report GOLD RESULT"
        if entry.state != "finished":
            mend = f"finish its training, or {mend}"
        raise UserError(f"keeps no outcomes of dev ({entry.state})", file=run, mend=mend)
    decoded = _decoded(task, recipe, run, Path(entry.info.prepared), progress) if entry.info.prepared else None
    if decoded is None:
        return JudgedRun(run, task, recipe, _kept(run, entry.info.best or {}))
    gold, predictions = decoded
    report = task.evaluate(recipe, gold, predictions, resamples=RESAMPLES, outcomes=True)
    return JudgedRun(run, task, recipe, report, gold, predictions)


def _decoded(
    task: Task[Any], recipe: Recipe, run: Path, prepared: Path, progress: Progress
) -> tuple[Sequence[Any], Sequence[Any]] | None:
    """(dev, predictions) of the kept candidates; None where what they are of is gone or has changed."""
    from ietool.workflow.members import decoder_of_run
    from ietool.workflow.scores import model_mark, open_scores

    source = prepared / f"{DEV}.jsonl"
    if not source.is_file():
        return None
    try:
        decoder, _ = decoder_of_run(run, recipe)
        stored = open_scores(run / DEV, recipe=recipe, model=model_mark(run), source=source)
        gold = task.gold(prepared)
    except (UserError, OSError):  # an older or a changed run: its outcomes are all there is
        return None
    if len(gold) != len(stored):
        return None
    predictions = []
    for number, (item, found) in enumerate(zip(gold, stored, strict=True)):
        if number % EVERY == 0:
            progress("decoding", number, len(gold))
        predictions.append(decoder.decode(item, found, recipe.decode))
    return gold, predictions


def _kept(run: Path, best: Mapping[str, Any]) -> Report:
    """A report of what a run kept of every item of dev: its best score, and the counts of verdicts.

    Raises:
        UserError: naming the line that is damaged.
    """
    outcomes = list(_outcomes(run / DEV / OUTCOMES))
    counts = {verdict: sum(one.verdict == verdict for one in outcomes) for verdict in _VERDICTS}
    right, wrong, missed = (counts[verdict] for verdict in (RIGHT, SPURIOUS, MISSED))
    score = PRFScore(right, right + wrong, right, right + missed)
    values = {"score": float(best.get("score", score.f1)), "right": right, "spurious": wrong, "missed": missed}
    interval = best.get("interval")
    return Report(
        metric=str(best.get("metric", "")),
        definition="What the run kept of its dev set; the data that it was prepared from is gone or has changed.",
        values=values,
        primary="score",
        interval=(float(interval[0]), float(interval[1])) if interval else None,
        keys=list(dict.fromkeys(one.key for one in outcomes)),
        outcomes=outcomes,
    )


def check_outcomes(path: Path, report: Report, classes: ErrorClasses) -> None:
    """Raise UserError for outcomes that are none of the task's: a run may come from a stranger."""
    for line, one in enumerate(report.outcomes, 1):
        try:
            # As if it were right, spurious and missed, so that all is compared that may be.
            classes.of([replace(one, verdict=verdict) for verdict in (RIGHT, SPURIOUS, MISSED)])
            text = classes.text([one])
            told = [classes.words(one), classes.label(one), classes.title([one]), text, *classes.names(one)]
            for span, _ in (*classes.gold_spans([one], text), *classes.found_spans([one], text)):
                told.append(span[0])
            hash((one.key, classes.item(one), classes.error_of(one)))
            if not all(isinstance(value, str) for value in told):
                raise ValueError("it has values that are no strings")
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            what = f"{error} is missing" if isinstance(error, KeyError) else cause(error)
            raise UserError(f"is damaged ({what})", file=path, line=line, mend=WHOLE) from None


def _outcomes(path: Path) -> Iterator[Outcome]:
    """The outcomes of a file that :meth:`Outcome.record` wrote. Texts are told apart by their ids and characters."""
    fixed = {"text", "verdict", "rule", "other", "spans"}
    for file, number, line in read_lines(path):
        record = parse_json(line, file, number)
        try:
            item = {key: value for key, value in record.items() if key not in fixed}
            verdict = record["verdict"]
            if verdict not in _VERDICTS:  # of answers: the word of the scorer stands in its place
                item["verdict"] = verdict
                verdict = {"right": RIGHT, "no answer given": MISSED}.get(verdict, SPURIOUS)
            spans = [(str(role), int(start), int(end)) for role, start, end in record.get("spans", ())]
            other = record.get("other")
            if not isinstance(record["text"], str) or not isinstance(record["rule"], str):
                raise ValueError("text and rule are strings")
            key: Hashable = (str(item.get("text_id", item.get("id", ""))), record["text"])
            yield Outcome(key, record["text"], verdict, record["rule"], item, other, spans)
        except (KeyError, TypeError, ValueError) as error:
            raise UserError(f"is damaged ({cause(error)})", file=file, line=number, mend=WHOLE) from None
