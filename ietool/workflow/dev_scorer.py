"""The score of a model on dev, after each epoch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from transformers import PreTrainedModel

from ietool.core.contract import Predictor, Task
from ietool.recipe import Recipe
from ietool.recipe_io import change_recipe
from ietool.training.device import autocast

RESAMPLES = 1000
"""Draws of the bootstrap interval of a dev score."""


class DevScorer:
    """Scores a model on the dev set by the recipe's official variant, whose name it learns from the first report."""

    def __init__(
        self, task: Task, recipe: Recipe, inputs: Any, gold: Any, assets: Path, precision: str, *, tunes: bool = True
    ) -> None:
        self.task, self.recipe, self.inputs, self.gold = task, recipe, inputs, gold
        self.assets, self.precision, self.metric = assets, precision, ""
        self.tunes = tunes and task.tunes(recipe, gold)

    def tune(self, model: PreTrainedModel) -> Sequence[str]:
        """Settings of ``decode`` that dev likes best with these weights."""
        predictions, _ = self._predict(model)
        return self.task.tune(self.recipe, self.gold, predictions)

    def _predict(self, model: PreTrainedModel) -> tuple[list[Any], Predictor]:
        predictor = self.task.predictor(self.recipe, model, self.assets)
        with autocast(model.device, self.precision):
            return list(predictor.predict(self.inputs)), predictor

    def __call__(self, model: PreTrainedModel) -> tuple[dict[str, float], str]:
        predictions, predictor = self._predict(model)
        recipe = self.recipe
        if self.tunes:  # the epoch is chosen by what the run will score with the settings that it is given in the end
            recipe = change_recipe(recipe, self.task.tune(recipe, self.gold, predictions))
        report = self.task.evaluate(recipe, self.gold, predictions, resamples=RESAMPLES)
        self.metric = report.metric
        shown = [key for _, key in self.task.epoch_scores]
        values = {key: float(report.values[key]) for key in shown if key in report.values}
        values["score"] = float(report.values[report.primary])
        if report.interval is not None:
            values["low"], values["high"] = report.interval
        note = ""
        if not any(self.task.is_found(p) for p in predictions):
            note = f"nothing above the thresholds; highest probability {predictor.highest_probability:.3f}"
        return values, note
