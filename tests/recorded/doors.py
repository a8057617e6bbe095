"""The few places where recorded tests enter the code. What moves is to be changed here alone."""

from __future__ import annotations

import contextlib
import io
import os
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch

from ietool.cli.app import run
from ietool.recipe_io import load_recipe
from ietool.registry import get_task
from ietool.workflow.predict import load


@contextlib.contextmanager
def working_in(folder: Path) -> Iterator[None]:
    """In a folder, whose files are named by relative paths; on one thread, offline."""
    threads, before = torch.get_num_threads(), Path.cwd()
    torch.set_num_threads(1)
    os.chdir(folder)
    try:
        with (
            mock.patch.dict(os.environ, {"IETOOL_HOME": str(folder / "home")}),
            mock.patch("huggingface_hub.constants.HF_HUB_OFFLINE", True),
        ):
            yield
    finally:
        os.chdir(before)
        torch.set_num_threads(threads)


def printed(*arguments: object, settings: Sequence[str] = ()) -> str:
    """What a command prints, run in this process; one that fails is an AssertionError."""
    changes = [word for setting in settings for word in ("--set", setting)]
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run([*map(str, arguments), *changes])
    assert code == 0, f"ietool {' '.join(map(str, arguments))}: {err.getvalue()}"
    return out.getvalue()


def predict(run_folder: Path, source: str, settings: Sequence[str] = ()) -> tuple[list[Any], dict[str, Any]]:
    """The predictions of a run on a file, as objects; and what the predictor says besides."""
    loaded = load(run_folder, device="cpu", overrides=list(settings))
    found = list(loaded.stream(loaded.task.open_inputs(source)))
    return found, {"highest": loaded.predictor.highest_probability, "notes": list(loaded.notes)}


def losses(recipe_name: str, settings: Sequence[str], prepared: Path, steps: int, batch_size: int) -> dict[str, Any]:
    """A fresh model, and its losses while it goes down the gradient of one batch after another.

    Plain gradient descent, since it makes nothing of a gradient that is zero but for rounding; Adam would.
    """
    recipe = load_recipe(recipe_name, list(settings))
    task = get_task(recipe.task)
    random.seed(1)
    np.random.seed(1)  # noqa: NPY002 - what libraries draw from
    torch.manual_seed(1)
    data = task.training_set(recipe, prepared)
    model = task.build_model(recipe, prepared).train()
    parameters = list(model.parameters())
    begin = {
        "items": len(data),
        "parameters": sum(p.numel() for p in parameters),
        "size": sum(float(p.detach().double().abs().sum()) for p in parameters),
    }
    optimiser = torch.optim.SGD(parameters, lr=0.02)
    found = []
    for step in range(steps):
        at = step * batch_size
        data.set_epoch(at // len(data))
        batch = data.collate([data[(at + k) % len(data)] for k in range(batch_size)])
        loss = model(**batch)["loss"]
        found.append(float(loss.detach()))
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
    return {"model": begin, "losses": found}


def loss_of(run_folder: Path, prepared: Path, batch_size: int) -> float:
    """The loss of a trained model, without dropout, on what it learnt from first."""
    recipe = load_recipe(str(run_folder))
    task = get_task(recipe.task)
    data = task.training_set(recipe, prepared)
    batch = data.collate([data[index] for index in range(batch_size)])
    with torch.inference_mode():
        return float(task.load_model(run_folder).eval()(**batch)["loss"])
