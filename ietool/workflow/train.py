"""Train a recipe on a prepared folder: stages, the best weights kept, resumed where it stopped."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedModel, set_seed
from transformers.utils import logging as transformers_logging

from ietool.core.contract import Task
from ietool.errors import UserError
from ietool.prepared import corpus_of
from ietool.processes import is_main_process
from ietool.progress import Progress, no_progress
from ietool.recipe import Recipe, pretrained_of
from ietool.recipe_io import load_recipe, save_recipe
from ietool.registry import get_task
from ietool.report.card import write_card
from ietool.runs import RECIPE_FILE, create_run, model_files, open_run, training_in, unfinished_run, update_run
from ietool.training.device import choose_device, choose_precision, confine
from ietool.training.reached import EpochRow
from ietool.workflow.dev_scorer import DevScorer, keep_dev
from ietool.workflow.stages import OVERFIT_TARGET, Stages, best_row, make_ready


@dataclass(frozen=True)
class Trained:
    """A finished training: ``best`` has score, metric, stage and epoch, ``fitted`` says how a self-check went, else
    None, ``tuned`` are the settings of ``decode`` that were found on dev."""

    run: Path
    best: dict[str, Any]
    rows: list[EpochRow]
    fitted: bool | None = None
    tuned: Sequence[str] = ()


def train(
    recipe: Recipe,
    *,
    prepared: Path | None,
    output: Path | None = None,
    device: str = "auto",
    resume: bool = False,
    overfit: int | None = None,
    overwrite: bool = False,
    on_epoch: Callable[[EpochRow], None] = lambda row: None,
    progress: Progress = no_progress,
) -> Trained:
    """Train and keep the best weights in a run folder.

    Args:
        prepared: from :func:`ietool.workflow.prepare.prepare`; may be None with ``resume``.
        output: the run folder; default: a new one under ``runs/``.
        resume: go on from the last complete checkpoint of ``output``, or of the recipe's latest unfinished run, with
            the recipe and the data that it began with.
        overfit: train on so many records, and score on them, until they are fitted.

    Raises:
        UserError: the device or the run folder will not do.
    """
    transformers_logging.disable_progress_bar()  # the library's own bars would break our table
    chosen = confine(choose_device(device))
    if resume:
        run: Path | None = output or unfinished_run(recipe.name)
        assert run is not None
        recipe, prepared, overfit, precision = _begun(run)
        task = get_task(recipe.task)
    else:
        task = get_task(recipe.task)
        if overfit is not None:
            recipe = task.overfitting(recipe, overfit)
        task.check(recipe)
        precision = choose_precision(recipe.training.precision, chosen)
        run = None
    if prepared is None:
        raise ValueError("a new run needs a prepared folder")
    set_seed(recipe.training.seed)
    data = task.training_set(recipe, prepared, rows=None if overfit is None else range(overfit))
    model = _build(task, recipe, prepared, progress, dropout=overfit is None)
    if run is None:  # only now: what cannot be trained leaves no run behind, and overwrites none
        run = _new_run(recipe, output, chosen, overwrite=overwrite)
    gold = task.gold(prepared, "dev" if overfit is None else "train", overfit)
    scorer = DevScorer(task, recipe, gold, prepared, precision, tunes=overfit is None)
    with training_in(run) if is_main_process() else nullcontext():
        if is_main_process():
            task.save_assets(recipe, prepared, run)
            # A resumed run may stand elsewhere than it began: what was known of the encoder then still holds.
            base = open_run(run, weights=False).info.base_model or _base_model(recipe)
            update_run(
                run,
                state="training",
                precision=precision,
                prepared=str(prepared.resolve()),
                overfit=overfit,
                base_model=base,
                corpus=corpus_of(prepared),
            )
        stages = Stages(task, recipe, run, data, scorer, chosen, precision, overfit is not None, on_epoch, progress)
        if resume:
            stages.rewind()
        try:
            stages.go(model)
        except KeyboardInterrupt:
            if is_main_process():
                update_run(run, state="interrupted")
            raise
        tuned = _finish(stages, chosen) if is_main_process() else ()
    best = best_row(stages.state)
    fitted = None if overfit is None else best.get("score", 0.0) >= OVERFIT_TARGET
    return Trained(run, best, stages.state.rows, fitted, tuned)


def _build(task: Task[Any], recipe: Recipe, prepared: Path, progress: Progress, *, dropout: bool) -> PreTrainedModel:
    """A fresh model, ready to train; a self-check wants no dropout."""
    progress("make the model", 0, None)  # which may mean fetching an encoder from the hub
    model = task.build_model(recipe, prepared)
    for module in model.modules() if not dropout else ():
        if isinstance(module, nn.Dropout):  # pretrained encoders bring their own
            module.p = 0.0
    make_ready(model, recipe.training)
    progress("make the model", 1, 1)
    return model


def _finish(stages: Stages, device: torch.device) -> Sequence[str]:
    """Write what a run has when its stages are over: settings found on dev, which it gives, what the best weights say
    of dev, its state and its card."""
    run, best, scorer = stages.run, best_row(stages.state), stages.scorer
    tuned: Sequence[str] = ()
    if best and stages.stop_at is None:
        model = stages.task.load_model(run).to(device).eval()  # type: ignore[arg-type]
        if scorer.tunes:
            tuned = scorer.tune(model)
            save_recipe(load_recipe(str(run / RECIPE_FILE), tuned), run / RECIPE_FILE)
        keep_dev(scorer, model, run, tuned, stages.progress)
    shutil.rmtree(stages.checkpoints, ignore_errors=True)
    update_run(run, state="finished", best=best, tuned=list(tuned))
    if best:
        write_card(run)
        update_run(run, files=model_files(run))
    return tuned


def _base_model(recipe: Recipe) -> str | None:
    """The hub id of the encoder that training starts from; None if it comes from a folder, or starts from nothing."""
    encoder = pretrained_of(recipe)
    return None if encoder is None or Path(encoder.name).exists() else encoder.name


def _begun(run: Path) -> tuple[Recipe, Path, int | None, str]:
    """What an unfinished run began with: recipe, prepared folder, ``overfit``, precision.

    Raises UserError if it cannot go on.
    """
    entry = open_run(run, weights=False)
    if entry.state == "finished":
        raise UserError("is finished already", file=run, mend="leave out --resume to train anew")
    info = entry.info
    prepared = Path(info.prepared)
    if not info.prepared or not prepared.is_dir():
        raise UserError("cannot go on: its prepared data is gone", file=run, mend="leave out --resume to train anew")
    return load_recipe(str(run / RECIPE_FILE)), prepared, info.overfit, info.precision


def _new_run(recipe: Recipe, output: Path | None, device: torch.device, *, overwrite: bool) -> Path:
    if is_main_process():
        return create_run(recipe, output, device=str(device), overwrite=overwrite)
    if output is None:
        raise UserError("several processes need one run folder", field="--output", mend="add --output DIR")
    return output
