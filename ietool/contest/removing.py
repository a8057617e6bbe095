"""Removing run folders: only such, only below ``runs/``, and none that is trained or that an ensemble is made of."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ietool import paths
from ietool.contest.group import open_group
from ietool.errors import UserError
from ietool.runs.entry import GROUP_FILE
from ietool.runs.finding import list_runs, survey_runs
from ietool.runs.folder import LOCK, training_in
from ietool.runs.info import RUN_FILE
from ietool.runs.members import is_ensemble, member_folders, read_members


@dataclass(frozen=True)
class Doomed:
    """A folder to be removed: a run, or a group of runs; its state, and how many bytes it holds."""

    folder: Path
    state: str
    size: int


def doomed(names: Sequence[str]) -> list[Doomed]:
    """The folders that are to be removed; nothing is removed yet.

    Args:
        names: paths of runs or groups, or their names below ``runs/``; none: every run that was interrupted.

    Raises:
        UserError: one is no run, lies outside of ``runs/``, is in training, or is a member of an ensemble that stays.
    """
    states = {run.folder.resolve(): run.state for run in list_runs()}
    if names:
        folders = list(dict.fromkeys(_named(name) for name in names))
    else:
        root = paths.runs_folder().resolve()
        folders = [f for f, state in states.items() if state == "interrupted" and root in f.parents and _is_own(f)]
    for folder in folders:
        _check_idle(folder, states)
    _check_members(folders)
    found = []
    for folder in folders:
        state = "group" if (folder / GROUP_FILE).is_file() else states.get(folder, "damaged")
        found.append(Doomed(folder, state, sum(f.lstat().st_size for f in folder.rglob("*") if f.is_file())))
    return found


def remove(folders: Iterable[Doomed]) -> None:
    """Remove folders that :func:`doomed` gave, and those above them below ``runs/`` that are empty then.

    What tells that a folder is a run goes last: where a removal is interrupted, the same command goes on.
    """
    root = paths.runs_folder().resolve()
    for one in folders:
        folder = _inside(one.folder, root)
        with training_in(folder):
            for entry in sorted(folder.iterdir(), key=lambda path: path.name in (RUN_FILE, GROUP_FILE)):
                if entry.name == LOCK:
                    continue  # held until all else is gone
                if entry.is_dir() and not entry.is_symlink():
                    shutil.rmtree(entry)
                else:
                    entry.unlink(missing_ok=True)
        for left in folder.iterdir():  # the lock, where the system keeps it
            left.unlink()
        folder.rmdir()
        for above in folder.parents:
            if above == root or any(above.iterdir()):
                break
            above.rmdir()


def _named(name: str) -> Path:
    """The folder of a run or group, by its path or its name below ``runs/``, all links followed."""
    root = paths.runs_folder()
    places = [Path(name), root / name]
    place = next((place for place in places if (place / RUN_FILE).exists() or (place / GROUP_FILE).exists()), None)
    if place is not None:
        return _inside(place, root.resolve())
    there = next((place for place in places if place.exists()), None)
    if there is None:
        raise UserError("no such run", file=name, mend="see `ietool runs` for those there are")
    if not there.is_dir():
        raise UserError("is a file, no run", file=there, mend="name the folder of a run")
    _inside(there, root.resolve())
    within = " ".join(str(run.folder) for run in list_runs(there)[:3])
    mend = f"name the runs in it: {within}" if within else "see `ietool runs` for those there are"
    raise UserError(f"is no run: {RUN_FILE} is missing", file=there, mend=mend)


def _inside(place: Path, root: Path) -> Path:
    """A folder below the root, all links followed. Raises UserError if it is not below."""
    folder = place.resolve()
    if folder == root or root not in folder.parents:
        message = f"is not below {root}, where runs are removed"
        raise UserError(message, file=place, mend="remove it yourself if nobody needs it")
    return folder


def _check_idle(folder: Path, states: Mapping[Path, str]) -> None:
    """Raises UserError where a run, or one of a group, is being trained."""
    runs = [folder, *sorted(file.parent.resolve() for file in folder.rglob(RUN_FILE) if file.parent != folder)]
    training = _group_trains(folder) or _group_trains(folder.parent)
    for run in runs:
        with training_in(run):
            training = training or states.get(run) == "training"
    if training:
        mend = "stop it first; where it was copied from another machine, remove the folder yourself"
        raise UserError("is being trained", file=folder, mend=mend)


def _group_trains(folder: Path) -> bool:
    """Whether a folder is that of a group whose members are being trained, one after another."""
    try:
        return (folder / GROUP_FILE).is_file() and open_group(folder).state == "training"
    except UserError:  # a damaged group is trained by nobody
        return False


def _is_own(folder: Path) -> bool:
    """Whether a run goes by itself: not as a member of a group that is at work, which will come to it."""
    return not _group_trains(folder.parent)


def _check_members(folders: Sequence[Path]) -> None:
    """Raises UserError where an ensemble that is to stay refers to a run that is to go."""
    gone = set(folders)
    runs, _ = survey_runs()
    for run in runs:
        place = run.folder.resolve()
        if not is_ensemble(run.folder) or gone & {place, *place.parents}:
            continue
        try:
            info = read_members(run.folder)
            members = [member.resolve() for member in member_folders(run.folder, info)]
        except UserError:  # damaged already
            continue
        for member in members:
            if place not in member.parents and (hit := gone & {member, *member.parents}):
                mend = f"remove {run.folder} too, or make it anew with: ietool ensemble --copy"
                raise UserError(f"{run.folder} is made of it", file=hit.pop(), mend=mend)
