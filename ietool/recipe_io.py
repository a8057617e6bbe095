"""Recipes in files: load with overrides, save, compare, list. Every error names the key and the nearest right one."""

from __future__ import annotations

import re
from collections.abc import Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from ietool import paths
from ietool.errors import UserError
from ietool.files import yaml_io
from ietool.nearest import did_you_mean
from ietool.recipe import Best, Recipe
from ietool.recipe_errors import explain, suggest
from ietool.recipe_keys import SHORT, at, is_kind, section_of, set_kind, today, with_sections
from ietool.registry import TASKS, get_task

if TYPE_CHECKING:
    from ietool.core.contract import Task

Lines = dict[yaml_io.Path_, int]
"""Place of a key in a file → its line."""

_loaded: dict[str, Recipe] = {}
"""Recipes as their files have them, by name: what a run's overrides are compared with."""


@dataclass(frozen=True)
class RecipeInfo:
    """A line of the list of recipes. ``header`` is the comment that opens the file, without its ``#`` signs."""

    name: str
    task: str
    title: str
    model: str
    best: Best | None
    path: Path
    header: str


# -- load


def find_recipe(name_or_file: str | Path) -> Path:
    """The file behind ``--recipe``: a shipped recipe's name, or a path.

    Raises:
        UserError: there is no such recipe; names the nearest one.
    """
    name = str(name_or_file)
    shipped = paths.shipped_recipes()
    if name in shipped:
        return shipped[name]
    path = Path(name)
    if path.suffix in (".yaml", ".yml") or "/" in name or "\\" in name or path.is_file():
        if path.is_dir() and (path / "recipe.yaml").is_file():
            return path / "recipe.yaml"  # a run folder: train once more as that run was trained
        if not path.is_file():
            raise UserError("no such recipe file", file=path, mend="check the path, or name one of `ietool recipes`")
        return path
    mend = did_you_mean(name, shipped, f"use one of: {', '.join(shipped)}; or a path ending in .yaml")
    raise UserError(f"no recipe is called {name!r}", mend=mend)


def load_recipe(name_or_file: str | Path, overrides: Sequence[str] = ()) -> Recipe:
    """A validated recipe, of the class of its task and head.

    Args:
        name_or_file: a shipped recipe's name, a YAML file, or a run folder.
        overrides: ``dotted.key=value`` each; the value is read as YAML, the last one of a key counts. A kind of head or
            encoder that changes takes along those keys of the old one that it has too.

    Paths inside a recipe are relative to the working directory, wherever the file is.

    Raises:
        UserError: one line with file, line, key and the nearest right key.
    """
    path = find_recipe(name_or_file)
    data, lines, _ = yaml_io.read(path)
    if not isinstance(data, dict):
        raise UserError(
            "is no recipe: it should start with name: and task:", file=path, mend="see `ietool recipes show ske`"
        )
    task = _task_of(data, lines, path)
    data = with_sections(task, data)
    recipe = _validate(task, data, lines, path)
    _loaded.setdefault(recipe.name, recipe)
    return _changed(task, recipe, data, lines, path, overrides) if overrides else recipe


def change_recipe(recipe: Recipe, overrides: Sequence[str]) -> Recipe:
    """A recipe with ``dotted.key=value`` settings changed. Raises UserError as :func:`load_recipe`."""
    data = recipe.model_dump(mode="json")
    return _changed(get_task(recipe.task), recipe, data, {}, Path(recipe.name), overrides)


def validate(name_or_file: str) -> Recipe:
    """The recipe of a file, a shipped recipe's name or a run folder, or a UserError saying what is wrong with it.

    A file in the working folder goes before a shipped recipe of its name.
    """
    path = Path(name_or_file)
    if path.is_dir() and not (path / "recipe.yaml").is_file():
        mend = f"name a file in it, for example {path / 'recipe.yaml'}"
        raise UserError("is a folder, a recipe file is needed", file=path, mend=mend)
    # A bare name without ending would be looked up among the shipped recipes first.
    return load_recipe(f"./{path}" if path.is_file() and not path.is_absolute() else name_or_file)


def base_of(recipe: Recipe) -> Recipe | None:
    """The recipe that ``recipe`` varies: the shipped one of its name, else the file it was loaded from, else None."""
    shipped = paths.shipped_recipes()
    if recipe.name in shipped:
        return load_recipe(recipe.name)
    return _loaded.get(recipe.name)


def _task_of(data: dict[str, Any], lines: Lines, path: Path) -> Task[Any]:
    task = data.get("task")
    where = {"file": path, "line": lines.get(("task",)), "field": "task"}
    if not isinstance(task, str):
        tasks = ", ".join(name for name, _ in TASKS)
        raise UserError("is missing", mend=f"write task: and one of {tasks}", **where)  # type: ignore[arg-type]
    try:
        return get_task(task)
    except UserError as error:
        raise UserError(error.message, mend=error.mend, **where) from None  # type: ignore[arg-type]


def _validate(
    task: Task[Any],
    data: dict[str, Any],
    lines: Lines,
    path: Path,
    changed: Set[str] = frozenset(),
    known: Recipe | None = None,
) -> Recipe:
    """The recipe of some data; ``known`` is the one before ``changed`` keys were."""
    try:
        recipe_class: type[Recipe] = task.recipe_class(data)
    except UserError as error:
        if any(key.startswith("model.head") for key in changed):
            raise UserError(error.message, field="--set model.head", mend=error.mend) from None
        line = lines.get(("model", "head", "kind"), lines.get(("model", "head")))
        raise UserError(error.message, file=path, line=line, field="model.head.kind", mend=error.mend) from None
    try:
        return recipe_class.model_validate(_without_empty_sections(data, recipe_class))
    except ValidationError as error:
        raise explain(error, task, recipe_class, data, lines, path, changed, known) from None


