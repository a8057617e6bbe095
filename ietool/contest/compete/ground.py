"""What lies in a folder of competition files: which task, which recipes fit, how much there is to learn from."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ietool import paths
from ietool.contest.submit.competitions import Competition, competition_named
from ietool.core.contract import Task
from ietool.core.forms import TEXTS, beginning
from ietool.core.sources import Sources
from ietool.errors import UserError
from ietool.recipe import Recipe, pretrained_of
from ietool.recipe_io import load_recipe
from ietool.recipe_keys import keys_of
from ietool.registry import TASKS, get_task

PREDICTED = {"test", "test_gold"}
"""Roles of files that no training reads, with what belongs to them: a second half, tables."""


@dataclass(frozen=True)
class Ground:
    """What a competition starts from.

    Attributes:
        task: of the files.
        sources: role → file.
        test: the files that are to be predicted; none: the folder has none, and dev is predicted in their place.
        form: what its train file holds, in words.
        recipes: those that fit, the most promising first, with their settings.
        notes: what was seen that the user should know.
    """

    task: str
    sources: Sources
    test: Sequence[Path]
    form: str
    recipes: Sequence[Recipe]
    notes: Sequence[str] = ()

    @property
    def asked(self) -> Sequence[Path]:
        """The files that are predicted, whose answers are one submission."""
        return self.test or get_task(self.task).asked(self.sources, "dev")

    @property
    def options(self) -> dict[str, Path]:
        """Role → file of what a submission is checked with."""
        return {role: self.sources.files[role] for role in ("schema", "kb") if role in self.sources.files}


def look(data: Path, recipes: Sequence[str] = (), settings: Sequence[str] = (), *, fitted: bool = False) -> Ground:
    """What lies in a folder.

    Args:
        recipes: names or files of the recipes to take; none: all of the task that train from scratch, since whether an
            encoder is at hand only the user knows.
        settings: ``key=value`` settings of every recipe; those that do not act for one are left out there.
        fitted: whether the recipes have what the test file wants already.

    Raises:
        UserError: no task's files are there, those of several are, none is there to be predicted, or a recipe is of
            another task.
    """
    if not data.is_dir():
        what = "is a file, a folder is needed" if data.exists() else "no such folder"
        raise UserError(what, file=data, mend="name the folder of the competition's files with --data DIR")
    named = [load_recipe(name) for name in recipes]
    tasks = {recipe.task for recipe in named}
    if len(tasks) > 1:
        raise UserError(f"are recipes of several tasks: {', '.join(sorted(tasks))}", field="--recipe", mend="name one")
    found = _tasks_of(data, tasks or {name for name, _ in TASKS})
    task = get_task(found[0])
    sources = task.locate(data, needed=task.roles)
    for error in sources.ambiguous.values():
        raise error
    test = task.asked(sources, "test")
    if not test and not task.asked(sources, "dev"):
        mend = "put the file that the submission is to answer beside train, as test.json"
        raise UserError("holds no test file to predict on", file=data, mend=mend)
    wanted = [] if fitted else [setting for path in test[:1] for setting in task.fitting(path)]
    notes = [f"{test[0].name} gives a part of what is asked for: {', '.join(wanted)}"] if wanted else []
    chosen: list[Recipe] = []
    for name in recipes or _from_scratch(task, sources):
        recipe = load_recipe(name, acting(name, [*wanted, *settings]))
        if recipe not in chosen:  # its trainings would be the same once more
            chosen.append(recipe)
    form = form_of(task, sources.files["train"])
    return Ground(task.name, sources, test, form, chosen, notes)


def _tasks_of(data: Path, tasks: set[str]) -> list[str]:
    """The task whose files a folder has: those that it asks for are there, and train begins as its train files do."""
    able, reasons = [], []
    for name in sorted(tasks):
        task = get_task(name)
        try:
            sources = task.locate(data, needed=task.roles)
        except UserError as error:
            reasons.append(error)
            continue
        if form_of(task, sources.files["train"]):
            able.append(name)
    if not able:
        if len(reasons) == 1:
            raise reasons[0]
        mend = (
            f"it wants train and perhaps dev and test files of one of: {', '.join(sorted(tasks))}; see data/README.md"
        )
        raise UserError("holds no competition that is known", file=data, mend=mend)
    if len(able) > 1:
        mend = f"say which with --recipe, of one of: {', '.join(able)}"
        raise UserError(f"could be of several tasks: {', '.join(able)}", file=data, mend=mend)
    return able


def form_of(task: Task[Any], path: Path) -> str:
    """What a train file holds by the forms of a task; empty if it is none of them."""
    begin = beginning(path)
    if begin is None:
        return ""
    return next((form.title for form in task.forms if form.role == TEXTS and form.fits(begin)), "")


def fitting(task: Task[Any], train: Path) -> list[Recipe]:
    """The recipes of a task that read this form, the most promising first, with their encoders if they have any."""
    recipes = []
    begin = beginning(train)
    documents = isinstance(begin, dict) and "documents" in begin
    for name in paths.shipped_recipes():
        recipe = load_recipe(name)
        if recipe.task == task.name and (documents or "dureader" not in name):
            recipes.append(recipe)
    return sorted(recipes, key=lambda recipe: (documents and "dureader" not in recipe.name, recipe.name))


def _from_scratch(task: Task[Any], sources: Sources) -> list[str]:
    """Names of those that train from scratch."""
    names = [recipe.name for recipe in fitting(task, sources.files["train"]) if pretrained_of(recipe) is None]
    if not names:
        raise UserError(f"the task {task.name} has no recipe from scratch", mend="name one with --recipe")
    return names


def acting(name: str, settings: Sequence[str]) -> list[str]:
    """Those of some settings that act for a recipe; a key that is one of no recipe is refused.

    Raises:
        UserError: a setting is none.
    """

    def keys(recipe: Recipe) -> set[str]:
        return set(keys_of(type(recipe), recipe.model_dump(mode="json")))

    kept, own = [], keys(load_recipe(name))
    for setting in settings:
        key = setting.partition("=")[0].strip()
        # What acts nowhere is refused where settings are read, with the nearest key.
        if key in own or not any(key in keys(load_recipe(other)) for other in paths.shipped_recipes()):
            kept.append(setting)
    return kept


def competition_of(ground: Ground, source: Path) -> Competition | None:
    """Whose rules the predictions on a file will be checked by, and so what they are to look like; None where that
    cannot be told before they are there."""
    try:
        # What the input leaves open the answers tell, and those of train are of the form of the predictions.
        return competition_named(
            get_task(ground.task).competition(source, ground.sources.files["train"], ground.options)
        )
    except UserError:
        return None


def marks_of(sources: Sources) -> dict[str, str]:
    """Role → a mark of the content of its file."""
    marks = {}
    for role, path in sources.files.items():
        with path.open("rb") as stream:
            marks[role] = hashlib.file_digest(stream, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
    return marks


def check_unchanged(ground: Ground, data: Path, before: Mapping[str, str], now: Mapping[str, str]) -> None:
    """Raise UserError where members that are trained have learnt from, or were scored on, other files than those that
    lie in a folder now. What is to be predicted may change.

    Args:
        data: the folder.
        before: the marks of its files when the competition began.
        now: those of today.
    """
    for role in sorted(before.keys() | now.keys()):
        if before.get(role) == now.get(role) or role.partition("+")[0] in PREDICTED:
            continue
        if role not in now:
            what, mend = f"has no {role} file any more", "bring it back, or begin anew with another --output"
            raise UserError(what, file=data, mend=mend)
        known = role in before
        what = "has changed" if known else "has come"
        mend = f"{'bring the old one back' if known else 'take it away'}, or begin anew with another --output"
        raise UserError(f"{what} since the competition began", file=ground.sources.files[role], mend=mend)


def share_of(ground: Ground) -> float:
    """How many texts are predicted for each that train has, by the sizes of the files."""
    train = get_task(ground.task).asked(ground.sources, "train")
    return sum(path.stat().st_size for path in ground.asked) / max(sum(path.stat().st_size for path in train), 1)
