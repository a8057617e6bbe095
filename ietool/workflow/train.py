"""Train a recipe on a prepared folder: stages, the best weights kept, resumed where it stopped."""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedModel, set_seed
from transformers.utils import logging as transformers_logging

from ietool.errors import UserError
from ietool.recipe import Recipe, Stage
from ietool.runs import create_run, open_run, unfinished_run, update_run
from ietool.tasks.base import Progress, Task, no_progress
from ietool.tasks.registry import get_task
from ietool.training.device import choose_device, choose_precision
from ietool.training.trainer import (
    EpochRow,
    Evaluate,
    IETrainer,
    TrainState,
    last_checkpoint,
    read_progress,
    training_arguments,
)

OVERFIT_TARGET = 0.98
"""The score at which ``--overfit`` is content: the few records that no decoder can express may be among them."""


@dataclass(frozen=True)
class Outcome:
    """A finished training; ``best`` has score, metric, stage and epoch."""

    run: Path
    best: dict[str, Any]
    rows: list[EpochRow]


def train(
    recipe: Recipe,
    *,
    prepared: Path,
    output: Path | None = None,
    device: str = "auto",
    resume: bool = False,
    overfit: int | None = None,
    overwrite: bool = False,
    on_epoch: Callable[[EpochRow], None] = lambda row: None,
    progress: Progress = no_progress,
) -> Outcome:
    """Train and keep the best weights in a run folder.

    Args:
        prepared: from :func:`ietool.workflow.prepare.prepare`.
        output: the run folder; default: a new one under ``runs/``.
        resume: go on from the last complete checkpoint of ``output``, or of the recipe's latest unfinished run.
        overfit: train on so many records, and score on them, until they are fitted.

    Raises:
        UserError: the device or the run folder will not do.
    """
    transformers_logging.disable_progress_bar()  # the library's own bars would break our table
    task = get_task(recipe.task)
    if overfit is not None:
        recipe = task.overfitting(recipe)
    chosen = choose_device(device)
    main = int(os.environ.get("RANK", "0")) == 0
    run = _run_folder(recipe, output, chosen, resume=resume, overwrite=overwrite, main=main)
    precision = choose_precision(recipe.training.precision, chosen)
    checkpoints = run / "checkpoints"
    if resume and open_run(run, weights=False).state == "finished":
        raise UserError("is finished already", file=run, mend="leave out --resume to train anew")
    set_seed(recipe.training.seed)
    data = task.training_set(recipe, prepared, limit=overfit)
    split = "train" if overfit is not None else "dev"
    inputs, gold = task.dev_set(recipe, prepared, split=split, limit=overfit)
    model = task.build_model(recipe, prepared)
    if main:
        task.save_assets(recipe, prepared, run)
        update_run(run, extra={"precision": precision, "prepared": str(prepared.resolve()), "overfit": overfit})
    evaluate = _evaluator(task, recipe, inputs, gold, prepared)

    first = Stage(epochs=recipe.training.epochs, learning_rate=recipe.training.learning_rate)
    stages = [first] if overfit is not None else [first, *recipe.training.later_stages]
    state, checkpoint = TrainState(), None
    if resume:
        found = [last_checkpoint(checkpoints / f"stage-{n}") for n in range(1, len(stages) + 1)]
        checkpoint = next((c for c in reversed(found) if c is not None), None)
        if checkpoint is not None:
            state = read_progress(checkpoint)
            for row in state.rows:
                on_epoch(row)
    try:
        for number in range(state.stage, len(stages) + 1):
            resumed = checkpoint if number == state.stage else None
            if number > 1 and resumed is None:
                model = _reload(task, run, recipe.training.seed + number)
            state.stage = number
            _stage(recipe, model, data, stages[number - 1], state, run, evaluate, on_epoch, progress, chosen, precision, resumed, overfit)
    except KeyboardInterrupt:
        if main:
            update_run(run, state="interrupted")
        raise
    best = _best(state, recipe, evaluate)
    if main:
        update_run(run, state="finished", best=best)
        shutil.rmtree(checkpoints, ignore_errors=True)
    return Outcome(run, best, state.rows)


def _run_folder(
    recipe: Recipe, output: Path | None, device: torch.device, *, resume: bool, overwrite: bool, main: bool
) -> Path:
    if resume:
        run = output or unfinished_run(recipe.name)
        open_run(run, weights=False)
        if main:
            update_run(run, state="training")
        return run
    if not main:
        if output is None:
            raise UserError("several processes need one run folder", field="--output", mend="add --output DIR")
        return output
    return create_run(recipe, output, device=str(device), overwrite=overwrite)


def _stage(
    recipe: Recipe,
    model: PreTrainedModel,
    data: Any,
    stage: Stage,
    state: TrainState,
    run: Path,
    evaluate: Evaluate,
    on_epoch: Callable[[EpochRow], None],
    progress: Progress,
    device: torch.device,
    precision: str,
    checkpoint: Path | None,
    overfit: int | None,
) -> None:
    arguments = training_arguments(
        recipe.training,
        run / "checkpoints" / f"stage-{state.stage}",
        items=len(data),
        epochs=stage.epochs,
        learning_rate=stage.learning_rate,
        warm=state.stage == 1,
        device=device,
        precision=precision,
    )
    stop_at = OVERFIT_TARGET if overfit is not None else None
    trainer = IETrainer(
        model, arguments, data, recipe.training, state, run, evaluate, on_epoch, progress, stop_at
    )
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)


def _reload(task: Task, run: Path, seed: int) -> PreTrainedModel:
    """The best weights so far; the seed is set so that a resumed later stage repeats an uninterrupted one."""
    set_seed(seed)
    return task.load_model(run)


def _evaluator(task: Task, recipe: Recipe, inputs: Any, gold: Any, assets: Path) -> Evaluate:
    """Scores a model by the recipe's official variant."""

    def evaluate(model: PreTrainedModel) -> tuple[dict[str, float], str]:
        predictor = task.predictor(recipe, model, assets)
        predictions = list(predictor.predict(inputs))
        report = task.evaluate(recipe, gold, predictions)
        values = {key: float(report.values[key]) for key in ("precision", "recall", "f1") if key in report.values}
        values["score"] = float(report.values[report.primary])
        evaluate.metric = report.metric  # type: ignore[attr-defined]
        note = ""
        if not any(task.is_found(p) for p in predictions):
            note = f"nothing above the thresholds; highest probability {predictor.highest_probability:.3f}"
        return values, note

    return evaluate


def _best(state: TrainState, recipe: Recipe, evaluate: Evaluate) -> dict[str, Any]:
    row = max((r for r in state.rows if r.best), key=lambda r: (r.ema or r.raw or {}).get("score", -math.inf), default=None)
    if row is None:
        return {}
    values = row.ema or row.raw or {}
    metric = getattr(evaluate, "metric", getattr(recipe.score, "metric", ""))
    return {"score": values["score"], "metric": metric, "stage": row.stage, "epoch": row.epoch}
