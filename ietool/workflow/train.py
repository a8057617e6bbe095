"""Train a recipe on a prepared folder: stages, the best weights kept, resumed where it stopped."""

from __future__ import annotations

import os
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

from ietool.errors import UserError
from ietool.processes import is_main_process
from ietool.recipe import Recipe, Stage, TrainingSection
from ietool.recipe_io import load_recipe, save_recipe
from ietool.report.card import write_card
from ietool.runs import (
    RECIPE_FILE,
    WEIGHTS_FILE,
    create_run,
    model_files,
    open_run,
    training_in,
    unfinished_run,
    update_run,
)
from ietool.tasks.base import Progress, Task, TrainingSet, no_progress
from ietool.tasks.registry import get_task
from ietool.text.units import DGCNN
from ietool.training.adversarial import tables
from ietool.training.arguments import check_tensorboard, training_arguments
from ietool.training.device import choose_device, choose_precision, confine
from ietool.training.optimiser import checkpoint_activations, freeze
from ietool.training.trainer import (
    EpochRow,
    IETrainer,
    TrainState,
    last_checkpoint,
    read_progress,
)
from ietool.workflow.dev_scorer import DevScorer
from ietool.workflow.prepare import corpus_of

OVERFIT_TARGET = 0.98
"""The score at which ``--overfit`` is content. Records that no decoder can express (see the oracle recall that prepare
prints) may keep it lower; then it ends when the score no longer grows."""


@dataclass(frozen=True)
class Outcome:
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
) -> Outcome:
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
    data = task.training_set(recipe, prepared, limit=overfit)
    progress("make the model", 0, None)  # which may mean fetching an encoder from the hub
    model = task.build_model(recipe, prepared)
    if overfit is not None:
        for module in model.modules():
            if isinstance(module, nn.Dropout):  # pretrained encoders bring their own
                module.p = 0.0
    make_ready(model, recipe.training)
    progress("make the model", 1, 1)
    if run is None:  # only now: what cannot be trained leaves no run behind, and overwrites none
        run = _new_run(recipe, output, chosen, overwrite=overwrite)
    inputs, gold = task.dev_set(recipe, prepared, split="dev" if overfit is None else "train", limit=overfit)
    scorer = DevScorer(task, recipe, inputs, gold, prepared, precision, tunes=overfit is None)
    with training_in(run) if is_main_process() else nullcontext():
        if is_main_process():
            task.save_assets(recipe, prepared, run)
            extra: dict[str, Any] = {"precision": precision, "prepared": str(prepared.resolve()), "overfit": overfit}
            known = open_run(run, weights=False).info.extra if resume else {}
            extra["base_model"] = known["base_model"] if "base_model" in known else _base_model(recipe)
            extra["corpus"] = corpus_of(prepared)
            update_run(run, state="training", extra=extra)
        stages = _Stages(task, recipe, run, data, scorer, chosen, precision, overfit is not None, on_epoch, progress)
        if resume:
            stages.rewind()
        try:
            stages.go(model)
        except KeyboardInterrupt:
            if is_main_process():
                update_run(run, state="interrupted")
            raise
        best = _best(stages.state)
        tuned: Sequence[str] = ()
        if is_main_process():
            if best and scorer.tunes:
                tuned = scorer.tune(task.load_model(run).to(chosen).eval())  # type: ignore[arg-type]
                save_recipe(load_recipe(str(run / RECIPE_FILE), tuned), run / RECIPE_FILE)
            shutil.rmtree(stages.checkpoints, ignore_errors=True)
            info = update_run(run, state="finished", best=best)
            if best:
                info = update_run(run, extra=info.extra | {"tuned": list(tuned)})
                write_card(run)
                update_run(run, extra=info.extra | {"files": model_files(run)})
    fitted = None if overfit is None else best.get("score", 0.0) >= OVERFIT_TARGET
    return Outcome(run, best, stages.state.rows, fitted, tuned)


def _base_model(recipe: Recipe) -> str | None:
    """The hub id of the encoder that training starts from; None if it comes from a folder, or starts from nothing."""
    encoder = getattr(getattr(recipe, "model", None), "encoder", DGCNN)
    return None if encoder == DGCNN or Path(encoder).exists() else str(encoder)


def make_ready(model: PreTrainedModel, training: TrainingSection) -> None:
    """Freeze and set up a model as its recipe wants it trained.

    Raises:
        UserError: the recipe wants what cannot be had with this model.
    """
    if training.tensorboard:
        check_tensorboard()
    if training.r_drop and not hasattr(model, "divergence"):
        raise UserError("is not to be had with this model", field="training.r_drop", mend="set training.r_drop=0")
    freeze(model, training.frozen_layers)
    if training.adversarial and not tables(model):
        raise UserError(
            "needs an encoder whose embeddings are trained",
            field="training.adversarial",
            mend="set training.adversarial=0 or training.frozen_layers=0",
        )
    if training.gradient_checkpointing:
        checkpoint_activations(model)


