"""``train --folds``: a model for each part of train, trained without it, and what it says of that part."""

from __future__ import annotations

import shlex
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ietool import paths
from ietool.contest.group import (
    ASSIGNMENT,
    Folds,
    GroupEntry,
    cut,
    is_group,
    mark_of,
    new_group,
    open_group,
    owner,
    read_assignment,
    resume_group,
    write_group,
)
from ietool.contest.out_of_fold import Base, has_scores, score_group, score_member
from ietool.core.groups import GROUPS
from ietool.errors import UserError
from ietool.prepared import Prepared, left_out_of
from ietool.progress import Progress, no_progress
from ietool.recipe import Recipe
from ietool.recipe_io import change_recipe, load_recipe, save_recipe
from ietool.registry import get_task
from ietool.runs.entry import GROUP_FILE, RECIPE_FILE, open_run
from ietool.runs.folder import check_output, new_folder, training_in
from ietool.runs.info import RUN_FILE
from ietool.training.device import choose_device, confine
from ietool.training.finite import Diverged
from ietool.training.reached import EpochRow
from ietool.workflow.prepare import LeftOut, prepare, read_done
from ietool.workflow.train import train

_ANEW = "train it anew: remove its folder, then go on with --resume"


@dataclass(frozen=True)
class Listener:
    """Who is told of a group's training.

    Attributes:
        begun: of each member that is to be trained: its name, number and how many there are.
        epoch: of each row of its table.
        done: of each member that is finished: its name and best score.
        note: what the user should know.
    """

    begun: Callable[[str, int, int], None] = lambda name, number, total: None
    epoch: Callable[[EpochRow], None] = lambda row: None
    done: Callable[[str, Mapping[str, Any]], None] = lambda name, best: None
    note: Callable[[str], None] = lambda note: None
    progress: Progress = no_progress


def begin(
    recipe: Recipe,
    *,
    folds: int,
    seeds: int = 1,
    data: Path | None = None,
    files: Mapping[str, Path] | None = None,
    output: Path | None = None,
    overwrite: bool = False,
    skip_bad: bool = False,
    on_prepared: Callable[[Prepared], None] = lambda prepared: None,
    progress: Progress = no_progress,
) -> Path:
    """Prepare all of train, cut it and write down what the group will be; :func:`go_on` trains it.

    Args:
        folds: 1: every member is trained on all of train, and nothing is out of fold.
        seeds: members of each fold, with the recipe's seed and those behind it.
        on_prepared: told what was prepared of all of train.
        output: the group's folder; default: a new one under ``runs/``.

    Returns:
        The group's folder.

    Raises:
        UserError: bad files, too few records for so many folds, or ``output`` will not do.
    """
    if output is not None:
        check_group_output(output, overwrite=overwrite)
    get_task(recipe.task).check(recipe)
    prepared = prepare(recipe, data=data, files=files, skip_bad=skip_bad, latest=True, progress=progress)
    on_prepared(prepared)
    done = read_done(prepared.folder)
    training = recipe.training
    groups = np.load(prepared.folder / GROUPS, allow_pickle=False)
    assignment = cut(groups, folds, training.seed) if folds > 1 else None
    folder = new_folder(paths.runs_folder() / recipe.name) if output is None else output
    folder.mkdir(parents=True, exist_ok=True)
    if is_group(folder):
        (folder / GROUP_FILE).unlink()  # first: what follows must not be taken for the old group
    for left in folder.iterdir():
        shutil.rmtree(left) if left.is_dir() and not left.is_symlink() else left.unlink()
    save_recipe(recipe, folder / RECIPE_FILE)
    if assignment is not None:
        np.save(folder / ASSIGNMENT, assignment, allow_pickle=False)
    info = new_group(
        recipe.name,
        recipe.task,
        folds,
        [training.seed + number for number in range(seeds)],
        prepared=str(prepared.folder.resolve()),
        base=done["fingerprint"],
        assignment="" if assignment is None else mark_of(assignment),
        files={role: str(path.resolve()) for role, path in prepared.sources.items()},
        skip_bad=skip_bad,
    )
    write_group(folder, info)
    return folder


