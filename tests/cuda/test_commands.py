"""The verbs on a device that is named: train, predict, resume; and what a training holds in memory."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file

from ietool.recipe_io import load_recipe
from ietool.runs.entry import open_run
from ietool.workflow.prepare import prepare
from ietool.workflow.train import train
from tests.acting import acting
from tests.cuda.conftest import on_devices
from tests.cuda.sides import held, without_dropout
from tests.recorded import doors, flows
from tests.recorded.settings import SETTINGS

SETTLED = ("training.epochs=2", "training.patience=0", "training.learning_rate=1e-3")
RESUMED = ("training.epochs=3", "training.patience=0", "training.checkpoint_steps=2", "training.ema_decay=0.9")


def settings_of(name: str, *more: str) -> list[str]:
    """Those that make a recipe's model small, and these."""
    asked = (*SETTINGS[name].small, *more)
    return acting(flows.recipe_of(name), asked, asked)


def rows_of(run: Path) -> list[dict[str, Any]]:
    """The losses of a run by epoch."""
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    return [{key: row[key] for key in ("stage", "epoch", "loss")} for row in rows]


@on_devices("ner-crf")
def test_train_and_predict_on_a_named_device(name: str, device: str, own: Path) -> None:
    flow, settings = flows.FLOWS[name], settings_of(name, *SETTLED)
    start = ("train", "--recipe", flows.recipe_of(name), "--data", "data", "--output")
    for side in dict.fromkeys(("cpu", device)):
        with without_dropout():
            doors.printed(*start, f"run-{side.partition(':')[0]}", "--device", side, settings=settings)
    mine = own / f"run-{device.partition(':')[0]}"
    assert open_run(mine).info.device == ("cpu" if device == "cpu" else device)
    losses = [row["loss"] for row in rows_of(mine)]
    assert losses == pytest.approx([row["loss"] for row in rows_of(own / "run-cpu")], rel=0.05)
    made = []
    for side in ("cpu", device):
        result = own / f"result-{side.partition(':')[0]}{flow.endings[0][0]}"
        doors.printed("predict", "--run", mine, f"data/{flow.inputs[0]}", "--output", result, "--device", side)
        made.append(result)
    told = [
        json.loads(doors.printed("score", "--recipe", flows.recipe_of(name), f"data/{flow.inputs[0]}", one, "--json"))
        for one in made
        if flow.task != "el"  # scoring links wants the knowledge base
    ]
    assert all(one["f1"] == pytest.approx(told[0]["f1"], abs=0.02) for one in told if "f1" in one)


@on_devices("ner-crf", gpu=("ner-crf", "el", "qa-span"))
def test_a_resumed_training_is_what_it_would_have_been(name: str, device: str, own: Path) -> None:
    recipe = load_recipe(flows.recipe_of(name), settings_of(name, *RESUMED))
    prepared = prepare(recipe, data=own / "data").folder
    whole, cut = own / "whole", own / "cut"

    def copied(step: str, done: int, total: int | None) -> None:
        # What a kill within the second epoch, behind a checkpoint in its middle, would have left.
        reached = list(whole.glob("checkpoints/stage-1/checkpoint-*/progress.json"))
        if not cut.exists() and reached and int(reached[0].parent.name.rpartition("-")[2]) % (total or 1):
            shutil.copytree(whole, cut)

    train(recipe, prepared=prepared, output=whole, device=device, progress=copied)
    assert len(rows_of(cut)) < 3 if (cut / "metrics.jsonl").exists() else cut.exists()
    doors.printed("train", "--recipe", recipe.name, "--resume", "--output", cut, "--device", device)
    if device == "cpu":
        assert rows_of(cut) == rows_of(whole)
        ours, theirs = (load_file(run / "model.safetensors") for run in (whole, cut))
        assert all(bool((ours[key] == theirs[key]).all()) for key in ours)
    else:  # CUDA adds up the gradients of a row in any order, and Adam makes much of gradients that are nearly zero
        losses = [row["loss"] for row in rows_of(whole)]
        assert [row["loss"] for row in rows_of(cut)] == pytest.approx(losses, rel=2e-2)


@on_devices("ner-crf", gpu=("ner-globalpointer", "ske", "el", "qa"))
def test_memory_does_not_grow_over_epochs(name: str, device: str, own: Path) -> None:
    recipe = load_recipe(flows.recipe_of(name), settings_of(name, "training.epochs=4", "training.patience=0"))
    prepared = prepare(recipe, data=own / "data").folder
    sizes: list[int] = []
    train(
        recipe, prepared=prepared, output=own / "run", device=device,
        on_epoch=lambda row: sizes.append(held(device)),
    )  # fmt: skip
    assert len(sizes) == 4 and sizes[0] > 0
    assert max(sizes[1:]) <= 1.02 * sizes[1] + 4096, sizes
