"""A group of folds: runs of one recipe side by side in a folder, each trained without one part of train.

folds.json           what the group is: :class:`Group`
folds.npy            (records,) of the base's ``train.jsonl``: the number of each record's fold
recipe.yaml          the resolved recipe
fold-1-seed-42 …     the members, each a run folder of its own, with what it says of its own part in ``oof``
oof                  what they say of all of train
"""

from __future__ import annotations

import hashlib
import os
import shlex
import socket
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from random import Random
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
from pydantic import Field

from ietool.errors import UserError, cause
from ietool.files.outputs import atomic_text
from ietool.files.plain_json import dump_json
from ietool.files.typed_json import read_typed
from ietool.runs.entry import GROUP_FILE, RunEntry, open_run
from ietool.runs.info import RUN_FILE, is_alive

ASSIGNMENT = "folds.npy"
OOF = "oof"
"""Of a group and of each member: candidates of records whose models have not seen them."""
FORMAT = 1

Folds = npt.NDArray[np.int16]

_ANEW = "cut the folds anew with another --output, or with --overwrite"


@dataclass
class Group:
    """``folds.json``.

    Attributes:
        recipe: its name.
        folds: parts of train; 1: every member is trained on all of it, and there is nothing out of fold.
        seeds: of the members of each fold.
        prepared: the folder of all of train.
        base: the fingerprint of that folder.
        assignment: the mark of ``folds.npy``; empty where there is one fold.
        files: role → file that was prepared.
        skip_bad: whether bad records were left out.
        members: folders of the runs, fold by fold.
        state: training or finished.
        scores: the mean dev score of the members (``dev``), and the score of all of train out of fold with its interval
            (``oof``, ``low``, ``high``).
        metric: the variant that these are of.
        process, host: who trains, or has trained last.
    """

    recipe: str
    task: str
    folds: Annotated[int, Field(ge=1)]
    seeds: list[int]
    prepared: str
    base: str
    assignment: str
    files: dict[str, str]
    members: list[str]
    created: str = ""
    skip_bad: bool = False
    state: str = "training"
    scores: dict[str, float] = field(default_factory=dict)
    metric: str = ""
    process: int | None = None
    host: str = ""
    format: int = FORMAT

    def fold_of(self, member: str) -> int:
        """The number of a member's fold, from 0."""
        return self.members.index(member) // len(self.seeds)

    def seed_of(self, member: str) -> int:
        """The seed of a member."""
        return self.seeds[self.members.index(member) % len(self.seeds)]


@dataclass(frozen=True)
class GroupEntry:
    """A group found on disk."""

    folder: Path
    info: Group

    @property
    def state(self) -> str:
        """As recorded, but one whose process is gone is interrupted."""
        if self.info.state != "finished" and not is_alive(self.info):
            return "interrupted"
        return self.info.state

    def runs(self) -> list[RunEntry]:
        """The members that are there, whole or not."""
        found = (self.folder / name for name in self.info.members)
        return [open_run(folder, weights=False) for folder in found if (folder / RUN_FILE).is_file()]


def new_group(recipe: str, task: str, folds: int, seeds: Sequence[int], **facts: Any) -> Group:
    """A group that begins now."""
    parts = [f"fold-{k + 1}-" for k in range(folds)] if folds > 1 else [""]
    members = [f"{part}seed-{seed}" for part in parts for seed in seeds]
    now = datetime.now().astimezone().isoformat(timespec="milliseconds")
    return Group(recipe, task, folds, list(seeds), members=members, created=now, **owner(), **facts)


def owner() -> dict[str, Any]:
    """The fields of :class:`Group` that tell who trains: this process."""
    return {"process": os.getpid(), "host": socket.gethostname()}


def is_group(folder: Path) -> bool:
    """Whether a folder is that of a group."""
    return (folder / GROUP_FILE).is_file()


def open_group(folder: Path) -> GroupEntry:
    """The group in a folder. Raises UserError if there is none, or a damaged one."""
    info = read_typed(folder / GROUP_FILE, Group, newest=FORMAT, lacking="is no group of folds", check=_check)
    return GroupEntry(folder, info)


def _check(info: Group) -> None:
    """Raise ValueError where the fields of a group do not fit together."""
    if len(info.members) != info.folds * len(info.seeds) or len(set(info.members)) != len(info.members):
        raise ValueError(f"{len(info.members)} members of {info.folds} folds and {len(info.seeds)} seeds")
    if any(Path(name).name != name or name in ("", ".", "..") for name in info.members):
        raise ValueError("a member is no folder within it")


