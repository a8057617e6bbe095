"""A short training of any recipe, tiny, through the real trainer: on the CPU or on the pretend device."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel, set_seed
from transformers.trainer_utils import IntervalStrategy
from transformers.utils import logging as transformers_logging

from ietool.core.contract import Task
from ietool.recipe import Recipe
from ietool.recipe_io import load_recipe
from ietool.registry import get_task
from ietool.training.arguments import training_arguments
from ietool.training.reached import TrainState, read_progress
from ietool.training.sets import TrainingSet
from ietool.training.trainer import IETrainer
from ietool.workflow.stages import make_ready
from tests.acting import acting
from tests.pretend.counts import Counts, counting
from tests.recorded import doors, flows
from tests.recorded.settings import SETTINGS

RECORDS, STEPS = 24, 2
"""Records of train; steps of a training, behind each of which a checkpoint is written."""


@dataclass
class Made:
    """A prepared folder, and what trains on it."""

    name: str
    recipe: Recipe
    task: Task[Any]
    prepared: Path
    work: Path


def make(name: str, work: Path, *settings: str) -> Made:
    """Prepare the tiny data of a recorded flow."""
    flows.make_data(name, work, RECORDS)
    recipe = flows.recipe_of(name)
    asked = (*SETTINGS[name].small, "training.ema_decay=0.9", "training.batch_size=6",
             "training.checkpoint_steps=1", *settings)  # fmt: skip
    chosen = acting(recipe, asked, asked)
    with doors.working_in(work):
        told = json.loads(doors.printed("prepare", "--recipe", recipe, "--data", "data", "--json", settings=chosen))
        loaded = load_recipe(recipe, chosen)
    return Made(name, loaded, get_task(loaded.task), work / told["folder"], work)


class Steps(IETrainer):
    """The trainer; keeps losses, and what happened on the device within each step and between the ends of two."""

    losses: list[Tensor]
    kept: Path | None
    """Where the first checkpoint was put aside, as if the training had been killed then."""
    within: list[Counts]
    """Of each step: the model, backward, the optimiser and the average."""
    between: list[Counts]
    """From the end of a step to that of the next one: its batch is brought, too."""

    def training_step(self, *args: Any, **kwargs: Any) -> Tensor:
        brought = self.counts.events.copy()
        loss = super().training_step(*args, **kwargs)
        self.losses.append(loss.detach())
        self.brought = brought
        return loss

    def after_step(self) -> None:
        super().after_step()
        self.within.append(Counts(self.counts.events - self.brought))
        self.between.append(Counts(self.counts.events.copy()))
        self.counts.events.clear()

    def _save_checkpoint(self, *args: Any) -> None:
        before = self.counts.events.copy()
        super()._save_checkpoint(*args)
        self.counts.events = before  # it is not of a step
        if self.kept is None:
            (newest,) = Path(str(self.args.output_dir)).glob("checkpoint-*")
            self.kept = self.run / "killed" / newest.name
            shutil.copytree(newest, self.kept)

    def learn(self, checkpoint: Path | None = None) -> Steps:
        """Train, counting; with a checkpoint go on from there."""
        self.losses, self.within, self.between, self.kept = [], [], [], None
        with counting() as self.counts:
            self.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
        return self


def fresh(
    made: Made,
    folder: Path,
    device: torch.device,
    *,
    precision: str = "fp32",
    saves: bool = False,
    checkpoint: Path | None = None,
) -> Steps:
    """A trainer of a fresh model, always the same one, for :data:`STEPS` steps; one that saves takes longer."""
    transformers_logging.disable_progress_bar()
    section, (model, data) = made.recipe.training.model_copy(), begin(made)
    make_ready(model, section)
    arguments = training_arguments(
        section, folder / "checkpoints", items=len(data), epochs=1, learning_rate=section.learning_rate, warm=False,
        device=device, precision=precision,
    )  # fmt: skip
    arguments.max_steps = STEPS
    if not saves:
        section.checkpoint_steps = section.patience = 0
        arguments.save_strategy = arguments.eval_strategy = IntervalStrategy.NO
    # Adam makes as much of a gradient that is zero but for rounding as of any other; with this it does not.
    arguments.adam_epsilon = 1e-3
    state = TrainState() if checkpoint is None else read_progress(checkpoint)
    folder.mkdir(parents=True, exist_ok=True)
    nothing: Any = lambda *args: None  # noqa: E731
    evaluate: Any = lambda model: ({"score": 0.0}, "")  # noqa: E731
    return Steps(model, arguments, data, section, state, folder, evaluate, nothing, nothing)


def begin(made: Made) -> tuple[PreTrainedModel, TrainingSet]:
    """A fresh model without dropout, always the same one, and what it learns from."""
    with doors.working_in(made.work):
        set_seed(3)
        model, data = (
            made.task.build_model(made.recipe, made.prepared),
            made.task.training_set(made.recipe, made.prepared),
        )
    silence(model)
    return model, data


def silence(model: torch.nn.Module) -> None:
    """Take dropout away from a model: its draws on the two devices are not the same."""
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
        for name in ("dropout", "gate_dropout"):
            if isinstance(getattr(module, name, None), float):
                setattr(module, name, 0.0)
    config: Any = model.config
    for name in ("embedding_dropout", "gate_dropout", "head_dropout"):
        if hasattr(config, name):
            setattr(config, name, 0.0)


@dataclass
class Learnt:
    """What came of a training, on the CPU: the loss of each step, weights, averaged ones among them."""

    losses: list[float]
    weights: dict[str, Tensor]

    @classmethod
    def of(cls, trainer: Steps) -> Learnt:
        assert trainer.ema is not None
        named = [*trainer.model.named_parameters(), *trainer.ema.named_parameters()]  # of the average: module.…
        return cls([float(loss) for loss in trainer.losses], {name: p.detach().cpu() for name, p in named})
