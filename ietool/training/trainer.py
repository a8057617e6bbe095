"""The bridge to ``transformers.Trainer``: our batches, our evaluation, the averaged weights, exact resumption."""

from __future__ import annotations

import math
import os
import shutil
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from accelerate.utils import broadcast_object_list
from safetensors.torch import load_file, save_file
from torch.utils.data import Sampler
from transformers import PreTrainedModel, Trainer, TrainingArguments
from transformers.trainer_callback import PrinterCallback, TrainerControl

from ietool.progress import Progress
from ietool.recipe import TrainingSection
from ietool.runs.folder import LOGS
from ietool.training.adversarial import disturbed
from ietool.training.arguments import tensorboard
from ietool.training.callbacks import Patience, Steps
from ietool.training.compiling import compile_layers, uncompiled
from ietool.training.device import repeatable, tf32
from ietool.training.ema import make_ema
from ietool.training.finite import Watch
from ietool.training.optimiser import parameter_groups
from ietool.training.reached import PROGRESS_FILE, EpochRow, TrainState, write_rows
from ietool.training.sampler import EpochSampler, Items, LengthBucketSampler
from ietool.training.saving import save_weights, sync
from ietool.training.sets import TrainingSet
from ietool.training.workers import draw_as_ever, let_go

Evaluate = Callable[[PreTrainedModel], tuple[dict[str, float], str]]
"""Scores a model on the dev set: (values with ``score`` as the primary one, a remark for the table)."""

_EMA = "ema.safetensors"