def write_group(folder: Path, info: Group) -> None:
    """Write ``folds.json`` atomically."""
    with atomic_text(folder / GROUP_FILE) as out:
        out.write(dump_json(asdict(info), indent=2) + "\n")


def groups_of(runs: Sequence[RunEntry]) -> list[tuple[GroupEntry | None, list[RunEntry]]]:
    """Runs by the group that they are members of, in the order of their first; those that are of none, and those of a
    damaged one, stand alone."""
    found: dict[Path, tuple[GroupEntry | None, list[RunEntry]]] = {}
    for run in runs:
        group, members = found.get(run.folder.parent, (None, []))
        if group is not None and run.folder.name in group.info.members:
            members.append(run)
        else:
            group = _group_with(run)
            found[run.folder if group is None else run.folder.parent] = (group, [run])
    for group, members in found.values():
        if group is not None:
            members.sort(key=lambda run: group.info.members.index(run.folder.name))
    return list(found.values())


def _group_with(run: RunEntry) -> GroupEntry | None:
    try:
        group = open_group(run.folder.parent) if is_group(run.folder.parent) else None
    except UserError:
        return None
    return group if group is not None and run.folder.name in group.info.members else None


def group_of(run: Path) -> Path | None:
    """The folder of the group that a run is a member of, if any."""
    folder = run.parent
    return folder if is_group(folder) and run.name in open_group(folder).info.members else None


def resume_group(folder: Path) -> str:
    """The command that goes on with a group, as it can be typed."""
    return f"ietool train --resume --output {shlex.quote(str(folder))}"


# -- which record is of which fold


def cut(groups: npt.NDArray[np.integer[Any]], folds: int, seed: int) -> Folds:
    """Folds of about equal size, near-duplicates together: the largest groups first, each into the smallest fold.

    Args:
        groups: (records,) the number of each record's group.
        folds: two or more.
        seed: decides where groups of one size go.

    Returns:
        (records,): the fold of each, from 0.

    Raises:
        UserError: there are fewer groups than folds.
    """
    numbers, members, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    if len(numbers) < folds:
        message = f"train has {len(numbers):,} records that are not alike, {folds} folds need as many at least"
        raise UserError(message, field="--folds", mend="ask for fewer folds")
    order = list(range(len(numbers)))
    Random(f"folds/{seed}").shuffle(order)
    order.sort(key=lambda number: -int(sizes[number]))  # stable: those of one size stay shuffled
    filled, fold_of = np.zeros(folds, np.int64), np.zeros(len(numbers), np.int16)
    for number in order:
        fold = int(filled.argmin())
        fold_of[number] = fold
        filled[fold] += sizes[number]
    found: Folds = fold_of[members]
    return found


def mark_of(assignment: Folds) -> str:
    """What tells folds from all others."""
    return hashlib.blake2b(assignment.astype("<i2").tobytes(), digest_size=16).hexdigest()


def check_folds(assignment: Folds, groups: npt.NDArray[np.integer[Any]], folds: int) -> None:
    """Raise ValueError where folds leak: where two records of one group are in different folds; or do not fit."""
    if assignment.shape != groups.shape:
        raise ValueError(f"there are {len(groups):,} records, not {len(assignment):,}")
    if not np.isin(assignment, np.arange(folds)).all() or len(np.unique(assignment)) != folds:
        raise ValueError(f"they are not {folds} folds")
    _, first, members = np.unique(groups, return_index=True, return_inverse=True)
    straddling = np.flatnonzero(assignment != assignment[first[members]])
    if len(straddling):
        row = int(straddling[0])
        other = int(first[members[row]])
        raise ValueError(f"record {row + 1} is alike to record {other + 1}, which is of another fold")


def read_assignment(folder: Path, info: Group, groups: npt.NDArray[np.integer[Any]]) -> Folds:
    """The fold of each record.

    Raises:
        UserError: they are not those that the group began with, or leak.
    """
    path = folder / ASSIGNMENT
    try:
        assignment: Folds = np.load(path, allow_pickle=False)
        check_folds(assignment, groups, info.folds)
        if mark_of(assignment) != info.assignment:
            raise ValueError("they are not those that the members were trained with")
    except (OSError, ValueError, EOFError) as error:
        raise UserError(f"the folds do not hold ({cause(error)})", file=path, mend=_ANEW) from None
    return assignment
