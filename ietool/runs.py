"""Run folders: what is in one, making, finding and listing them.

recipe.yaml          the resolved recipe
run.json             what, when, how far, best score: :class:`ietool.run_info.RunInfo`
metrics.jsonl        a row an epoch
config.json, model.safetensors, vocabulary, schema …     the model, opened by ``from_pretrained``
"""

from __future__ import annotations

import errno
import json
import math
import os
import shlex
import shutil
import socket
import stat
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from pydantic import TypeAdapter, ValidationError

from ietool import paths
from ietool.errors import WHOLE, UserError, cause
from ietool.plain_json import json_kind, load_json
from ietool.recipe import Recipe
from ietool.recipe_io import base_of, differences, load_recipe, save_recipe
from ietool.run_info import FORMAT, RUN_FILE, RunInfo, is_alive, library_versions, read_info, write_info

RECIPE_FILE = "recipe.yaml"
METRICS_FILE = "metrics.jsonl"
WEIGHTS_FILE = "model.safetensors"
CONFIG_FILE = "config.json"

_LOCK = ".training.lock"
"""Held by whoever trains in the folder; the system lets go of it when the process ends, however that comes."""

LOGS = "tensorboard"
DEV = "dev"
"""What the finished model says of dev: its candidates, every item judged, the counts of every text."""
_NO_MODEL = ("checkpoints", LOGS, DEV)


@dataclass(frozen=True)
class RunEntry:
    """A run found on disk."""

    folder: Path
    info: RunInfo

    @property
    def has_weights(self) -> bool:
        return (self.folder / WEIGHTS_FILE).is_file()

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
        """Whether ``train --resume`` can finish it. One that has diverged would do so again."""
        data = self.info.prepared
        return self.state in ("interrupted", "training") and bool(data) and Path(data).is_dir()


@dataclass(frozen=True)
class EpochScores:
    """What is read of a row of ``metrics.jsonl``: the dev scores of the weights themselves and of their average."""

    stage: int
    epoch: int
    best: bool
    loss: float | None = None
    raw: dict[str, float | None] | None = None
    ema: dict[str, float | None] | None = None


# -- make


def create_run(
    recipe: Recipe,
    output: Path | None = None,
    *,
    device: str = "",
    overwrite: bool = False,
    demo: bool = False,
    **facts: Any,
) -> Path:
    """Make a run folder with ``recipe.yaml`` and ``run.json`` in it.

    Args:
        recipe: the resolved recipe.
        output: the folder; None: ``runs/<recipe>/<date-time>`` under the working folder, ``runs/demo/…`` for a demo.
        overwrite: delete the run that stands at ``output``. A folder that is no run of ours is never deleted.
        facts: further fields of :class:`RunInfo`.

    Raises:
        UserError: ``output`` is taken, or cannot be made; nothing is left of it then.
    """
    stood = output is not None and output.is_dir()
    try:
        parent = paths.runs_folder() / ("demo" if demo else "") / recipe.name
        folder = _new_folder(parent) if output is None else _claim(output, overwrite)
    except OSError as error:
        raise _unwritable(error, output) from None
    base = base_of(recipe)
    info = RunInfo(
        recipe=recipe.name,
        task=recipe.task,
        created=datetime.now().astimezone().isoformat(timespec="milliseconds"),
        differences={} if base is None else differences(recipe, base),
        device=device,
        command=[Path(sys.argv[0]).name, *sys.argv[1:]],
        versions=library_versions(),
        process=os.getpid(),
        host=socket.gethostname(),
        demo=demo,
        format=FORMAT,
        **facts,
    )
    try:
        save_recipe(recipe, folder / RECIPE_FILE)
        write_info(folder, info)
    except UserError:  # the disk is full: half a run would stand in the way of the next try
        _empty(folder)
        if not stood:
            folder.rmdir()
        raise
    return folder


def _new_folder(parent: Path) -> Path:
    parent.mkdir(parents=True, exist_ok=True)
    stamp = datetime.now().strftime("%Y%m%d-%H%M%S")
    number = 1
    while True:
        folder = parent / (stamp if number == 1 else f"{stamp}-{number}")
        try:
            folder.mkdir()
            return folder
        except FileExistsError:
            number += 1


def _unwritable(error: OSError, output: Path | None) -> UserError:
    where = error.filename or output or paths.runs_folder()
    mend = "choose another --output" if output is not None else f"use --output DIR, or {paths.home_mend()}"
    return UserError(f"cannot make the run folder ({error.strerror})", file=where, mend=mend)


