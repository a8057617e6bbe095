"""Kept candidates with the gold that they are of: of a run's dev, of a file, or out of fold for all of train."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ietool.contest.group import OOF, is_group, open_group, resume_group
from ietool.contest.out_of_fold import group_mark
from ietool.core.candidate_files import ABOUT, StoredCandidates
from ietool.core.contract import Task
from ietool.core.forms import check_roles
from ietool.core.groups import GROUPS
from ietool.core.predicting import Decoder
from ietool.errors import UserError
from ietool.recipe import Recipe
from ietool.recipe_io import load_recipe
from ietool.registry import get_task
from ietool.runs.entry import RECIPE_FILE, open_run
from ietool.runs.folder import DEV
from ietool.runs.members import read_members
from ietool.scoring.paired import Ints
from ietool.workflow.members import decoder_of_run
from ietool.workflow.scores import model_mark, open_scores


@dataclass(frozen=True)
class Source:
    """What thresholds are chosen on.

    Attributes:
        recipe: as the run has it now.
        runs: the folders whose recipes are to be changed.
        assets: what a decoder is opened from.
        gold: the examples, beside ``stored``.
        groups: (examples,) of near-duplicates, where they are known.
        named: what the texts are called in messages.
        decoder: of an ensemble; None: that of the recipe.
    """

    task: Task[Any]
    recipe: Recipe
    runs: Sequence[Path]
    assets: Path
    gold: Sequence[Any]
    stored: StoredCandidates
    groups: Ints | None
    named: Path
    decoder: Decoder[Any, Any] | None = None


def open_source(
    run: Path, *, scores: Path | None = None, gold: Path | None = None, files: Mapping[str, Path] | None = None
) -> Source:
    """The candidates of a run, an ensemble or a group of folds.

    Args:
        scores, gold: others than those that were kept when the training was over.
        files: further files that the texts of ``gold`` need, by role; those beside it if none is named.

    Raises:
        UserError: there are none, or they are of another run, recipe or file.
    """
    if (scores is None) != (gold is None):
        raise UserError(
            "--scores and --gold go together",
            mend="give both: a folder of `predict --scores`, and the gold of its input",
        )
    if files and gold is None:
        raise UserError("goes with --gold", field="--file", mend="give --scores and --gold too, or leave it out")
    if is_group(run):
        return _of_folds(run, scores, gold)
    entry = open_run(run)
    recipe = load_recipe(run / RECIPE_FILE)
    task, model = get_task(recipe.task), model_mark(run)
    decoder, assets = decoder_of_run(run, recipe)
    if scores is not None and gold is not None:
        return replace(_of_file(task, recipe, [run], assets, scores, gold, model, files), decoder=decoder)
    prepared = Path(entry.info.prepared)
    members = read_members(run) if entry.info.members else None
    if members is not None and members.join != "mean":
        mend = "tune its members, or join them by --join mean"
        raise UserError(f"joins results by {members.join}: there are no scores to tune on", file=run, mend=mend)
    if not (run / DEV / ABOUT).is_file():
        raise UserError("keeps no scores of dev", file=run, mend="write some by: ietool predict --scores DIR, "
                        "and give --scores DIR --gold GOLD")  # fmt: skip
    source = prepared / f"{DEV}.jsonl"
    if not entry.info.prepared or not source.is_file():
        raise UserError("the prepared data of the run is gone", file=run, mend="give --scores DIR --gold FILE")
    stored = open_scores(run / DEV, recipe=recipe, model=model, source=source)
    return _checked(Source(task, recipe, [run], assets, task.gold(prepared), stored, None, run / DEV, decoder))


def _of_file(
    task: Task[Any],
    recipe: Recipe,
    runs: Sequence[Path],
    assets: Path,
    scores: Path,
    gold: Path,
    model: str | None,
    files: Mapping[str, Path] | None,
) -> Source:
    check_roles(task, files)
    if not gold.is_file():
        raise UserError("no such file", file=gold, mend="check the path")
    stored = open_scores(scores, recipe=recipe, model=model, source=gold)
    opened = task.open_gold_with(recipe, gold, assets, files) if files else task.open_gold(recipe, gold, assets)
    examples = list(opened)
    return _checked(Source(task, recipe, runs, assets, examples, stored, None, scores))


def _of_folds(folder: Path, scores: Path | None, gold: Path | None) -> Source:
    if scores is not None:
        raise UserError("holds folds, whose out-of-fold scores are taken", file=folder, mend="leave --scores out")
    info = open_group(folder).info
    if info.folds < 2:
        mend = f"tune a member: {folder / info.members[0]}, or make one run of them by: ietool ensemble {folder}"
        raise UserError("holds no folds: all of its models have seen all of train", file=folder, mend=mend)
    runs, prepared = [folder / name for name in info.members], Path(info.prepared)
    for run in runs:
        open_run(run)
    recipe, task, source = load_recipe(runs[0] / RECIPE_FILE), get_task(info.task), prepared / "train.jsonl"
    if not source.is_file():
        raise UserError(f"the prepared data is gone: {prepared}", file=folder, mend="prepare it again")
    if info.state != "finished":
        raise UserError("is not finished", file=folder, mend=f"go on with it by {resume_group(folder)}")
    stored = open_scores(folder / OOF, recipe=recipe, model=group_mark(folder, info), source=source)
    groups = np.load(prepared / GROUPS).astype(np.int64)
    return _checked(Source(task, recipe, runs, prepared, task.gold(prepared, "train"), stored, groups, folder / OOF))


def _checked(source: Source) -> Source:
    if len(source.gold) != len(source.stored):
        message = f"holds scores of {len(source.stored):,} texts, gold has {len(source.gold):,}"
        raise UserError(message, file=source.named, mend="predict anew with --scores")
    return source
