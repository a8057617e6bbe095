"""What models say of records that they have not seen: of a member of its own part of train, of a group of all of it."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ietool.contest.counting import judged
from ietool.contest.group import OOF, Folds, Group
from ietool.core.candidate_files import ABOUT, CandidateWriter, StoredCandidates, read_candidates
from ietool.core.candidates import PRODUCT, Candidates, Floor, Layout, merged, union
from ietool.core.contract import Task
from ietool.files.outputs import replace_folder
from ietool.progress import Progress
from ietool.recipe import Recipe
from ietool.recipe_io import load_recipe
from ietool.runs.entry import RECIPE_FILE
from ietool.scoring.intervals import bootstrap
from ietool.training.device import autocast
from ietool.workflow.predict import Loaded
from ietool.workflow.scores import about_scores, file_mark, floor_below, model_mark

TRAIN = "train.jsonl"
_EVERY = 64


@dataclass(frozen=True)
class Base:
    """All of train, as it was prepared.

    Attributes:
        folder: of the preparation.
        mark: of its ``train.jsonl``.
        folds: (records,) the fold of each record.
    """

    task: Task[Any]
    folder: Path
    mark: str
    folds: Folds

    @classmethod
    def open(cls, task: Task[Any], folder: Path, folds: Folds) -> Base:
        """Of a prepared folder."""
        return cls(task, folder, file_mark(folder / TRAIN), folds)

    def records(self, fold: int | None = None) -> Iterator[Any]:
        """The records of a fold, or all, in the order of ``train.jsonl``."""
        rows = None if fold is None else np.flatnonzero(self.folds == fold).tolist()
        return self.task.kept(self.folder).read(self.folder / TRAIN, rows)


def has_scores(run: Path, base: Base, left_out: str) -> bool:
    """Whether a finished member has said already what there is to say of its part."""
    if not (run / OOF / ABOUT).is_file():
        return False
    about = read_candidates(run / OOF).about
    return about.get("left_out") == left_out and about.get("input") == base.mark and about["model"] == model_mark(run)


def score_member(run: Path, base: Base, fold: int, left_out: str, device: str, progress: Progress) -> None:
    """Write into ``oof`` of a finished member what it says of the records that it was trained without."""
    loaded = Loaded(run, device)
    reader, decoder = loaded.predictor.reader, loaded.predictor.decoder
    floor = floor_below(reader, decoder, loaded.recipe.decode)
    about = about_scores(loaded.recipe, run, "train", base.mark) | {"left_out": left_out}
    found = (one for _, one in reader.propose(base.records(fold), floor=floor))
    _write(run / OOF, reader.layout, floor, _told(found, loaded, progress), about)


def _told(found: Iterator[Candidates], loaded: Loaded, progress: Progress) -> Iterator[Candidates]:
    step, done = "candidates out of fold", 0
    with autocast(loaded.device, loaded.precision):
        for done, one in enumerate(found, 1):
            if done % _EVERY == 0:
                progress(step, done, None)
            yield one
    progress(step, done, done)


def _write(folder: Path, layout: Layout, floor: Floor, found: Iterator[Candidates], about: Mapping[str, Any]) -> None:
    with _whole(folder) as part, CandidateWriter(part, layout, floor, about) as writer:
        for one in found:
            writer.add(one)


@contextmanager
def _whole(folder: Path) -> Iterator[Path]:
    """A folder that is put in its place when all went well."""
    part = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        yield part
        replace_folder(part, folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)


@dataclass(frozen=True)
class OutOfFold:
    """The score of all of train out of fold: (low, high) is its interval; ``metric`` is the variant."""

    score: float
    low: float
    high: float
    metric: str


def members_by_fold(group: Path, info: Group) -> list[list[Path]]:
    """The members of each fold."""
    return [[group / name for name in info.members if info.fold_of(name) == fold] for fold in range(info.folds)]


def group_mark(group: Path, info: Group) -> str:
    """What tells the models of a group from all others."""
    runs = (run for runs in members_by_fold(group, info) for run in runs)
    return hashlib.sha256("".join(map(model_mark, runs)).encode()).hexdigest()


def score_group(group: Path, info: Group, recipe: Recipe, base: Base, device: str, progress: Progress) -> OutOfFold:
    """Write into ``oof`` of a group what its members say of all of train, and score that.

    Every record is asked of the members of its own fold alone, and decided by the settings of the first of them. What
    several seeds propose is scored by each, one model at a time, and averaged.
    """
    members = members_by_fold(group, info)
    scratch = group / ".scored"
    shutil.rmtree(scratch, ignore_errors=True)
    try:
        stored = [
            _of_fold(runs, base, fold, scratch / str(fold), device, progress) for fold, runs in enumerate(members)
        ]
        layout, floor = stored[0][0].layout, _common([one.floor for own in stored for one in own])
        about = about_scores(recipe, members[0][0], "train", base.mark)
        about |= {"model": group_mark(group, info), "folds": info.assignment}
        with _whole(group / OOF) as part, CandidateWriter(part, layout, floor, about) as writer:
            return _judge(_in_order(base, stored), base, [runs[0] for runs in members], writer, progress)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _of_fold(
    runs: Sequence[Path], base: Base, fold: int, scratch: Path, device: str, progress: Progress
) -> list[StoredCandidates]:
    """What each seed of a fold says of the same rows of its records."""
    proposed = [read_candidates(run / OOF) for run in runs]
    if len(runs) == 1:
        return proposed
    scored = []
    for run, own in zip(runs, proposed, strict=True):
        loaded = Loaded(run, device)
        asked = (
            (record, replace(mine, rows=rows, parts=np.zeros((len(rows), len(own.layout.parts)), np.float32)))
            for record, mine, rows in zip(base.records(fold), own, map(union, zip(*proposed, strict=True)), strict=True)
        )
        found = (one for _, one in loaded.predictor.reader.score(asked))
        _write(scratch / run.name, own.layout, own.floor, _told(found, loaded, progress), own.about)
        scored.append(read_candidates(scratch / run.name))
    return scored


def _common(floors: Sequence[Floor]) -> Floor:
    """The floor above which all hold everything."""
    names = {name for floor in floors for name in floor.parts or {}} - {PRODUCT}
    ceilings = {name for floor in floors for name in floor.ceilings or {}}
    parts = {name: max(floor.of(name) for floor in floors) for name in sorted(names)}
    if product := max(floor.of(PRODUCT) for floor in floors):
        parts[PRODUCT] = product
    return Floor(
        max(floor.default for floor in floors),
        parts or None,
        {name: min(floor.ceiling(name) for floor in floors) for name in sorted(ceilings)} or None,
    )


def _in_order(base: Base, stored: Sequence[Sequence[StoredCandidates]]) -> Iterator[Candidates]:
    """The candidates of all records, in the order of train."""
    of_fold = [map(merged, zip(*own, strict=True)) if len(own) > 1 else iter(own[0]) for own in stored]
    for fold in base.folds.tolist():
        yield next(of_fold[fold])


def _judge(
    found: Iterator[Candidates], base: Base, runs: Sequence[Path], writer: CandidateWriter, progress: Progress
) -> OutOfFold:
    """Keep candidates, and score the predictions that each record's member makes of them."""
    task = base.task
    recipes = [load_recipe(run / RECIPE_FILE) for run in runs]
    decoders = [task.decoder(recipe, run) for recipe, run in zip(recipes, runs, strict=True)]

    def predicted() -> Iterator[tuple[Any, Any]]:
        for record, one, fold in zip(base.records(), found, base.folds.tolist(), strict=True):
            writer.add(one)
            yield record, decoders[fold].decode(record, one, recipes[fold].decode)

    def told(done: int) -> None:
        progress("score out of fold", done, len(base.folds))

    report = judged(task, recipes[0], predicted(), told)
    assert report.counts is not None and report.measures is not None
    low, high = bootstrap(report.counts, report.measures, resamples=1000)[report.primary]
    return OutOfFold(float(report.values[report.primary]), low, high, report.metric)