def check_group_output(output: Path, *, overwrite: bool = False) -> None:
    """Raises UserError unless a new group may be made at ``output``; changes nothing."""
    if not is_group(output):
        if overwrite and (output / RUN_FILE).is_file():
            raise UserError("holds a single run, no group of folds", file=output, mend="choose another --output")
        check_output(output)
        return
    entry = open_group(output)
    if overwrite:
        with training_in(output):
            return
    mend = "choose another --output, or give --overwrite to replace it"
    if entry.state != "finished":
        mend = f"go on with it by {resume_group(output)}, {mend}"
    raise UserError(f"holds a group of folds already ({entry.state})", file=output, mend=mend)


def go_on(
    folder: Path,
    *,
    only: str | None = None,
    device: str = "auto",
    minutes: float | None = None,
    listener: Listener | None = None,
) -> GroupEntry:
    """Train what of a group is not finished, each member from where it stopped; then score all of train.

    Args:
        only: the name of the one member to train.
        minutes: in which the trainings of this call are to end, with the best weights so far: of what is left when a
            member begins it has an equal share with those behind it.

    Raises:
        UserError: it is no group, another process trains it, the files have changed, or a member has seen its part.
    """
    entry = open_group(folder)
    if entry.info.state == "finished" and only is None and _all_stand(entry):
        mend = "leave out --resume; to train anew choose another --output, or give --overwrite"
        raise UserError("is finished already", file=folder, mend=mend)
    with training_in(folder):
        return _Training(entry, device, listener or Listener(), minutes).run(only)


def _all_stand(entry: GroupEntry) -> bool:
    """Whether all members are there and finished: one may have been removed, to train it anew."""
    runs = (entry.folder / name for name in entry.info.members)
    return all((run / RUN_FILE).is_file() and open_run(run, weights=False).state == "finished" for run in runs)


