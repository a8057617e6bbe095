"""Finding runs by their recipes, and listing them, damaged ones too."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from ietool import paths
from ietool.errors import UserError
from ietool.recipe_io import load_recipe
from ietool.runs.checks import read_metrics, read_settings
from ietool.runs.entry import CONFIG_FILE, RECIPE_FILE, RunEntry, open_run, resume_command
from ietool.runs.folder import training_in
from ietool.runs.info import RUN_FILE


def latest_run(recipe: str) -> Path:
    """The folder of the newest finished run of a recipe; those of the demo, folds and self-checks (``--overfit``) are
    no model to use, and one that is not finished must be named.

    Raises:
        UserError: there is none.
    """
    mine = [entry for entry in list_runs() if entry.info.recipe == recipe and entry.has_weights]
    real = [e for e in mine if not e.info.overfit and not e.info.left_out and not e.is_demo]
    for entry in real:
        if entry.state == "finished" and _is_readable(entry.folder):
            return entry.folder
    mend = f"train one with `ietool train --recipe {recipe}`, or name one with --run DIR"
    if real:
        entry = real[0]
        mend = f"take it as it is with --run {shlex.quote(str(entry.folder))}"
        if entry.can_go_on:
            mend += f", or finish it with `{resume_command(entry.folder, recipe)}`"
        raise UserError(
            f"the only run of recipe {recipe!r} with weights is not finished: {entry.folder} ({entry.state})"
            if len(real) == 1
            else f"no run of recipe {recipe!r} is finished; the newest is {entry.folder} ({entry.state})",
            mend=mend,
        )
    if mine and mine[0].is_demo:
        mend += f" (that of the demo is {shlex.quote(str(mine[0].folder))})"
    raise UserError(f"no trained run of recipe {recipe!r} under {paths.runs_folder()}", mend=mend)


def _is_readable(run: Path) -> bool:
    """Whether a run's recipe can be read: `ietool runs` tells of those that are damaged."""
    try:
        load_recipe(run / RECIPE_FILE)
    except UserError:
        return False
    return True


def unfinished_run(recipe: str) -> Path:
    """The folder of the newest run of a recipe that is not finished, can go on and is trained by nobody; never one of
    the demo. Raises UserError if there is none."""
    # One whose prepared data is gone cannot go on, which is told where there is no other.
    for entry in sorted(list_runs(), key=lambda entry: not entry.can_go_on):
        if entry.info.recipe == recipe and entry.state in ("interrupted", "training") and not entry.is_demo:
            try:
                with training_in(entry.folder):
                    return entry.folder
            except UserError:
                continue
    raise UserError(
        f"no unfinished run of recipe {recipe!r} under {paths.runs_folder()}",
        mend="leave out --resume to start one, or name its folder with --output DIR",
    )


@dataclass(frozen=True)
class DamagedRun:
    """A folder that should be a run, and why it is none that can be used."""

    folder: Path
    reason: UserError


def list_runs(root: Path | None = None) -> list[RunEntry]:
    """Every run under ``root`` (default: the working folder's ``runs/``), newest first. Damaged ones are left out."""
    return survey_runs(root)[0]


def survey_runs(root: Path | None = None, *, closely: bool = False) -> tuple[list[RunEntry], list[DamagedRun]]:
    """Every run under ``root``, newest first, and those that are damaged, by their folders.

    Args:
        closely: look into their recipes and settings too, which takes some milliseconds a run.
    """
    found, damaged = [], []
    seen = set[Path]()
    for folder in _run_folders(root or paths.runs_folder(), depth=3):  # runs/demo/RECIPE/DATE-TIME
        place = folder.resolve()
        if place in seen:  # by a link
            continue
        seen.add(place)
        try:
            found.append(_whole(folder))
            if closely:
                load_recipe(folder / RECIPE_FILE)
                if (folder / CONFIG_FILE).exists():
                    read_settings(folder / CONFIG_FILE)
                read_metrics(folder)
        except UserError as error:
            damaged.append(DamagedRun(folder, error))
            found = [entry for entry in found if entry.folder != folder]
    return sorted(found, key=lambda entry: _moment(entry.info.created), reverse=True), damaged


def _whole(folder: Path) -> RunEntry:
    """The run in a folder, which may have no weights yet. Raises UserError if it is damaged."""
    entry = open_run(folder, weights=False)
    return open_run(folder) if entry.state == "finished" and entry.info.best else entry


def _run_folders(root: Path, depth: int) -> Iterator[Path]:
    try:
        if (root / RUN_FILE).exists():
            yield root
        elif depth and root.is_dir():
            # A link comes behind what it may lead to.
            for child in sorted(root.iterdir(), key=lambda child: (child.is_symlink(), child)):
                if child.is_dir():
                    yield from _run_folders(child, depth - 1)
    except OSError:  # a folder that we may not look into holds no run of ours
        return


def _moment(created: str) -> float:
    try:
        return datetime.fromisoformat(created).timestamp()
    except (ValueError, OverflowError, OSError):  # no moment, or one that no clock knows
        return 0.0
