"""Trainings of a benchmark, each by the verb that a user types: done once, resumed where one was cut."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ietool.recipe import Recipe
from ietool.recipe_io import differences, load_recipe
from ietool.runs.entry import RECIPE_FILE, open_run


def ietool(*arguments: object, capture: bool = False) -> str:
    """One command; its failure ends the benchmark. Its own output goes to standard error."""
    command = [sys.executable, "-m", "ietool", *map(str, arguments)]
    done = subprocess.run(command, text=True, stdout=subprocess.PIPE if capture else sys.stderr, check=False)
    if done.returncode:
        sys.exit(done.returncode)
    return done.stdout or ""


def state_of(run: Path, recipe: Recipe) -> str:
    """``finished``, ``unfinished`` or ``none``; a run of other settings ends the benchmark."""
    if not (run / "run.json").is_file():
        return "none"
    entry = open_run(run, weights=False)
    changed = differences(load_recipe(str(run / RECIPE_FILE)), recipe)
    if changed:
        sys.exit(f"{run} was trained with other settings ({', '.join(changed)}): choose another --work, or delete it")
    return "finished" if entry.state == "finished" else "unfinished"


def train_once(
    recipe: str,
    settings: Sequence[str],
    run: Path,
    *,
    files: Mapping[str, Path],
    device: str = "auto",
    skip_bad: bool = False,
) -> None:
    """Train a run, unless it is there.

    Args:
        recipe: by name.
        settings: ``key=value``.
        run: its folder.
        files: by role, for example train and dev; or ``data``, a folder.
        device: as ``--device`` takes it.
        skip_bad: leave bad records out.
    """
    state = state_of(run, load_recipe(recipe, list(settings)))
    if state == "finished":
        return
    where = ["--recipe", recipe, "--output", run, "--device", device]
    if state == "unfinished" and (run / "checkpoints").is_dir():
        ietool("train", *where, "--resume")
        return
    given = [part for role, path in files.items() for part in (f"--{role}", path)]
    given += ["--skip-bad"] * skip_bad
    ietool("train", *where, *given, "--overwrite", *(part for s in settings for part in ("--set", s)))


def group_once(
    recipe: str,
    settings: Sequence[str],
    group: Path,
    *,
    files: Mapping[str, Path],
    folds: int = 0,
    seeds: int = 1,
    device: str = "auto",
) -> None:
    """Train the members of a group of folds or seeds, unless they are there; one that was cut is resumed.

    Args:
        recipe: by name.
        settings: ``key=value``.
        group: its folder.
        files: by role, for example train and dev; or ``data``, a folder.
        folds: 0: each member learns all of train.
        seeds: members a fold.
        device: as ``--device`` takes it.
    """
    where = ["--output", group, "--device", device]
    state = group / "folds.json"
    if not state.is_file():
        given = [part for role, path in files.items() for part in (f"--{role}", path)]
        given += ["--folds", folds] if folds else []
        ietool("train", "--recipe", recipe, *given, "--seeds", seeds, *where,
               *(part for s in settings for part in ("--set", s)))  # fmt: skip
    elif json.loads(state.read_text(encoding="utf-8"))["state"] != "finished":
        ietool("train", "--resume", *where)


def ensemble_figures(runs: Sequence[Path], folder: Path, *words: object) -> dict[str, Any]:
    """What ``ietool ensemble`` measures of some runs on their dev, and writes into ``report.json``."""
    if not (folder / "report.json").is_file():
        ietool("ensemble", *runs, "--output", folder, "--overwrite", *words)
    return dict(json.loads((folder / "report.json").read_text(encoding="utf-8")))
