"""A short training of any recipe, tiny, through the real trainer: on the CPU or on the pretend device."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel, set_seed

from ietool.core.contract import Task
from ietool.recipe import Recipe
from ietool.recipe_io import load_recipe
from ietool.registry import get_task
from ietool.training.arguments import training_arguments
from ietool.training.reached import TrainState, read_progress
from ietool.training.trainer import IETrainer
from ietool.workflow.stages import make_ready
from tests.acting import acting
from tests.pretend.counts import Counts, counting
from tests.recorded import doors, flows
from tests.recorded.settings import SETTINGS

RECORDS = 24
"""Of train; a few batches."""

STILL = (
    "model.embedding_dropout=0", "model.gate_dropout=0", "model.head_dropout=0", "model.encoder_dropout=0",
)  # fmt: skip
"""Without dropout: the two devices would draw it in other ways."""


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
    asked = (*SETTINGS[name].small, "training.ema_decay=0.9", "training.batch_size=6", *settings)
    chosen = acting(recipe, asked, asked)
    with doors.working_in(work):
        told = json.loads(doors.printed("prepare", "--recipe", recipe, "--data", "data", "--json", settings=chosen))
        loaded = load_recipe(recipe, chosen)
    return Made(name, loaded, get_task(loaded.task), work / told["folder"], work)


class Steps(IETrainer):
    """The trainer; keeps losses, and what happened on the device between the ends of two steps."""

    losses: list[Tensor]
    events: list[Counts]

    def training_step(self, *args: Any, **kwargs: Any) -> Tensor:
        loss = super().training_step(*args, **kwargs)
        self.losses.append(loss.detach())
        return loss

    def after_step(self) -> None:
        super().after_step()
        self.events.append(Counts(self.counts.events.copy()))

    def learn(self, checkpoint: Path | None = None) -> None:
        """Train, counting."""
        self.losses, self.events = [], []
        with counting() as self.counts:
            self.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)

    def of_steps(self) -> list[Counts]:
        """What happened from one step's end to the next one's."""
        pairs = zip(self.events, self.events[1:], strict=False)
        return [Counts(after.events - before.events) for before, after in pairs]


def fresh(made: Made, folder: Path, device: torch.device, *, precision: str = "fp32", epochs: int = 1,
          checkpoint: Path | None = None) -> Steps:  # fmt: skip
    """A trainer of a fresh model, always the same one."""
    section = made.recipe.training
    with doors.working_in(made.work):
        set_seed(3)
        data = made.task.training_set(made.recipe, made.prepared)
        model: PreTrainedModel = made.task.build_model(made.recipe, made.prepared)
    silence(model)
    make_ready(model, section)
    arguments = training_arguments(
        section, folder / "checkpoints", items=len(data), epochs=epochs, learning_rate=section.learning_rate,
        warm=False, device=device, precision=precision,
    )  # fmt: skip
    state = TrainState() if checkpoint is None else read_progress(checkpoint)
    folder.mkdir(parents=True, exist_ok=True)
    nothing: Any = lambda *args: None  # noqa: E731
    evaluate: Any = lambda model: ({"score": 0.0}, "")  # noqa: E731
    return Steps(model, arguments, data, section, state, folder, evaluate, nothing, nothing)


def silence(model: torch.nn.Module) -> None:
    """Take dropout away from a model."""
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


def weights(module: torch.nn.Module) -> Mapping[str, Tensor]:
    """The weights, on the CPU."""
    return {name: p.detach().cpu() for name, p in module.named_parameters()}
