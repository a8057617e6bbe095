"""A corpus and a model small enough to train within seconds, and the real command."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ietool import paths
from ietool.core.contract import Task
from ietool.recipe import Recipe
from ietool.recipe_io import load_recipe
from ietool.registry import get_task
from tests.acting import acting
from tests.in_process import command_here
from tests.recorded import doors, flows
from tests.recorded.settings import SETTINGS

TINY = (
    "model.hidden_size=16", "model.dilations=[1,2]", "model.attention_heads=2", "model.attention_head_size=4",
    "training.batch_size=16", "training.learning_rate=0.01", "training.schedule=constant_with_warmup",
    "training.ema_decay=0.9", "training.warmup_epochs=0.5",
    "decode.subject_start=0.03", "decode.subject_end=0.03", "decode.object_start=0.005", "decode.object_end=0.005",
    "decode.triple=0",
)  # fmt: skip


def environment(**more: str) -> dict[str, str]:
    return os.environ | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""} | more


def changes(settings: Sequence[str]) -> list[str]:
    return [word for setting in settings for word in ("--set", setting)]


def command(*arguments: str, settings: Sequence[str] = TINY) -> list[str]:
    """The words that start a process of its own."""
    return [sys.executable, "-m", "ietool", *arguments, *changes(settings)]


def run_command(*arguments: str, cwd: Path, settings: Sequence[str] = TINY) -> subprocess.CompletedProcess[str]:
    """The same in this process."""
    return command_here(cwd, *arguments, *changes(settings))


def metrics(run: Path) -> list[dict[str, Any]]:
    """The rows of a run without what the clock decides."""
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    for row in rows:
        del row["seconds"], row["sentences_per_second"]
    return rows


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The head of the shipped corpus."""
    folder = tmp_path_factory.mktemp("corpus")
    shipped = paths.shipped_data("ske")
    for name, lines in (("train.jsonl", 160), ("dev.jsonl", 30), ("test.jsonl", 10), ("schema.jsonl", 99)):
        text = (shipped / name).read_text(encoding="utf-8").splitlines(keepends=True)[:lines]
        (folder / name).write_text("".join(text), encoding="utf-8")
    return folder


@dataclass(frozen=True)
class Made:
    """A flow of the recorded tests, prepared: ``recipe_with`` gives its small recipe with further settings."""

    task: Task[Any]
    prepared: Path
    recipe_with: Callable[..., Recipe]


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Made]:
    """``made("ske")``, each made once."""
    known: dict[str, Made] = {}

    def make(name: str) -> Made:
        if name not in known:
            work = tmp_path_factory.mktemp(name)
            flows.make_data(name, work)
            recipe = flows.recipe_of(name)
            small = acting(recipe, SETTINGS[name].small, SETTINGS[name].small)
            with doors.working_in(work):
                told = json.loads(
                    doors.printed("prepare", "--recipe", recipe, "--data", "data", "--json", settings=small)
                )
            small = [s.replace("=encoder", f"={work / 'encoder'}") for s in small]

            def recipe_with(*more: str) -> Recipe:
                return load_recipe(recipe, [*small, *more])

            known[name] = Made(get_task(flows.FLOWS[name].task), work / told["folder"], recipe_with)
        return known[name]

    return make