class _Training:
    """The training of a group: what its steps share."""

    def __init__(self, entry: GroupEntry, device: str, listener: Listener, minutes: float | None = None) -> None:
        self.deadline = None if minutes is None else time.monotonic() + 60 * minutes
        self.folder, self.info, self.device, self.listener = entry.folder, entry.info, device, listener
        self.recipe = load_recipe(self.folder / RECIPE_FILE)
        self.task = get_task(self.info.task)
        self.files = {role: Path(path) for role, path in self.info.files.items()}
        self.prepared = self.all_of_train()
        self.base: Base | None = None
        if self.info.folds > 1:
            groups = np.load(self.prepared / GROUPS, allow_pickle=False)
            assignment: Folds = read_assignment(self.folder, self.info, groups)
            self.base = Base.open(self.task, self.prepared, assignment)

    def run(self, only: str | None) -> GroupEntry:
        """Train members, all or one; with the last of them the group is finished."""
        if only is not None and self.is_whole(only):
            mend = "leave out --resume; to train it anew remove its folder, then go on with the group"
            raise UserError("is finished already", file=self.folder / only, mend=mend)
        confine(choose_device(self.device))  # before a model that is only asked starts CUDA with all GPUs
        self.change(state="training", **owner())
        asked = [name for name in self.info.members if only in (None, name)]
        waiting = [name for name in asked if not self.is_whole(name)]
        for name in asked:  # those that are whole are looked through too: none may have seen its part
            self.member(self.info.members.index(name) + 1, name, share=max(1, len(waiting)))
            if name in waiting:
                waiting.remove(name)
        if all(map(self.is_whole, self.info.members)):
            best = [run.info.best or {} for run in GroupEntry(self.folder, self.info).runs()]
            scores = {"dev": float(np.mean([one.get("score", 0.0) for one in best]))}
            metric = str(best[0].get("metric", ""))
            if self.base is not None:
                found = score_group(self.folder, self.info, self.recipe, self.base, self.device, self.listener.progress)
                scores |= {"oof": found.score, "low": found.low, "high": found.high}
                metric = found.metric
            self.change(state="finished", scores=scores, metric=metric)
        return GroupEntry(self.folder, self.info)

    def change(self, **changes: Any) -> None:
        """Change fields of ``folds.json``."""
        for name, value in changes.items():
            setattr(self.info, name, value)
        write_group(self.folder, self.info)

    def all_of_train(self) -> Path:
        """The prepared folder of all of train, prepared once more where it is gone."""
        folder = Path(self.info.prepared)
        if read_done(folder).get("fingerprint") == self.info.base:
            return folder
        gone = next((path for path in self.files.values() if not path.is_file()), None)
        if gone is not None:
            raise UserError("is gone since the folds were cut", file=gone, mend="bring it back to go on")
        made = self.prepare_part(None)
        if read_done(made).get("fingerprint") != self.info.base:
            message = "the files have changed since the folds were cut"
            raise UserError(message, file=self.folder, mend="cut them anew with another --output, or with --overwrite")
        self.info.prepared = str(made.resolve())
        return made

    def prepare_part(self, left_out: LeftOut | None) -> Path:
        """The prepared folder without a part of train."""
        return prepare(
            self.recipe,
            files=self.files,
            skip_bad=self.info.skip_bad,
            remembered=False,
            left_out=left_out,
            progress=self.listener.progress,
        ).folder

    def part(self, name: str) -> LeftOut | None:
        """What of train a member must not see; None where it sees all."""
        if self.base is None:
            return None
        return LeftOut(self.prepared, self.base.folds == self.info.fold_of(name))

    def is_whole(self, name: str) -> bool:
        """Whether a member is trained, and has said what there is to say of its part."""
        run = self.folder / name
        return (run / RUN_FILE).is_file() and open_run(run, weights=False).state == "finished" and self.is_scored(name)

    def is_scored(self, name: str) -> bool:
        """Whether a member has said what there is to say of its part."""
        part = self.part(name)
        return part is None or has_scores(self.folder / name, self.base, part.mark)  # type: ignore[arg-type]

    def member(self, number: int, name: str, *, share: int = 1) -> None:
        """Train a member, or what is left of its training; then ask it of its part.

        Args:
            share: how many members, this one among them, have what is left of the time.
        """
        run, part = self.folder / name, self.part(name)
        mark = "" if part is None else part.mark
        seed = self.info.seed_of(name)
        stands = (run / RUN_FILE).is_file()
        if stands:
            info = open_run(run, weights=False)
            if info.info.left_out != mark or load_recipe(run / RECIPE_FILE).training.seed != seed:
                message = "was trained on another part of train than its fold says: its scores would flatter"
                raise UserError(message, file=run, mend=_ANEW)
        if stands and info.state == "diverged":
            raise UserError("has diverged, and would do so again", file=run, mend=self.mend_of(name))
        if not stands or info.state != "finished":
            self.listener.begun(name, number, len(self.info.members))
            prepared = self.prepared if part is None else self.prepare_part(part)
            if stands and (not Path(info.info.prepared).is_dir() or left_out_of(Path(info.info.prepared)) != mark):
                message = "the prepared data that it began with is gone, or of another part of train"
                raise UserError(message, file=run, mend=_ANEW)
            if not stands:  # killed before it had begun
                shutil.rmtree(run, ignore_errors=True)
            left = None if self.deadline is None else max(0.0, self.deadline - time.monotonic()) / 60 / share
            try:
                train(
                    change_recipe(self.recipe, [f"training.seed={seed}"]),
                    prepared=None if stands else prepared,
                    output=run,
                    device=self.device,
                    resume=stands,
                    minutes=left,
                    on_epoch=self.listener.epoch,
                    on_note=self.listener.note,
                    progress=self.listener.progress,
                )
            except Diverged as error:
                error.mend = self.mend_of(name)
                raise
        if part is not None and not self.is_scored(name):
            assert self.base is not None
            fold = self.info.fold_of(name)
            score_member(run, self.base, fold, mark, self.device, self.listener.progress)
        self.listener.done(name, open_run(run).info.best or {})

    def mend_of(self, name: str) -> str:
        """What to do where a member has diverged: the others need not be trained anew."""
        training = self.recipe.training
        rates = f"training.learning_rate (now {training.learning_rate:g})"
        if training.head_learning_rate is not None:
            rates += f" and training.head_learning_rate (now {training.head_learning_rate:g})"
        file, run = (shlex.quote(str(self.folder / inner)) for inner in (RECIPE_FILE, name))
        return f"lower {rates} in {file}, remove {run}, and go on with: {resume_group(self.folder)}"