class _Stages:
    """The stages of a training one after another, from the beginning or from the last complete checkpoint."""

    def __init__(
        self,
        task: Task,
        recipe: Recipe,
        run: Path,
        data: TrainingSet,
        scorer: DevScorer,
        device: torch.device,
        precision: str,
        overfit: bool,
        on_epoch: Callable[[EpochRow], None],
        progress: Progress,
    ) -> None:
        self.task, self.recipe, self.run, self.data, self.scorer = task, recipe, run, data, scorer
        self.device, self.precision, self.on_epoch, self.progress = device, precision, on_epoch, progress
        first = Stage(epochs=recipe.training.epochs, learning_rate=recipe.training.learning_rate)
        self.stages = [first] if overfit else [first, *recipe.training.later_stages]
        self.stop_at = OVERFIT_TARGET if overfit else None
        self.checkpoints = run / "checkpoints"
        self.state = TrainState()
        self.checkpoint: Path | None = None

    def _folder(self, number: int) -> Path:
        return self.checkpoints / f"stage-{number}"

    def rewind(self) -> None:
        """Go back to the last complete checkpoint, and tell its rows again."""
        found = [last_checkpoint(self._folder(n)) for n in range(1, len(self.stages) + 1)]
        self.checkpoint = next((c for c in reversed(found) if c is not None), None)
        if self.checkpoint is not None:
            self.state = read_progress(self.checkpoint)
            for row in self.state.rows if is_main_process() else ():
                self.on_epoch(row)

    def go(self, model: PreTrainedModel) -> None:
        """Train all stages that are left; ``model`` is a fresh one."""
        begin = self.state.stage
        for number in range(begin, len(self.stages) + 1):
            checkpoint = self.checkpoint if number == begin else None
            self.state.stage = number
            if checkpoint is not None and self.state.stopped:
                continue  # it had stopped early, just before the interruption
            self.state.stopped = False
            arguments = training_arguments(
                self.recipe.training,
                self._folder(number),
                items=len(self.data),
                epochs=self.stages[number - 1].epochs,
                learning_rate=self.stages[number - 1].learning_rate,
                warm=number == 1,
                device=self.device,
                precision=self.precision,
            )
            if arguments.n_gpu > 1:  # the Trainer would cut a batch's lists of targets in two
                raise UserError(
                    f"this process sees {arguments.n_gpu} GPUs",
                    field="--device", mend="set CUDA_VISIBLE_DEVICES=0, or start it with torchrun",
                )  # fmt: skip
            if number > 1:
                with arguments.main_process_first(local=False):  # it sets the weights aside, the others find them
                    model = _reload(self.task, self.run, self._folder(number), self.recipe.training.seed + number)
                make_ready(model, self.recipe.training)
            trainer = IETrainer(
                model,
                arguments,
                self.data,
                self.recipe.training,
                self.state,
                self.run,
                self.scorer,
                self._epoch_done,
                self.progress,
                self.stop_at,
            )
            trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)

    def _epoch_done(self, row: EpochRow) -> None:
        self.state.metric = self.scorer.metric
        if row.best:
            update_run(self.run, best=_best(self.state))
        self.on_epoch(row)


def _begun(run: Path) -> tuple[Recipe, Path, int | None, str]:
    """What an unfinished run began with: recipe, prepared folder, ``overfit``, precision.

    Raises UserError if it cannot go on.
    """
    entry = open_run(run, weights=False)
    if entry.state == "finished":
        raise UserError("is finished already", file=run, mend="leave out --resume to train anew")
    prepared = Path(str(entry.info.extra.get("prepared", "")))
    if not entry.info.extra or not prepared.is_dir():
        raise UserError("cannot go on: its prepared data is gone", file=run, mend="leave out --resume to train anew")
    extra = entry.info.extra
    return load_recipe(str(run / RECIPE_FILE)), prepared, extra.get("overfit"), str(extra["precision"])


def _new_run(recipe: Recipe, output: Path | None, device: torch.device, *, overwrite: bool) -> Path:
    if is_main_process():
        return create_run(recipe, output, device=str(device), overwrite=overwrite)
    if output is None:
        raise UserError("several processes need one run folder", field="--output", mend="add --output DIR")
    return output


def _reload(task: Task, run: Path, stage: Path, seed: int) -> PreTrainedModel:
    """The best weights of the stages before. They are set aside when the stage begins, since an interrupted epoch may
    have replaced those of the run; the seed is set so that a resumed stage repeats an uninterrupted one."""
    begin = stage / "begin"
    if not begin.is_dir():
        part = stage / "begin.part"
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        for name in ("config.json", WEIGHTS_FILE):
            shutil.copyfile(run / name, part / name)
        os.replace(part, begin)
    set_seed(seed)
    return task.load_model(begin)


def _best(state: TrainState) -> dict[str, Any]:
    """The row whose weights the run keeps: the last that was the best so far."""
    row = next((row for row in reversed(state.rows) if row.best), None)
    if row is None:
        return {}
    values = row.ema or row.raw or {}
    best = {"score": values["score"], "metric": state.metric, "stage": row.stage, "epoch": row.epoch}
    if "low" in values:
        best["interval"] = [values["low"], values["high"]]
    return best