def check_output(output: Path | None, *, overwrite: bool = False) -> None:
    """Raises UserError unless a new run may be made at ``output``, by default under ``runs/``; changes nothing."""
    place = paths.runs_folder() if output is None else output
    # A link to nowhere exists for nobody but mkdir, which then tells of it.
    standing = next(folder for folder in (place, *place.absolute().parents) if folder.exists())
    if standing.is_dir():
        try:
            tempfile.TemporaryFile(dir=standing).close()
        except OSError as error:
            error.filename = str(place)
            raise _unwritable(error, output) from None
    elif standing != place:
        raise _unwritable(NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(place)), output)
    if output is None:
        return
    if output.exists() and not output.is_dir():
        raise UserError("is a file, a folder is needed", file=output, mend="choose another --output")
    if not output.is_dir() or not any(output.iterdir()):
        return
    info = read_info(output)
    if info is None:
        raise UserError("is not empty and is no run of ietool", file=output, mend="choose another --output")
    if overwrite:
        with training_in(output):
            return
    entry = RunEntry(output, info)
    mend = "choose another --output, or give --overwrite to replace it"
    if entry.can_go_on:
        mend = f"go on with it by {resume_command(output, info.recipe)}, {mend}"
    raise UserError(f"holds a run already ({entry.state})", file=output, mend=mend)


def _claim(output: Path, overwrite: bool) -> Path:
    check_output(output, overwrite=overwrite)
    output.mkdir(parents=True, exist_ok=True)
    _empty(output)
    return output


def _empty(folder: Path) -> None:
    for entry in folder.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()


def resume_command(folder: Path, recipe: str) -> str:
    """The command that goes on with a run, as it can be typed."""
    named = recipe if recipe in paths.shipped_recipes() else str(folder)
    return f"ietool train --recipe {shlex.quote(named)} --output {shlex.quote(str(folder))} --resume"


def anew(folder: Path) -> str:
    """How to train once more where a run stands that cannot go on."""
    return f"to train anew choose another --output, or give --output {shlex.quote(str(folder))} --overwrite"


def check_resumed(folder: Path) -> RunEntry:
    """The run in a folder, which can go on.

    Raises:
        UserError: it cannot: it is no run, is finished, or its prepared data is gone.
    """
    entry = open_run(folder, weights=False)
    if entry.state == "finished":
        raise UserError("is finished already", file=folder, mend=f"leave out --resume; {anew(folder)}")
    if not entry.info.prepared or not Path(entry.info.prepared).is_dir():
        raise UserError(
            "cannot go on: its prepared data is gone", file=folder, mend=f"leave out --resume; {anew(folder)}"
        )
    return entry


