"""Making a run folder, changing it, and what of it belongs to the model."""

from __future__ import annotations

import errno
import math
import os
import shutil
import socket
import stat
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from datetime import datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from ietool import paths
from ietool.errors import WHOLE, UserError, cause
from ietool.files.plain_json import load_json
from ietool.recipe import Recipe
from ietool.recipe_io import base_of, differences, save_recipe
from ietool.runs.entry import (
    CONFIG_FILE,
    GROUP_FILE,
    METRICS_FILE,
    RECIPE_FILE,
    WEIGHTS_FILE,
    RunEntry,
    anew,
    open_run,
    resume_command,
)
from ietool.runs.info import FORMAT, RUN_FILE, RunInfo, library_versions, read_info, write_info
from ietool.runs.members import COPIES, ENSEMBLE_FILE, is_ensemble, member_folders, read_members

LOCK = ".training.lock"
"""Held by whoever trains in the folder; the system lets go of it when the process ends, however that comes."""

LOGS = "tensorboard"
DEV = "dev"
"""What the finished model says of dev: its candidates, every item judged, the counts of every text."""
_NO_MODEL = ("checkpoints", LOGS, DEV)


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
        folder = new_folder(parent) if output is None else _claim(output, overwrite)
    except OSError as error:
        raise _unwritable(error, output) from None
    base = base_of(recipe)
    info = RunInfo(
        recipe=recipe.name,
        task=recipe.task,
        created=datetime.now().astimezone().isoformat(timespec="milliseconds"),
        differences={} if base is None else differences(recipe, base),
        device=device,
        # Names of files need not be UTF-8, what is written must be.
        command=[word.encode("utf-8", "backslashreplace").decode() for word in (Path(sys.argv[0]).name, *sys.argv[1:])],
        versions=library_versions(),
        process=os.getpid(),
        host=socket.gethostname(),
        demo=demo,
        format=FORMAT,
        **facts,
    )
    try:
        str(folder.resolve()).encode()
    except UnicodeEncodeError:  # the library of weights takes no other names
        _empty(folder)
        what = "has a name that is not UTF-8, or lies in a folder that has one"
        raise UserError(what, file=folder, mend="choose another place") from None
    try:
        save_recipe(recipe, folder / RECIPE_FILE)
        write_info(folder, info)
    except UserError:  # the disk is full: half a run would stand in the way of the next try
        _empty(folder)
        if not stood:
            folder.rmdir()
        raise
    return folder


def new_folder(parent: Path) -> Path:
    """A folder of its own under ``parent``, named by date and time."""
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
    if (output / GROUP_FILE).is_file():
        raise UserError("holds a group of folds, no single run", file=output, mend="choose another --output")
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


def check_resumed(folder: Path) -> RunEntry:
    """The run in a folder, which can go on.

    Raises:
        UserError: it cannot: it is no run, is finished or has diverged, or its prepared data is gone.
    """
    if not folder.exists() or (folder.is_dir() and not (folder / RUN_FILE).is_file()):
        raise UserError("holds no run that could go on", file=folder, mend="leave out --resume to start one")
    entry = open_run(folder, weights=False)
    if entry.state == "finished":
        raise UserError("is finished already", file=folder, mend=f"leave out --resume; {anew(folder)}")
    if entry.state == "diverged":
        raise UserError("has diverged, and would do so again", file=folder, mend=f"leave out --resume; {anew(folder)}")
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
    lock = FileLock(folder / LOCK)
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
    inner = parts[2:] if parts[0] == COPIES else parts
    if not inner or inner[0] in _NO_MODEL:
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
    """Numbers in a run's weights, read from the header of the file alone; of an ensemble those of its members. Raises
    UserError if it is damaged."""
    if is_ensemble(folder):
        return sum(map(count_parameters, member_folders(folder, read_members(folder))))
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
    known = {RECIPE_FILE, RUN_FILE, METRICS_FILE, WEIGHTS_FILE, CONFIG_FILE}
    if is_ensemble(folder):
        members = [file for member in member_folders(folder, read_members(folder)) for file in files_of(member)]
        return [*members, *(folder / name for name in (RECIPE_FILE, RUN_FILE, ENSEMBLE_FILE))]
    return [folder / name for name in sorted(known | set(open_run(folder).info.files))]
