"""How fast this machine trains a recipe: some real steps of it on the prepared data."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import torch
from transformers import set_seed

from ietool.contest.compete.plan import Speed
from ietool.recipe import Recipe
from ietool.registry import get_task
from ietool.training.device import autocast, choose_device, choose_precision
from ietool.training.sampler import LengthBucketSampler
from ietool.training.threads import settle_threads
from ietool.workflow.stages import make_ready

WARM, STEPS = 2, 8
_DEV = 64
"""Texts of dev that are predicted to see how long that takes."""

_START = 8.0
"""Seconds that a process needs until it trains: imports, opening files."""


def measure(recipe: Recipe, prepared: Path, device: str = "auto", *, steps: int = STEPS) -> Speed:
    """The speed of training and of scoring dev, from some steps and some texts.

    Raises:
        UserError: the model cannot be made.
    """
    begin = time.monotonic()
    chosen, task = choose_device(device), get_task(recipe.task)
    precision = choose_precision(recipe, chosen)
    set_seed(recipe.training.seed)
    data, model = task.training_set(recipe, prepared), task.build_model(recipe, prepared)
    make_ready(model, recipe.training)
    model.to(chosen)  # type: ignore[arg-type]
    settle_threads(model, chosen, precision)
    optimiser = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-6)
    data.set_epoch(0)
    size = recipe.training.batch_size
    sampler = LengthBucketSampler(size, data.lengths, recipe.training.seed)
    order = list(sampler)
    picked = spread([order[at : at + size] for at in range(0, len(order), size)], data.lengths, steps)
    batches = picked[len(picked) // 2 :][:1] * WARM + picked
    start, times = time.monotonic() - begin, []
    model.train()
    for indices in batches:
        before = time.monotonic()
        batch = data.collate([data[i] for i in indices])
        with autocast(chosen, precision):
            loss = model(**{name: _there(value, chosen) for name, value in batch.items()})["loss"]
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
        float(loss.detach())
        times.append((time.monotonic() - before, len(indices)))
    kept = times[WARM:]
    item = sum(seconds for seconds, _ in kept) / max(sum(count for _, count in kept), 1)
    gold = task.gold(prepared, "dev")
    some = gold[:_DEV]
    model.eval()
    before = time.monotonic()
    with autocast(chosen, precision):
        list(task.predictor(recipe, model, prepared).predict(some))
    text = (time.monotonic() - before) / max(len(some), 1)
    passes = 1 + (recipe.training.evaluate_raw and recipe.training.ema_decay > 0)
    records = sum(1 for _ in (prepared / "train.jsonl").open("rb"))
    return Speed(records, len(data), item * len(data) * 1.05, text * len(gold) * passes, start + _START, text)


def measure_apart(recipe: Recipe, prepared: Path, device: str = "auto") -> Speed:
    """:func:`measure`, on a GPU in a process of its own: what torch has taken of its memory, and CUDA itself, would be
    lacking to the trainings else."""
    if choose_device(device).type != "cuda":
        return measure(recipe, prepared, device)
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(measure, recipe, prepared, device).result()


def spread(batches: Sequence[Sequence[int]], lengths: Sequence[int], count: int) -> list[Sequence[int]]:
    """Some of the batches of an epoch, from short ones to long ones, so that their mean is that of all.

    Args:
        batches: numbers of items each.
        lengths: of all items.
        count: how many are taken, if there are so many.
    """
    order = sorted(batches, key=lambda batch: sum(int(lengths[item]) for item in batch))
    count = min(count, len(order))
    return [order[(2 * n + 1) * len(order) // (2 * count)] for n in range(count)]


def _there(value: object, device: torch.device) -> object:
    return value.to(device) if isinstance(value, torch.Tensor) else value
