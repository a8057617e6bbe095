"""The stages of one training: frozen layers first, another rate later."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedModel, set_seed

from ietool.core.contract import Task
from ietool.errors import UserError
from ietool.processes import is_main_process, process_count
from ietool.progress import TRAINING, Progress
from ietool.recipe import LARGEST, Recipe, Stage, TrainingSection
from ietool.runs.entry import CONFIG_FILE, WEIGHTS_FILE
from ietool.runs.folder import update_run
from ietool.training.adversarial import tables
from ietool.training.arguments import check_tensorboard, training_arguments
from ietool.training.optimiser import check_decay, checkpoint_activations, freeze
from ietool.training.reached import EpochRow, TrainState, last_checkpoint, read_progress
from ietool.training.saving import sync
from ietool.training.sets import TrainingSet
from ietool.training.trainer import IETrainer
from ietool.workflow.dev_scorer import DevScorer

OVERFIT_STEPS = 32
"""Steps of an epoch of ``--overfit``: a handful of records is repeated until it has so many."""
OVERFIT_TARGET = 0.98
"""The score at which ``--overfit`` is content. Records that no decoder can express (see the oracle recall that prepare
prints) may keep it lower; then it ends when the score no longer grows."""


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
    check_decay(model, training)
    if training.adversarial and not tables(model):
        raise UserError(
            "needs an encoder whose embeddings are trained",
            field="training.adversarial",
            mend="set training.adversarial=0 or training.frozen_layers=0",
        )
    if training.gradient_checkpointing:
        checkpoint_activations(model)


class Stages:
    """The stages of a training one after another, from the beginning or from the last complete checkpoint."""

    def __init__(
        self,
        task: Task[Any],
        recipe: Recipe,
        run: Path,
        data: TrainingSet,
        scorer: DevScorer,
        device: torch.device,
        precision: str,
        overfit: bool,
        on_epoch: Callable[[EpochRow], None],
        progress: Progress,
        deadline: float | None = None,
    ) -> None:
        self.deadline = deadline
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
        """Go back to the last complete checkpoint, and tell its rows again.

        Raises:
            UserError: it is damaged, or of another number of processes.
        """
        found = [last_checkpoint(self._folder(n)) for n in range(1, len(self.stages) + 1)]
        self.checkpoint = next((c for c in reversed(found) if c is not None), None)
        if self.checkpoint is not None:
            self.state = read_progress(self.checkpoint)
            began, now = len(self.state.losses), process_count()
            if began and began != now:  # epochs are counted in steps, of which other numbers of processes take others
                raise UserError(
                    f"was trained by {began} process{'es' * (began > 1)}, and would go on with {now}",
                    file=self.run, mend=f"start {began}, or train anew",
                )  # fmt: skip
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
            if self.deadline is not None and number > begin and time.monotonic() > self.deadline:
                return
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
                    model = reload_best(self.task, self.run, self._folder(number), self.recipe.training.seed + number)
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
                self.deadline,
                (sum(stage.epochs for stage in self.stages[: number - 1]), sum(stage.epochs for stage in self.stages)),
            )
            trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
        self.progress(TRAINING, 1, 1)  # which may have ended early

    def _epoch_done(self, row: EpochRow) -> None:
        self.state.metric = self.scorer.metric
        if row.best:
            update_run(self.run, best=best_row(self.state))
        self.on_epoch(row)


def reload_best(task: Task[Any], run: Path, stage: Path, seed: int) -> PreTrainedModel:
    """The best weights of the stages before. They are set aside when the stage begins, since an interrupted epoch may
    have replaced those of the run; the seed is set so that a resumed stage repeats an uninterrupted one."""
    begin = stage / "begin"
    if not begin.is_dir():
        part = stage / "begin.part"
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        for name in (CONFIG_FILE, WEIGHTS_FILE):
            shutil.copyfile(run / name, part / name)
        sync(part)
        os.replace(part, begin)
    set_seed(seed % (LARGEST + 1))
    return task.load_model(begin)


def best_row(state: TrainState) -> dict[str, Any]:
    """The row whose weights the run keeps: the last that was the best so far."""
    row = next((row for row in reversed(state.rows) if row.best), None)
    if row is None:
        return {}
    values = row.ema or row.raw or {}
    best = {"score": values["score"], "metric": state.metric, "stage": row.stage, "epoch": row.epoch}
    if "low" in values:
        best["interval"] = [values["low"], values["high"]]
    return best
