"""Groups of folds that cut train alike: every record of train with the members that have not seen it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from ietool.contest.ensemble.gather import Fold, Gathered, told_apart
from ietool.contest.group import GroupEntry, read_assignment
from ietool.contest.out_of_fold import TRAIN, Base
from ietool.core.contract import Task
from ietool.core.groups import GROUPS
from ietool.errors import UserError
from ietool.files.records import digest
from ietool.scoring.paired import Ints
from ietool.workflow.prepare import LeftOut, read_done

_ON_DEV = "leave it out, or choose on dev: --on dev"


@dataclass(frozen=True)
class Records:
    """The records of a fold, as often as they are gone through; they lie on disk."""

    base: Base
    fold: int

    def __iter__(self) -> Iterator[Any]:
        return self.base.records(self.fold)


@dataclass(frozen=True)
class Cut:
    """Train, cut alike by all groups.

    Attributes:
        base: all of train, as it was prepared for the member whose labels stand for all.
        groups: (records,) of near-duplicates, in the order of train.
        metric: the variant by which that member's group was scored.
        columns: a name each: a group, or where it has several seeds one of them. Its members, one a fold, say the same
            of different records, and have one weight.
        of_member: of each member, the number of its column.
    """

    base: Base
    groups: Ints
    metric: str
    columns: Sequence[str]
    of_member: Sequence[int]

    @property
    def folds(self) -> range:
        """Numbers of the folds."""
        return range(int(self.base.folds.max()) + 1)

    def in_turn(self) -> Ints:
        """``groups`` in the order of the texts of one fold after another."""
        return np.concatenate([self.groups[self.base.folds == fold] for fold in self.folds])

    def spread(self, weights: Sequence[float]) -> list[float]:
        """Weights of columns as weights of members."""
        return [weights[column] for column in self.of_member]

    def gathered(self, weights: Sequence[float]) -> list[float]:
        """Weights of members as weights of columns. Raises UserError where members of one column have different ones:
        what they say of train could not be joined with them."""
        found: dict[int, float] = {}
        for column, weight in zip(self.of_member, weights, strict=True):
            if found.setdefault(column, weight) != weight:
                message = f"gives the folds of {self.columns[column]} different weights"
                raise UserError(message, field="--weights", mend=f"give each of these one: {', '.join(self.columns)}")
        return [found[column] for column in range(len(self.columns))]

    def members_of(self, members: Gathered, fold: int) -> Gathered:
        """The members of a fold, in the order of their columns."""
        known = _folds(members)
        mine = np.array([n for n, one in enumerate(known) if one.number == fold])
        edges = np.cumsum([0, *members.groups])
        sizes = [int(np.count_nonzero((mine >= a) & (mine < b))) for a, b in pairwise(edges)]
        column = self.of_member[members.base]

        def some(every: Sequence[Any]) -> list[Any]:
            return [every[n] for n in mine]

        return replace(
            members,
            entries=some(members.entries),
            recipes=some(members.recipes),
            decoders=some(members.decoders),
            marks=some(members.marks),
            groups=[size for size in sizes if size],
            order=list(range(len(mine))),
            base=[self.of_member[n] for n in mine].index(column),
            notes=(),
            folds=some(members.folds),
        )


def one_cut(members: Gathered) -> Cut:
    """What groups of folds have in common.

    Raises:
        UserError: a run is no fold, groups are cut differently or of different records, or a member has seen what it is
            to be asked about.
    """
    known = _folds(members)
    columns = list(dict.fromkeys(one.column for one in known))
    groups = list({one.group.folder: one.group for one in known}.values())
    first = known[members.base].group
    opened = {group.folder: _opened(members.task, group) for group in groups}
    base = opened[first.folder]
    records = _Marks(members.task)
    for group in groups:
        other = opened[group.folder]
        if group.info.assignment != first.info.assignment or records.of(other) != records.of(base):
            message = f"cuts train otherwise than {first.folder}, or another train"
            mend = "train it on the same files with the same --folds, training.seed and data settings, or use --on dev"
            raise UserError(message, file=group.folder, mend=mend)
    for entry, one in zip(members.entries, known, strict=True):
        mine = opened[one.group.folder]
        if entry.info.left_out != LeftOut(mine.folder, mine.folds == one.number).mark:
            message = "was trained on another part of train than its fold says: its scores would flatter"
            raise UserError(message, file=entry.folder, mend=_ON_DEV)
    numbers = np.load(base.folder / GROUPS, allow_pickle=False).astype(np.int64)
    of_member = [columns.index(one.column) for one in known]
    return Cut(base, numbers, first.info.metric, _names(columns), of_member)


def _folds(members: Gathered) -> list[Fold]:
    found = []
    for entry, one in zip(members.entries, members.folds, strict=True):
        if one is None:
            raise UserError("is no fold, and may have seen all of train", file=entry.folder, mend=_ON_DEV)
        if one.group.info.folds < 2:
            message = "is trained on all of train, and nothing is out of fold"
            raise UserError(message, file=one.group.folder, mend=_ON_DEV)
        found.append(one)
    return found


def _names(columns: Sequence[tuple[Path, int]]) -> list[str]:
    folders = list(dict.fromkeys(folder for folder, _ in columns))
    named = dict(zip(folders, told_apart(folders), strict=True))
    several = len(columns) > len(folders)
    return [f"{named[folder]}/seed-{seed}" if several else named[folder] for folder, seed in columns]


def _opened(task: Task[Any], group: GroupEntry) -> Base:
    """All of train of a group, whose cut holds."""
    folder = Path(group.info.prepared)
    if read_done(folder).get("fingerprint") != group.info.base:
        message = f"the prepared data that it was cut of is gone: {folder}"
        raise UserError(message, file=group.folder, mend="prepare it again, with the same recipe, settings and files")
    numbers = np.load(folder / GROUPS, allow_pickle=False)
    return Base.open(task, folder, read_assignment(group.folder, group.info, numbers))


class _Marks:
    """What tells the records of a preparation from others: recipes write them down in ways of their own, and by the
    name that their file had then."""

    def __init__(self, task: Task[Any]) -> None:
        self._task = task
        self._of_file: dict[str, str] = {}

    def of(self, base: Base) -> str:
        """The mark of a preparation's train."""
        if base.mark not in self._of_file:
            mark, kept = hashlib.blake2b(digest_size=16), self._task.kept(base.folder)
            for record in kept.read(base.folder / TRAIN):
                mark.update(digest(kept.identity(record)) + digest(kept.gold(record)))
            self._of_file[base.mark] = mark.hexdigest()
        return self._of_file[base.mark]
