"""How long an epoch takes here: each recipe that fits is trained for some steps on the beginning of train."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ietool.contest.compete.ground import fitting
from ietool.core.contract import Task
from ietool.errors import UserError
from ietool.inspect.finding import Corpus, Split
from ietool.inspect.survey import SplitSurvey, files_for
from ietool.progress import Progress, no_progress
from ietool.recipe import Recipe, pretrained_of
from ietool.recipe_io import load_recipe
from ietool.registry import get_task

NEEDS = "needs its encoder: name one with --encoder to measure it"


@dataclass(frozen=True)
class Fit:
    """A recipe that reads this form.

    Attributes:
        recipe: its name.
        head: how it solves the task.
        encoder: the pretrained one that it needs, as the recipe names it; None: it is trained from scratch.
        epochs: that it trains.
        seconds: of an epoch of all of train on this machine; None where it was not measured.
        scoring: seconds of scoring dev after each epoch.
        why: it was not measured.
    """

    recipe: str
    head: str
    encoder: str | None
    epochs: int
    seconds: float | None = None
    scoring: float | None = None
    why: str = ""

    @property
    def whole(self) -> float | None:
        """Seconds of all its epochs."""
        return None if self.seconds is None else self.epochs * (self.seconds + (self.scoring or 0.0))


def fits(
    corpus: Corpus,
    found: Sequence[SplitSurvey],
    *,
    measured: bool = True,
    encoder: str | None = None,
    device: str = "auto",
    progress: Progress = no_progress,
) -> list[Fit]:
    """The recipes for a corpus, the most promising first.

    What is measured is real steps on the beginning of train, scaled by the characters of all of it.

    Args:
        found: what was counted of its files.
        measured: whether speeds are measured.
        encoder: folder or hub id of a pretrained one, with which recipes that need one are measured; None: they are
            not, since whether theirs is at hand only the user knows.
    """
    task = get_task(corpus.task)
    train = next((one for one in found if one.split.learnt), None)
    path = train.split.path if train is not None else corpus.splits[0].path
    recipes = fitting(task, path)
    if train is None or not train.records:
        why = "there is no train file" if train is None else "train has no good record"
        return [_fit(recipe, why=why) for recipe in recipes]
    if not measured:
        return [_fit(recipe, why="not measured") for recipe in recipes]
    made = []
    with tempfile.TemporaryDirectory(prefix="ietool-") as scratch:
        beginnings: dict[str, Path] = {}
        for number, recipe in enumerate(recipes):
            progress("measure the speed", number, len(recipes))
            if pretrained_of(recipe) is not None:
                if encoder is None:
                    made.append(_fit(recipe, why=NEEDS))
                    continue
                recipe = load_recipe(recipe.name, [f"model.encoder.name={encoder}"])
            with suppress(FileNotFoundError):
                beginnings = beginnings or _beginnings(task, corpus, found, Path(scratch))
            try:
                made.append(_measured(recipe, task, beginnings, found, Path(scratch), device))
            except UserError as error:
                made.append(_fit(recipe, why=error.message))
        progress("measure the speed", len(recipes), len(recipes))
    return made


def _fit(recipe: Recipe, seconds: float | None = None, scoring: float | None = None, why: str = "") -> Fit:
    encoder = pretrained_of(recipe)
    head = str(getattr(getattr(getattr(recipe, "model", None), "head", None), "kind", ""))
    name = None if encoder is None else str(encoder.name)
    return Fit(recipe.name, head, name, recipe.training.epochs, seconds, scoring, why)


def _beginnings(task: Task[Any], corpus: Corpus, found: Sequence[SplitSurvey], scratch: Path) -> dict[str, Path]:
    """What is prepared to measure: the beginnings of train and dev, and what lies beside them, by role."""
    files = {role: path for role, path in corpus.beside.items() if "+" not in role}
    for role in ("train", "dev"):
        split = _split(found, role)
        if split is None:
            continue
        files[role] = scratch / f"{role}.jsonl"
        with files[role].open("w", encoding="utf-8", newline="\n") as out:
            out.writelines(task.first_lines(split.path))
        files |= {f"{role}+{kind}": path for kind, path in files_for(corpus, split).items() if kind not in files}
    known = {*task.roles, *task.further_roles}
    return {role: path for role, path in files.items() if role in known}


def _split(found: Sequence[SplitSurvey], role: str) -> Split | None:
    able = (one.split for one in found if one.labelled and one.records)
    return next((split for split in able if split.role == role), None)


def _measured(
    recipe: Recipe,
    task: Task[Any],
    files: dict[str, Path],
    found: Sequence[SplitSurvey],
    scratch: Path,
    device: str,
) -> Fit:
    from ietool.contest.compete.measuring import measure
    from ietool.training.device import memory_told
    from ietool.workflow.prepare import prepare

    folder = scratch / recipe.name
    prepare(recipe, files=files, output=folder, skip_bad=True, remembered=False)
    with memory_told("measure with a smaller encoder, or --no-speed"):  # all else that was counted is shown
        speed = measure(recipe, folder, device)
    epoch = speed.epoch * _share(task, folder, "train", [one for one in found if one.split.learnt])
    dev = [one for one in found if one.split.role == "dev"]
    scoring = speed.dev * (_share(task, folder, "dev", dev[:1]) if dev else epoch / max(speed.epoch, 1e-9))
    return _fit(recipe, epoch, scoring)


def _share(task: Task[Any], folder: Path, split: str, found: Sequence[SplitSurvey]) -> float:
    """How many times as many characters some files have as what was prepared of their beginning."""
    looked = map(task.looked, task.gold(folder, split))
    prepared = sum(len(one.text) + sum(map(len, one.further)) for one in looked)
    return sum(one.characters_read for one in found) / max(prepared, 1)
