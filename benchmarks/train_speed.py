"""How much does training cost? Texts per second of ``ietool train``'s step loop, of the bare step of the model and,
where it has a pretrained encoder, of the bare step of that encoder alone.

    python benchmarks/train_speed.py --prepared prepared/ske/DIR [--recipe ske] [--set KEY=VALUE] [--steps 60]
    python benchmarks/train_speed.py --data DIR …        prepares into a temporary folder first

The step loop is the real one: drawing and encoding samples, collating, the Trainer's step with its mixed precision,
clipping, scheduler and callbacks, and the averaged weights. The bare step is forward, backward, clipping and the
optimiser, on the very batches that the loop drew, already in memory; the encoder's is the same with what the model
gave its encoder in each step, without heads, the squares of its output for a loss. All run in this process, taking
turns, from the same fresh weights; the first ``--warm`` steps of each turn are not counted. Also told: the share of
positions of an epoch that is padding and, on a GPU, the most memory that torch had there in GB (of the loops the last
turn). Prints a table, then one JSON line.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import TrainerCallback, set_seed

from ietool.nn.encoder import encoders_of
from ietool.progress import no_progress
from ietool.recipe import Recipe
from ietool.recipe_io import load_recipe
from ietool.registry import get_task
from ietool.training.arguments import training_arguments
from ietool.training.device import autocast, choose_device, choose_precision
from ietool.training.reached import TrainState
from ietool.training.sampler import LengthBucketSampler
from ietool.training.trainer import IETrainer
from ietool.workflow.prepare import prepare
from ietool.workflow.stages import make_ready

Batch = dict[str, torch.Tensor]


class Clock(TrainerCallback):
    """Seconds of the steps after the first ``warm``."""

    def __init__(self, warm: int, device: torch.device) -> None:
        self.warm, self.device = warm, device
        self.begin = self.seconds = 0.0

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if state.global_step == self.warm:
            self.begin = now(self.device)
        elif state.global_step > self.warm:
            self.seconds = now(self.device) - self.begin


def now(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


def peak(device: torch.device) -> float:
    """GB that torch had on a GPU at most since the last call; 0 on the CPU."""
    if device.type != "cuda":
        return 0.0
    most = torch.cuda.max_memory_allocated(device) / 1e9
    torch.cuda.reset_peak_memory_stats(device)
    return most


def fresh(recipe: Recipe, prepared: Path, device: torch.device) -> Any:
    set_seed(recipe.training.seed)
    model = get_task(recipe.task).build_model(recipe, prepared).to(device)  # type: ignore[arg-type]
    make_ready(model, recipe.training)
    return model


def step_loop(
    recipe: Recipe, model: Any, data: Any, device: torch.device, precision: str, folder: Path, steps: int | None = None
) -> IETrainer:
    """The Trainer of ``ietool train`` for so many steps or one epoch, without scores and checkpoints between."""
    arguments = training_arguments(
        recipe.training, folder, items=len(data), epochs=1 if steps is None else 1_000,
        learning_rate=recipe.training.learning_rate, warm=True, device=device, precision=precision,
    )  # fmt: skip
    if steps is not None:
        arguments.max_steps = steps
    arguments.set_evaluate("no")
    arguments.set_save("no")
    endless = recipe.training.model_copy(update={"patience": 0})  # without scores nothing can end it early
    return IETrainer(
        model, arguments, data, endless, TrainState(), folder,
        lambda _: ({"score": 0.0}, ""), lambda row: None, no_progress,
    )  # fmt: skip


def trainer_loop(
    recipe: Recipe, prepared: Path, steps: int, warm: int, device: torch.device, precision: str, folder: Path
) -> tuple[float, list[Batch]]:
    """(seconds of the steps after ``warm``, every batch that was drawn)."""
    model = fresh(recipe, prepared, device)
    data = get_task(recipe.task).training_set(recipe, prepared)
    batches: list[Batch] = []
    clock = Clock(warm, device)
    trainer = step_loop(recipe, model, data, device, precision, folder, steps)
    step = trainer.training_step

    def recorded(model: Any, inputs: Any, *args: Any, **kwargs: Any) -> torch.Tensor:
        batches.append(dict(inputs))  # here, since other processes may have made it
        return step(model, inputs, *args, **kwargs)

    trainer.training_step = recorded  # type: ignore[method-assign]
    trainer.add_callback(clock)
    trainer.train()
    return clock.seconds, batches[:steps]


def bare_loop(
    recipe: Recipe, prepared: Path, batches: list[Batch], warm: int, device: torch.device, precision: str
) -> float:
    """Seconds of the same steps without anything around them."""
    model = fresh(recipe, prepared, device).train()
    weights = [p for p in model.parameters() if p.requires_grad]
    here = [{name: tensor.to(device) for name, tensor in batch.items()} for batch in batches]
    steps = [lambda batch=batch: model(**batch)["loss"] for batch in here]
    return plain_steps(recipe, weights, steps, warm, device, precision)


def encoder_loop(
    recipe: Recipe, prepared: Path, batches: list[Batch], warm: int, device: torch.device, precision: str
) -> float | None:
    """The same of the encoder alone (of qa-mlm with its masked-LM head), on what the model hands it in those steps;
    None without a pretrained one."""
    model = fresh(recipe, prepared, device).train()
    encoder = next(iter(encoders_of(model)), None)
    if encoder is None:
        return None
    calls: list[tuple[Any, Any]] = []
    hook = encoder.register_forward_pre_hook(lambda _, a, k: calls.append((a, k)), with_kwargs=True)
    inputs: list[list[tuple[Any, Any]]] = []
    with torch.no_grad(), autocast(device, precision):
        for batch in batches:
            calls.clear()
            model(**{name: tensor.to(device) for name, tensor in batch.items()})
            inputs.append(list(calls))
    hook.remove()
    weights = [p for p in encoder.parameters() if p.requires_grad]

    def loss(mine: list[tuple[Any, Any]]) -> torch.Tensor:
        return torch.stack([encoder(*args, **kwargs).float().square().mean() for args, kwargs in mine]).sum()

    steps = [lambda mine=mine: loss(mine) for mine in inputs]
    return plain_steps(recipe, weights, steps, warm, device, precision)


def plain_steps(
    recipe: Recipe,
    weights: list[torch.nn.Parameter],
    steps: Sequence[Callable[[], torch.Tensor]],
    warm: int,
    device: torch.device,
    precision: str,
) -> float:
    """Seconds of so many losses, their gradients and the optimiser's steps, the first ``warm`` not counted."""
    optimiser = torch.optim.AdamW(weights, lr=recipe.training.learning_rate, fused=True)
    scaler = torch.amp.GradScaler(device.type, enabled=precision == "fp16")
    begin = now(device)
    for number, step in enumerate(steps):
        if number == warm:
            begin = now(device)
        with autocast(device, precision):
            loss = step()
        scaler.scale(loss).backward()
        scaler.unscale_(optimiser)
        if recipe.training.max_grad_norm:
            torch.nn.utils.clip_grad_norm_(weights, recipe.training.max_grad_norm)
        scaler.step(optimiser)
        scaler.update()
        optimiser.zero_grad(set_to_none=True)
    return now(device) - begin


