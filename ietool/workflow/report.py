"""A report to look at: why a score is what it is, as one page of HTML."""

from __future__ import annotations

import gc
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from ietool import paths
from ietool.core.contract import Task
from ietool.core.forms import TEXTS, beginning
from ietool.errors import UserError
from ietool.files.outputs import atomic_text
from ietool.progress import Progress, no_progress
from ietool.recipe import Recipe
from ietool.recipe_io import load_recipe
from ietool.registry import TASKS, get_task
from ietool.report.classes.reported import Reported
from ietool.report.classes.sections import Texts, sections
from ietool.report.classes.study import Given, studies
from ietool.report.classes.texts import TEXTS as MOST
from ietool.report.html.page import page
from ietool.runs.checks import EpochScores, read_metrics
from ietool.runs.folder import DEV
from ietool.scoring.classes import ErrorClasses, JudgedBy
from ietool.workflow.judged import OUTCOMES, by_outcomes, check_outcomes, gold_texts, judged_run, keys_of
from ietool.workflow.score import score_files


@contextmanager
def _uncollected() -> Iterator[None]:
    """Nothing is searched for circles meanwhile: outcomes hold none, and to look through hundreds of thousands of them
    again and again takes a quarter of the time."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


@_uncollected()
def report_files(
    gold: Path,
    results: Sequence[Path],
    output: Path,
    *,
    recipe: Recipe | None = None,
    settings: Sequence[str] = (),
    metric: str | None = None,
    options: Mapping[str, Path] | None = None,
    train: Path | None = None,
    most: int = MOST,
    progress: Progress = no_progress,
) -> Reported:
    """Write the report of one submission, or of two on the same texts.

    Args:
        gold: the competition's gold file, plain or packed.
        results: the submissions, one or two.
        output: the page.
        recipe: its task scores; None: told from gold, and its recipe is taken with ``settings``.
        metric: the scoring variant; None: the recipe's, else told from gold.
        options: further files by role: those of the scorer, and the schema.
        train: the file whose names are known.
        most: texts that the page holds at most.

    Raises:
        UserError: what scoring raises; the task cannot be told; or the page cannot be written.
    """
    recipe = recipe or load_recipe(recipe_of(gold), settings)
    task = get_task(recipe.task)
    named = options or {}
    scoring = {role: path for role, path in named.items() if role not in task.class_options}
    own = {role: path for role, path in named.items() if role in task.class_options}
    classes = task.error_classes(JudgedBy(own, gold))
    given = []
    for name, result in zip(short_names(results), results, strict=True):
        report = score_files(recipe, gold, result, metric=metric, options=scoring, outcomes=True, progress=progress)
        metric = report.metric  # of two the second is scored as the first
        given.append(Given(name, report, classes.chances_in(result, report.outcomes)))
    known = None if train is None else names_of(task, recipe, train, metric, classes, progress)
    title = f"{' and '.join(map(str, results))} against {gold}"
    return write(output, title, given, classes, known, most, progress=progress)


def report_runs(
    runs: Sequence[Path], output: Path, *, train: Path | None = None, most: int = MOST, progress: Progress = no_progress
) -> Reported:
    """Write the report of a finished run on its dev set, or of two on the same one, with the curves of their training.

    Where the data that a run was prepared from is still there, its kept candidates are decoded and judged, so that the
    model's probabilities are known; else what it kept of every item is read.

    Raises:
        UserError: it is no run, is not finished, or has kept nothing of dev; or two runs have other dev sets.
    """
    judged = [judged_run(run, progress) for run in runs]
    if any(one.examples is None for one in judged):  # then of all what they kept of every item
        judged = [one if one.examples is None else by_outcomes(one) for one in judged]
        judged = [replace(one, report=replace(one.report, keys=keys_of(judged))) for one in judged]
    first = judged[0]
    for one in judged[1:]:
        if one.task.name != first.task.name:
            what = f"is a run of the task {one.task.name}, {first.run} one of {first.task.name}"
            raise UserError(what, file=one.run, mend="name runs on the same data")
        if list(one.report.keys) != list(first.report.keys) or gold_texts(one) != gold_texts(first):
            raise UserError(f"has another dev set than {first.run}", file=one.run, mend="name runs on the same data")
    classes = first.task.error_classes(JudgedBy(examples=first.examples, assets=first.run))
    for one in judged:
        if one.examples is None:
            check_outcomes(one.run / DEV / OUTCOMES, one.report, classes)
    names = short_names(runs)
    given = [Given(name, one.report, one.chances(classes)) for name, one in zip(names, judged, strict=True)]
    known = None
    if train is not None:
        known = names_of(first.task, first.recipe, train, first.report.metric or None, classes, progress)
    curves = {name: read_metrics(run) for name, run in zip(names, runs, strict=True)}
    title = f"{' and '.join(str(run) for run in runs)} on dev"
    return write(output, title, given, classes, known, most, curves=curves, progress=progress)


def write(
    output: Path,
    title: str,
    given: Sequence[Given],
    classes: ErrorClasses,
    known: Collection[str] | None,
    most: int,
    *,
    curves: Mapping[str, Sequence[EpochScores]] | None = None,
    progress: Progress = no_progress,
) -> Reported:
    """Write a page. Raises UserError where it cannot be written."""
    found = studies(given, classes)
    made = sections(found, classes, Texts(known, most), curves or {})
    text = page(title, made, lead=f"{len(found[0].report.keys):,} texts, {found[0].report.metric}")
    with atomic_text(output) as out:
        out.write(text)
    return Reported(found, classes)


def short_names(files: Sequence[Path]) -> list[str]:
    """The last parts of some paths, as many as tell them apart; of one path all of it."""
    if len({os.path.abspath(path) for path in files}) < len(files) or len(files) == 1:
        return [str(path) if n == 0 else f"{path} ({n + 1})" for n, path in enumerate(files)]
    parts = [Path(os.path.abspath(path)).parts for path in files]
    size = next(n for n in range(1, max(map(len, parts)) + 1) if len({own[-n:] for own in parts}) == len(parts))
    return ["/".join(own[-size:]) for own in parts]


# -- the task of a file


def recipe_of(gold: Path) -> str:
    """The name of the recipe that scores a gold file.

    Raises:
        UserError: no task knows it, or several do.
    """
    begin = beginning(gold)
    if begin is None and not gold.is_file():
        raise UserError("no such file", file=gold, mend="check the path")
    tasks = [
        name for name, _ in TASKS for form in get_task(name).forms if form.role == TEXTS and form.fits(begin or [])
    ]
    able = list(dict.fromkeys(tasks))
    if len(able) != 1:
        what = f"could be of several tasks: {', '.join(able)}" if able else "is of no form that is known"
        raise UserError(what, file=gold, mend="name a recipe of the task: --recipe NAME")
    own = able[0].replace("_", "-")
    names = sorted(name for name in paths.shipped_recipes() if f"{name}-".startswith(f"{own}-"))
    if not names:
        raise UserError(f"no recipe of the task {able[0]} ships", file=gold, mend="name one with --recipe")
    return names[0]


def names_of(
    task: Task[Any],
    recipe: Recipe,
    train: Path,
    metric: str | None,
    classes: ErrorClasses,
    progress: Progress,
) -> set[str]:
    """The names in a file of gold. Raises UserError where it cannot be read."""
    own = classes.seen_in(train)
    if own is not None:
        return own
    report = task.score(train, train, metric=metric, options={}, explain=True, progress=progress)
    return classes.seen(report.outcomes)
