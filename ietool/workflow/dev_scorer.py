"""The score of a model on dev, after each epoch; and what is kept of dev when a training is over."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from transformers import PreTrainedModel

from ietool.core.candidate_files import write_candidates
from ietool.core.candidates import Candidates, Floor, Layout
from ietool.core.contract import Task
from ietool.core.predicting import Predictor
from ietool.files.outputs import atomic_text
from ietool.files.plain_json import dump_json
from ietool.progress import Progress
from ietool.recipe import Recipe
from ietool.recipe_io import change_recipe
from ietool.runs.folder import DEV
from ietool.scoring.report import Report
from ietool.training.device import autocast
from ietool.workflow.scores import about_scores, file_mark, floor_below

RESAMPLES = 1000
"""Draws of the bootstrap interval of a dev score."""


class DevScorer:
    """Scores a model on the dev set by the recipe's official variant, whose name it learns from the first report."""

    def __init__(
        self, task: Task[Any], recipe: Recipe, gold: Sequence[Any], assets: Path, precision: str, *, tunes: bool = True
    ) -> None:
        self.task, self.recipe, self.gold = task, recipe, gold
        self.assets, self.precision, self.metric = assets, precision, ""
        self.tunes = tunes and task.tunes(recipe, gold)

    def tune(self, model: PreTrainedModel) -> Sequence[str]:
        """Settings of ``decode`` that dev likes best with these weights."""
        predictions, _ = self._predict(model)
        return self.task.tune(self.recipe, self.gold, predictions)

    def _predict(self, model: PreTrainedModel) -> tuple[list[Any], Predictor[Any, Any]]:
        predictor = self.task.predictor(self.recipe, model, self.assets)
        with autocast(model.device, self.precision):
            return list(predictor.predict(self.gold)), predictor

    def __call__(self, model: PreTrainedModel) -> tuple[dict[str, float], str]:
        predictions, predictor = self._predict(model)
        recipe = self.recipe
        if self.tunes:  # the epoch is chosen by what the run will score with the settings that it is given in the end
            recipe = change_recipe(recipe, self.task.tune(recipe, self.gold, predictions))
            predictions = list(self.task.retold(recipe, predictions))
        report = self.task.evaluate(recipe, self.gold, predictions, resamples=RESAMPLES)
        self.metric = report.metric
        shown = [key for _, key in self.task.epoch_scores]
        values = {key: float(report.values[key]) for key in shown if key in report.values}
        values["score"] = float(report.values[report.primary])
        if report.interval is not None:
            values["low"], values["high"] = report.interval
        note = ""
        if not any(map(self.task.found, predictions)):
            note = f"nothing above the thresholds; highest probability {predictor.highest_probability:.3f}"
        return values, note


def keep_dev(scorer: DevScorer, model: PreTrainedModel, run: Path, tuned: Sequence[str], progress: Progress) -> None:
    """Write what a finished run says of dev into its folder ``dev``: candidates above the least floor or the recipe's
    thresholds, what became of every item (``outcomes.jsonl``) and the counts of every text (``counts.npy``), by which
    runs are compared."""
    task, recipe = scorer.task, change_recipe(scorer.recipe, tuned) if tuned else scorer.recipe
    reader, decoder = task.reader(recipe, model, scorer.assets), task.decoder(recipe, scorer.assets)
    floor = floor_below(reader, decoder, recipe.decode)
    predictions: list[Any] = []

    def read() -> Iterator[Candidates]:
        for item, found in reader.propose(scorer.gold, floor=floor):
            predictions.append(decoder.decode(item, found, recipe.decode))
            if len(predictions) % 64 == 0:
                progress("candidates of dev", len(predictions), len(scorer.gold))
            yield found
        progress("candidates of dev", len(predictions), len(predictions))

    about = about_scores(recipe, run, DEV, file_mark(scorer.assets / f"{DEV}.jsonl"))

    def judged() -> Report:
        return task.evaluate(recipe, scorer.gold, predictions, outcomes=True)

    with autocast(model.device, scorer.precision):
        write_dev(run, judged, (reader.layout, floor, read(), about))


def write_dev(
    run: Path,
    judged: Callable[[], Report],
    kept: tuple[Layout, Floor, Iterable[Candidates], Mapping[str, Any]] | None,
) -> None:
    """Write the folder ``dev`` of a run.

    Args:
        judged: gives a report with outcomes when the candidates are written.
        kept: layout, floor, candidates, and what they say of themselves; None: there are none.
    """
    part = run / f".{DEV}.part"
    shutil.rmtree(part, ignore_errors=True)
    if kept is not None:
        write_candidates(part, *kept)
    part.mkdir(exist_ok=True)
    report = judged()
    with atomic_text(part / "outcomes.jsonl") as out:
        for outcome in report.outcomes:
            out.write(dump_json(outcome.record()) + "\n")
    if report.counts is not None:
        np.save(part / "counts.npy", report.counts)
    shutil.rmtree(run / DEV, ignore_errors=True)
    part.rename(run / DEV)