def padding(recipe: Recipe, lengths: Any) -> float:
    """The share of positions of an epoch's batches that holds no character."""
    size = recipe.training.batch_size
    sampler = LengthBucketSampler(size * recipe.training.gradient_accumulation, lengths, recipe.training.seed)
    order = list(sampler)
    groups = [[int(lengths[i]) for i in order[at : at + size]] for at in range(0, len(order), size)]
    return 1 - sum(map(sum, groups)) / sum(max(group) * len(group) for group in groups)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--data", type=Path, help="folder of competition files")
    source.add_argument("--prepared", type=Path, help="a prepared folder")
    parser.add_argument("--recipe", default=None, help="name or file; default: ske, or that of the prepared folder")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="as in ietool train")
    parser.add_argument("--steps", type=int, default=60, help="steps of a turn")
    parser.add_argument("--warm", type=int, default=10, help="of these the first are not counted")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each; medians are printed")
    parser.add_argument("--device", default="auto")
    arguments = parser.parse_args()
    if not 0 < arguments.warm < arguments.steps:
        parser.error("--warm must lie between 0 and --steps")
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        base = arguments.recipe or (str(arguments.prepared) if arguments.prepared else "ske")
        recipe = load_recipe(base, [*arguments.set, "training.patience=0", "training.gradient_accumulation=1"])
        prepared = arguments.prepared
        if prepared is None:
            os.environ["IETOOL_HOME"] = str(work)
            prepared = prepare(recipe, data=arguments.data.resolve(), output=work / "prepared").folder
        device = choose_device(arguments.device)
        precision = choose_precision(recipe, device)
        seconds: dict[str, list[float]] = {"trainer": [], "bare": []}
        memory: dict[str, float] = {}
        for _ in range(arguments.rounds):
            taken, batches = trainer_loop(
                recipe, prepared, arguments.steps, arguments.warm, device, precision, work / "run"
            )
            seconds["trainer"].append(taken)
            memory["trainer"] = peak(device)
            seconds["bare"].append(bare_loop(recipe, prepared, batches, arguments.warm, device, precision))
            memory["bare"] = peak(device)
            alone = encoder_loop(recipe, prepared, batches, arguments.warm, device, precision)
            if alone is not None:
                seconds.setdefault("encoder", []).append(alone)
        sentences = recipe.training.batch_size * (arguments.steps - arguments.warm)
        lengths = get_task(recipe.task).training_set(recipe, prepared).lengths
        share = padding(recipe, lengths)
    rates = {name: sentences / statistics.median(taken) for name, taken in seconds.items()}
    result = {
        "device": str(device),
        "threads": torch.get_num_threads(),
        "precision": precision,
        "batch_size": recipe.training.batch_size,
        "steps": arguments.steps - arguments.warm,
        **{f"{name}_texts_per_second": rate for name, rate in rates.items()},
        **{f"ratio_to_{name}": rates["trainer"] / rates[name] for name in rates if name != "trainer"},
        "padding": share,
        **({"gpu_memory": memory} if device.type == "cuda" else {}),
    }
    print(f"{'':12}{'texts/s':>12}{'training to it':>16}")
    for name, rate in rates.items():
        print(f"{name:12}{rate:12.1f}{rates['trainer'] / rate:16.3f}")
    print(f"{'padding':12}{share:12.2%}   ({device}, {precision}, batches of {recipe.training.batch_size})")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