@contextmanager
def training_in(folder: Path) -> Iterator[None]:
    """Keep all other processes from training in a run folder.

    Raises:
        UserError: one does already.
    """
    lock = FileLock(folder / _LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise UserError(
            "is being trained by another process", file=folder, mend="wait for it, or stop it first"
        ) from None
    except OSError as error:
        raise _unwritable(error, folder) from None
    try:
        yield
    finally:
        lock.release()


def update_run(folder: Path, **changes: Any) -> RunInfo:
    """Change fields of ``run.json`` atomically. Raises KeyError for an unknown field, UserError if it is no run."""
    info = open_run(folder, weights=False).info
    known = {f.name for f in fields(RunInfo)}
    for name, value in changes.items():
        if name not in known:
            raise KeyError(name)
        setattr(info, name, value)
    if changes.get("state") == "training":  # a resumed run belongs to the process that resumed it
        info.process, info.host = os.getpid(), socket.gethostname()
    write_info(folder, info)
    return info


def model_files(folder: Path) -> list[str]:
    """The files of a run that are part of its model, by their names within the folder: not checkpoints or logs."""
    names = (path.relative_to(folder).as_posix() for path in sorted(folder.rglob("*")))
    return [name for name in names if is_model_file(folder, name)]


def is_model_file(folder: Path, name: str) -> bool:
    """Whether a name, which may be a stranger's, is that of a file of the model: a regular file within the folder that
    is reached without any link, is not hidden, and belongs to no checkpoint, log or text of dev."""
    parts = name.split("/")
    if "\0" in name or "\\" in name or any(not part or part.startswith(".") for part in parts):
        return False
    if parts[0] in _NO_MODEL:
        return False
    path = folder
    for part in parts:
        path = path / part
        try:
            mode = path.lstat().st_mode
        except (OSError, ValueError):
            return False
        if stat.S_ISLNK(mode):
            return False
    return stat.S_ISREG(mode)


_LONGEST_HEADER = 100 << 20
"""Bytes of the header of weights, as safetensors itself has it."""


def count_parameters(folder: Path) -> int:
    """Numbers in a run's weights, read from the header of the file alone. Raises UserError if it is damaged."""
    path = folder / WEIGHTS_FILE
    try:
        with path.open("rb") as stream:
            size = int.from_bytes(stream.read(8), "little")
            if size > min(path.stat().st_size, _LONGEST_HEADER):
                raise ValueError("it is cut off, or of another kind")
            header = load_json(stream.read(size).decode("utf-8"))
        shapes = [entry["shape"] for name, entry in header.items() if name != "__metadata__"]
        if not all(type(side) is int and 0 <= side < 1 << 48 for shape in shapes for side in shape):
            raise ValueError("it has sizes that are none")
        return sum(map(math.prod, shapes))
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise UserError(f"is damaged ({cause(error)})", file=path, mend=WHOLE) from None


def files_of(folder: Path) -> list[Path]:
    """The files that a training wrote into a run folder, as far as they are known; no predictions that lie there."""
    known = {RECIPE_FILE, RUN_FILE, METRICS_FILE, WEIGHTS_FILE, "config.json"}
    return [folder / name for name in sorted(known | set(open_run(folder).info.files))]


# -- find


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


def latest_run(recipe: str) -> Path:
    """The folder of the newest finished run of a recipe; those of the demo and self-checks (``--overfit``) are no model
    to use, and one that is not finished must be named.

    Raises:
        UserError: there is none.
    """
    mine = [entry for entry in list_runs() if entry.info.recipe == recipe and entry.has_weights]
    real = [entry for entry in mine if not entry.info.overfit and not entry.is_demo]
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
    for entry in list_runs():
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
    for folder in _run_folders(root or paths.runs_folder(), depth=3):  # runs/demo/RECIPE/DATE-TIME
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


_MOST = 1 << 31
"""No size of a model is larger, in any unit."""
_MOST_LAYERS = 10_000


def read_settings(path: Path) -> dict[str, Any]:
    """The settings of a model, ``config.json``.

    Raises:
        UserError: it is missing or no JSON object, or has numbers that no model has, for which memory would be taken
            before its weights tell that they do not fit.
    """
    try:
        settings = load_json(path.read_text(encoding="utf-8"))
        if not isinstance(settings, dict):
            raise ValueError(f"it is {json_kind(settings)}, an object is needed")
        _check_numbers(settings)
    except FileNotFoundError:
        raise UserError("is missing", file=path, mend=WHOLE) from None
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"is damaged ({cause(error)})", file=path, mend=WHOLE) from None
    return settings


def _check_numbers(value: Any, key: str = "") -> None:
    """Raise ValueError for a number that is out of all bounds, and for one of layers that no model has."""
    if isinstance(value, dict):
        for name, part in value.items():
            _check_numbers(part, name)
    elif isinstance(value, list):
        for part in value:
            _check_numbers(part, key)
    elif isinstance(value, int | float) and abs(value) > (_MOST_LAYERS if "layers" in key else _MOST):
        raise ValueError(f"{key} is {value}")


def read_metrics(folder: Path) -> list[EpochScores]:
    """The rows of a run's ``metrics.jsonl``; none where there is no such file.

    Raises:
        UserError: naming the line that is no row.
    """
    path = folder / METRICS_FILE
    if not path.is_file():
        return []
    rows: list[EpochScores] = []
    try:
        with path.open(encoding="utf-8") as lines:
            rows.extend(_row_of()(json.loads(line)) for line in lines)
    except (OSError, ValueError, RecursionError) as error:
        what = error.errors()[0]["msg"] if isinstance(error, ValidationError) else cause(error)
        raise UserError(f"is damaged ({what})", file=path, line=len(rows) + 1, mend=WHOLE) from None
    return rows


@cache
def _row_of() -> Callable[[Any], EpochScores]:
    return TypeAdapter(EpochScores).validate_python


def _run_folders(root: Path, depth: int) -> Iterator[Path]:
    try:
        if (root / RUN_FILE).exists():
            yield root
        elif depth and root.is_dir():
            for child in sorted(root.iterdir()):
                if child.is_dir():
                    yield from _run_folders(child, depth - 1)
    except OSError:  # a folder that we may not look into holds no run of ours
        return


def _moment(created: str) -> float:
    try:
        return datetime.fromisoformat(created).timestamp()
    except (ValueError, OverflowError, OSError):  # no moment, or one that no clock knows
        return 0.0