def _without_empty_sections(data: dict[str, Any], recipe_class: type[Recipe]) -> dict[str, Any]:
    # "decode:" with every key commented out reads as null; the user means the defaults.
    return {k: v for k, v in data.items() if v is not None or section_of(recipe_class, k, {}) is None}


# -- overrides


def _changed(
    task: Task[Any], recipe: Recipe, data: dict[str, Any], lines: Lines, path: Path, overrides: Sequence[str]
) -> Recipe:
    settings = [_parsed(text, task) for text in overrides]
    settings.sort(key=lambda setting: not is_kind(setting[0]))  # what a kind does not have is to be told, not dropped
    changed = set[str]()
    for key, value in settings:
        key = key if is_kind(key) else today(task, data, key)
        changed.add(key.removesuffix(".kind") if is_kind(key) else key)  # a kind changes all of its section
        if key == "task":
            data["task"] = value
            task = _task_of_setting(value)
        elif is_kind(key):
            set_kind(task, data, key, value)
        else:
            _set(data, key, value, recipe)
    return _validate(task, data, lines, path, changed, recipe)


def _task_of_setting(value: Any) -> Task[Any]:
    try:
        return get_task(str(value))
    except UserError as error:
        raise UserError(error.message, field="task", mend=error.mend) from None


def _parsed(text: str, task: Task[Any]) -> tuple[str, Any]:
    """The dotted key and the value of one ``key=value``; keys of recipes without sections mean what they became."""
    key, equals, raw = text.partition("=")
    key = key.strip()
    if not equals or not key:
        raise UserError(f"--set {text!r} has no value", mend="write it as --set training.learning_rate=5e-4")
    try:
        value, _ = yaml_io.parse(raw)
    except UserError as error:
        reason = error.message.partition(": ")[2]
        what = f"the value {raw!r} of --set cannot be read" + (f" ({reason})" if reason else "")
        raise UserError(what, field=key, mend="put it in quotes") from error
    new = task.former_keys.get(key, key)
    return new if isinstance(new, str) else key, value  # of several the head decides, which may yet be set


def _set(data: dict[str, Any], key: str, value: Any, recipe: Recipe) -> None:
    """Set one dotted key in the ``data`` of a recipe."""
    parts = key.split(".")
    place: Any = data
    for depth, part in enumerate(parts):
        last = depth == len(parts) - 1
        if isinstance(place, list):
            if not part.isdecimal() or int(part) >= len(place):
                here = ".".join(parts[:depth])
                raise UserError(f"{here} has {len(place)} items", field=key, mend=f"set the whole of it: {here}=[…]")
            index: Any = int(part)
        elif isinstance(place, dict):
            index = part
            if not last and place.get(part) is None:
                known = at(recipe.model_dump(mode="json"), ".".join(parts[: depth + 1]))
                place[part] = known if isinstance(known, list) else {}
            elif not last and tuple(parts[: depth + 1]) in SHORT:
                place[part] = SHORT[tuple(parts[: depth + 1])](place[part])
        else:
            here = ".".join(parts[:depth])
            mend = suggest(key, type(recipe), data) or f"set {here} itself"
            raise UserError(f"{here} is a value and has no keys", field=key, mend=mend)
        if last:
            place[index] = value
        else:
            place = place[index]


# -- save, compare, list


def save_recipe(recipe: Recipe, path: Path) -> None:
    """Write the whole recipe, defaults spelled out, so that a later version of ietool reads the same values."""
    yaml_io.write(recipe.model_dump(mode="json"), path)


def differences(recipe: Recipe, base: Recipe) -> dict[str, Any]:
    """Dotted key → value of ``recipe``, where ``base`` has another one. Titles and recorded scores do not count."""
    ours, theirs = _flat(recipe.model_dump(mode="json")), _flat(base.model_dump(mode="json"))
    skipped = ("title", "best")
    return {
        key: ours.get(key)
        for key in [*ours, *(key for key in theirs if key not in ours)]
        if ours.get(key) != theirs.get(key) and key.split(".")[0] not in skipped
    }


def _flat(data: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in data.items():
        if isinstance(value, dict) and value:
            flat.update(_flat(value, f"{prefix}{key}."))
        else:
            flat[prefix + key] = value
    return flat


def header_of(text: str) -> str:
    """The comment that opens a recipe file, without its ``#`` signs."""
    lines = []
    for line in text.lstrip("\ufeff").splitlines():
        if not line.startswith("#"):
            break
        lines.append(line[1:].removeprefix(" ").rstrip())
    return "\n".join(lines)


def describe(path: Path) -> RecipeInfo:
    """What the list says about one recipe file. Raises UserError if the file is no valid recipe."""
    recipe = load_recipe(path)
    header = header_of(path.read_text(encoding="utf-8-sig"))
    model = re.search(r"^Model:\s*(.+)$", header, re.MULTILINE)
    return RecipeInfo(
        recipe.name, recipe.task, recipe.title, model.group(1) if model else "", recipe.best, path, header
    )


def list_recipes() -> list[RecipeInfo]:
    """The recipes that ship, by name."""
    return [describe(path) for path in paths.shipped_recipes().values()]