class IETrainer(Trainer):
    """A Trainer for one stage.

    Args:
        model: trained in place.
        arguments: from :func:`training_arguments`.
        data: the training set.
        section: the recipe's training section.
        state: rows and best score so far; shared by the stages.
        run: folder that gets the best weights.
        evaluate_model: called on the main process after each epoch, for the raw and for the averaged weights.
        on_epoch: told of each row, on the main process.
        progress: told of each step, on the main process.
        stop_at: stop the stage as soon as the score reaches this.
        deadline: stop it as soon as ``time.monotonic()`` is beyond this.
        epochs_of_all: of the stages before this one, and of all stages; None: this one is all.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        arguments: TrainingArguments,
        data: TrainingSet,
        section: TrainingSection,
        state: TrainState,
        run: Path,
        evaluate_model: Evaluate,
        on_epoch: Callable[[EpochRow], None],
        progress: Progress,
        stop_at: float | None = None,
        deadline: float | None = None,
        epochs_of_all: tuple[int, int] | None = None,
    ) -> None:
        self.deadline, self.epochs_of_all = deadline, epochs_of_all
        self.data, self.section, self.train_state, self.run = data, section, state, run
        self.evaluate_model, self.on_epoch_row, self.progress, self.stop_at = (
            evaluate_model,
            on_epoch,
            progress,
            stop_at,
        )
        self.epoch_begin, self.first_step = time.monotonic(), 0
        self.carried: tuple[float, int] | None = None
        self.sampler: EpochSampler | None = None
        if section.compile:
            compile_layers(model)
        # The parent insists on an evaluation set; ours is scored by :meth:`evaluate`.
        super().__init__(
            model=model,
            args=arguments,
            train_dataset=Items(data),
            eval_dataset=Items(data),
            data_collator=data.collate,  # type: ignore[arg-type]
        )
        self.remove_callback(PrinterCallback)
        if section.tensorboard and self.is_world_process_zero():
            self.add_callback(tensorboard(run / LOGS / f"stage-{state.stage}"))
        self.ema = make_ema(self.model, section.ema_decay) if section.ema_decay else None
        precision = "fp16" if arguments.fp16 else "bf16" if arguments.bf16 else "fp32"
        self.watch = Watch(arguments.device, section, arguments.learning_rate, precision)
        quiet: Progress = lambda step, done, total: None  # noqa: E731
        self.add_callback(Steps(self, progress if self.is_world_process_zero() else quiet))
        if section.patience:
            self.add_callback(Patience(early_stopping_patience=section.patience))

    # -- batches

    def train(self, *args: Any, **kwargs: Any) -> Any:
        """The parent's; whatever ends it, the processes that made batches end too."""
        try:
            with repeatable(self.args.device):
                return super().train(*args, **kwargs)
        finally:
            let_go(self.callback_handler.train_dataloader)

    def _get_train_sampler(self, train_dataset: Any = None) -> Sampler[tuple[int, int]]:
        places = LengthBucketSampler(self._items_per_step(), self.data.lengths, self.section.seed)
        # Every stage draws its own samples.
        self.sampler = EpochSampler(places, first=(self.train_state.stage - 1) * 10_000)
        return self.sampler

    def _items_per_step(self) -> int:
        return int(self.args.train_batch_size * self.args.gradient_accumulation_steps * self.args.world_size)

    def begin_epoch(self, epoch: int) -> None:
        draw_as_ever(self.callback_handler.train_dataloader)
        if self.sampler is not None:
            self.sampler.set_epoch(epoch)  # behind the batches that a resumed epoch skips nobody else reaches it
        if self.carried is not None:
            self._tr_loss += self.carried[0]
            self._globalstep_last_logged -= self.carried[1]
            self.carried = None
        self.epoch_begin, self.first_step = time.monotonic(), self.state.global_step

    # -- steps

    def create_optimizer(self, model: Any = None) -> torch.optim.Optimizer:
        kind, settings = self.get_optimizer_cls_and_kwargs(self.args, self.model)
        later = self.train_state.stage > 1
        groups = parameter_groups(self.model, self.section, self.args.learning_rate, later=later)
        self.optimizer: Any = kind(groups, **settings)
        made: torch.optim.Optimizer = self.optimizer
        return made

    def compute_loss(self, model: Any, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        """The model's loss; with R-Drop the mean of two passes plus what divides them."""
        if not self.section.r_drop:
            return super().compute_loss(model, inputs, *args, **kwargs)
        first, second = model(**inputs), model(**inputs)
        apart = self.accelerator.unwrap_model(model).divergence(first, second)
        return (first["loss"] + second["loss"]) / 2 + self.section.r_drop * apart

    def training_step(self, model: Any, inputs: Any, *args: Any, **kwargs: Any) -> torch.Tensor:
        with tf32(self.args.device, self.section.tf32):
            loss = super().training_step(model, inputs, *args, **kwargs)
            if self.section.adversarial:
                with disturbed(self.accelerator.unwrap_model(model), self.section.adversarial):
                    super().training_step(model, inputs, *args, **kwargs)
        if self.accelerator.scaler is None:  # a scaler (fp16) leaves the step out, and is told of by their number
            self.watch.loss.see(loss, self.state.global_step + 1)
        return loss

    def _get_grad_norm(self, model: Any, grad_norm: Any = None) -> Any:
        """The parent's, which is asked at every step; a scaler (fp16) leaves steps out whose gradients overflow."""
        norm = super()._get_grad_norm(model, grad_norm)
        if self.accelerator.scaler is None:
            self.watch.gradient.see(torch.as_tensor(norm), self.state.global_step + 1)
        return norm

    def _get_learning_rate(self) -> float:
        """The stage's rate as the schedule has it now, or that of the heads where nothing trains at the stage's.

        The parent gives the rate of the first group, which is the lowest layer's.
        """
        schedule: Any = self.lr_scheduler
        shown = self.args.learning_rate
        if not any(math.isclose(shown, base) for base in schedule.base_lrs):
            shown = max(schedule.base_lrs)
        now, base = max(zip(schedule.get_last_lr(), schedule.base_lrs, strict=True), key=lambda pair: pair[1])
        return float(shown * now / base) if base else float(now)

    def after_step(self) -> None:
        self.watch.stepped(left_out=self.accelerator.optimizer_step_was_skipped)
        if self.ema is not None:
            self.ema.update_parameters(self.accelerator.unwrap_model(self.model))

    def check_finite(self, *, asks: bool = True, weights: bool = False) -> None:
        """Stop the training when something of it is no number any more; see :meth:`Watch.check`."""
        models = [self.accelerator.unwrap_model(self.model), *([self.ema.module] if self.ema is not None else [])]
        steps = max(1, self.state.max_steps // max(1, math.ceil(self.args.num_train_epochs)))
        self.watch.check(self.state.global_step, steps, asks=asks, models=models if weights else ())

    # -- evaluation

    control: TrainerControl

    def evaluate(self, *args: Any, **kwargs: Any) -> dict[str, float]:
        """Score raw and averaged weights on the main process; every process learns the score."""
        seconds = time.monotonic() - self.epoch_begin
        outcome: list[Any] = [None]
        if self.is_world_process_zero():
            outcome = [self._evaluate_epoch(seconds)]
        if self.args.world_size > 1:
            broadcast_object_list(outcome)
        score: float = outcome[0]
        metrics = {"eval_score": score}
        over = self.deadline is not None and time.monotonic() > self.deadline
        if over or (self.stop_at is not None and score >= self.stop_at):
            self.control.should_training_stop = True
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        self.train_state.stopped = self.control.should_training_stop
        return metrics

    def _evaluate_epoch(self, seconds: float) -> float:
        state = self.train_state
        logged: dict[str, float] = next((log for log in reversed(self.state.log_history) if "loss" in log), {})
        plain = self.accelerator.unwrap_model(self.model)
        raw: dict[str, float] | None = None
        note = ""
        if self.section.evaluate_raw or self.ema is None:
            raw, note = self._score(plain)
        averaged: dict[str, float] | None = None
        if self.ema is not None:
            averaged, note = self._score(self.ema.module)
        scored = averaged if averaged is not None else raw
        assert scored is not None
        # Fewer than all in an epoch that was resumed in its middle.
        items = (self.state.global_step - self.first_step) * self._items_per_step()
        # Of silent models the longest trained; but one that fell silent is no better than what it was.
        better = scored["score"] > state.best or scored["score"] == state.best == 0.0
        better = better and math.isfinite(scored["score"])
        row = EpochRow(
            stage=state.stage,
            epoch=math.ceil((self.state.epoch or 0) - 1e-6),  # one that the time cut short counts
            loss=float(logged.get("loss", math.nan)),
            learning_rate=float(logged.get("learning_rate", math.nan)),
            raw=raw,
            ema=averaged,
            sentences_per_second=min(items, len(self.data)) / seconds,
            seconds=seconds,
            best=better,
            note=note,
        )
        state.rows.append(row)
        if better:
            state.best = scored["score"]
            save_weights(self.ema.module if self.ema is not None else plain, self.run)
        write_rows(self.run, state.rows)
        self.on_epoch_row(row)
        # What is no number would be the best for the parent for ever: nothing compares with it.
        return scored["score"] if math.isfinite(scored["score"]) else -1.0

    def _score(self, model: Any) -> tuple[dict[str, float], str]:
        was_training = model.training
        model.eval()
        try:
            with uncompiled() if self.section.compile else nullcontext():
                return self.evaluate_model(model)
        finally:
            model.train(was_training)

    # -- checkpoints

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        """Weights and configuration only: the parent would pickle its arguments."""
        folder = output_dir or str(self.args.output_dir)
        os.makedirs(folder, exist_ok=True)
        self.accelerator.unwrap_model(self.model).save_pretrained(folder)

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        self.check_finite(weights=True)
        super()._save_checkpoint(model, trial)
        self.train_state.losses = self.accelerator.gather(self._tr_loss.detach().reshape(1)).tolist()
        self.train_state.steps = self.state.global_step - self._globalstep_last_logged
        if not self.is_world_process_zero():
            return
        folder = Path(self.args.output_dir)
        newest = folder / f"checkpoint-{self.state.global_step}"
        if self.ema is not None:
            tensors = {name: p.detach().cpu().contiguous() for name, p in self.ema.module.named_parameters()}
            tensors["n_averaged"] = self.ema.n_averaged.detach().cpu().reshape(1)
            save_file(tensors, newest / _EMA)
        # Written last and renamed into place: a checkpoint without it is not complete, and never resumed from.
        part = newest / (PROGRESS_FILE + ".part")
        part.write_text(self.train_state.to_json(), encoding="utf-8")
        sync(newest)
        os.replace(part, newest / PROGRESS_FILE)
        for old in folder.glob("checkpoint-*"):
            if old != newest:
                shutil.rmtree(old, ignore_errors=True)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        super()._load_from_checkpoint(resume_from_checkpoint, model)
        losses, rank = self.train_state.losses, self.args.process_index
        # Each process goes on with its own sum, so that it is rounded as if there had been no interruption.
        mine = losses[rank] if len(losses) == self.args.world_size else sum(losses) / max(len(losses), 1)
        self.carried = (mine, self.train_state.steps)
        if self.ema is not None:
            tensors = load_file(Path(resume_from_checkpoint) / _EMA)
            self.ema.n_averaged.copy_(tensors.pop("n_averaged").reshape(()))
            own = dict(self.ema.module.named_parameters())
            with torch.no_grad():
                for name, tensor in tensors.items():
                    own[name].copy_(tensor)
