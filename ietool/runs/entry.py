"""What is in a run folder, and opening it.

recipe.yaml          the resolved recipe
run.json             what, when, how far, best score: :class:`ietool.runs.info.RunInfo`
metrics.jsonl        a row an epoch
config.json, model.safetensors, vocabulary, schema …     the model, opened by ``from_pretrained``
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

from ietool import paths
from ietool.errors import WHOLE, UserError
from ietool.runs.info import RUN_FILE, RunInfo, is_alive, read_info
from ietool.runs.members import is_ensemble

RECIPE_FILE = "recipe.yaml"
METRICS_FILE = "metrics.jsonl"
WEIGHTS_FILE = "model.safetensors"
CONFIG_FILE = "config.json"
GROUP_FILE = "folds.json"
"""Of a folder whose runs are the folds, or the seeds, of one training."""


@dataclass(frozen=True)
class RunEntry:
    """A run found on disk."""

    folder: Path
    info: RunInfo

    @property
    def has_weights(self) -> bool:
        """Of its own or, of an ensemble, those of its members."""
        return (self.folder / WEIGHTS_FILE).is_file() or is_ensemble(self.folder)

    @property
    def state(self) -> str:
        """As recorded, but a run whose process is gone (kill -9, power cut) is interrupted, whatever it last said."""
        if self.info.state == "training" and not is_alive(self.info):
            return "interrupted"
        return self.info.state

    @property
    def is_demo(self) -> bool:
        """Whether ``ietool demo`` made it; of older runs the command tells."""
        return self.info.demo or self.info.command[1:2] == ["demo"]

    @property
    def can_go_on(self) -> bool:
        """Whether ``train --resume`` can finish it. One that has diverged would do so again; an ensemble is no
        training."""
        data = self.info.prepared
        is_training = self.state in ("interrupted", "training") and not self.info.members
        return is_training and bool(data) and Path(data).is_dir()


def open_run(folder: Path, *, weights: bool = True) -> RunEntry:
    """The run in a folder.

    Raises:
        UserError: it is no run or, with ``weights``, has none yet; says what it is, if something else.
    """
    if folder.is_file():
        raise UserError("is a file, a run folder is needed", file=folder, mend=f"name its folder: {folder.parent}")
    if not folder.is_dir():
        raise UserError("no such run folder", file=folder, mend="see `ietool runs` for those there are")
    info = read_info(folder)
    if info is None and (folder / GROUP_FILE).is_file():
        mend = f"make one run of them by: ietool ensemble {shlex.quote(str(folder))} --output DIR"
        raise UserError("is a group of runs, not one of them", file=folder, mend=mend)
    if info is None:
        raise UserError(f"is no run: {RUN_FILE} is missing", file=folder, mend="see `ietool runs` for those there are")
    if not (folder / RECIPE_FILE).is_file():
        raise UserError(f"is a damaged run: {RECIPE_FILE} is missing", file=folder, mend=WHOLE)
    entry = RunEntry(folder, info)
    if weights and not entry.has_weights and entry.state == "finished":
        raise UserError(f"is a damaged run: {WEIGHTS_FILE} is missing", file=folder, mend=WHOLE)
    if weights and not entry.has_weights:
        mend = f"finish it with `{resume_command(folder, info.recipe)}`" if entry.can_go_on else anew(folder)
        raise UserError(f"has no weights yet ({entry.state})", file=folder, mend=mend)
    return entry


def resume_command(folder: Path, recipe: str) -> str:
    """The command that goes on with a run, as it can be typed."""
    named = recipe if recipe in paths.shipped_recipes() else str(folder)
    return f"ietool train --recipe {shlex.quote(named)} --output {shlex.quote(str(folder))} --resume"


def anew(folder: Path) -> str:
    """How to train once more where a run stands that cannot go on."""
    return f"to train anew choose another --output, or give --output {shlex.quote(str(folder))} --overwrite"
