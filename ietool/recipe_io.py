"""Recipes in files: load with overrides, save, compare, list. Every error names the key and the nearest right one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic import ValidationError
from rapidfuzz import fuzz

from ietool import paths, yaml_io
from ietool.errors import UserError
from ietool.nearest import did_you_mean
from ietool.recipe import Best, Recipe, Section
from ietool.registry import TASKS, get_task

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
    """A validated recipe, of the class of its task.

    Args:
        name_or_file: a shipped recipe's name, a YAML file, or a run folder.
        overrides: ``dotted.key=value`` each; the value is read as YAML, the last one of a key counts.

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
    recipe = _validate(data, lines, path)
    _loaded.setdefault(recipe.name, recipe)
    if not overrides:
        return recipe
    changed: set[str] = set()
    for text in overrides:
        changed.add(_override(data, text, type(recipe)))
    return _validate(data, lines, path, changed, recipe)


def change_recipe(recipe: Recipe, overrides: Sequence[str]) -> Recipe:
    """A recipe with ``dotted.key=value`` settings changed. Raises UserError as :func:`load_recipe`."""
    data = recipe.model_dump(mode="json")
    changed = {_override(data, text, type(recipe)) for text in overrides}
    return _validate(data, {}, Path(recipe.name), changed, recipe)


def validate_file(path: Path) -> Recipe:
    """The recipe of a file, or a UserError saying what is wrong with it."""
    if path.is_dir():
        mend = f"name a file in it, for example {path / 'recipe.yaml'}"
        raise UserError("is a folder, a recipe file is needed", file=path, mend=mend)
    if not path.is_file():
        raise UserError("no such file", file=path, mend="check the path")
    # A bare name without ending would be looked up among the shipped recipes first.
    return load_recipe(path if path.suffix in (".yaml", ".yml") else f"./{path}" if not path.is_absolute() else path)


def base_of(recipe: Recipe) -> Recipe | None:
    """The recipe that ``recipe`` varies: the shipped one of its name, else the file it was loaded from, else None."""
    shipped = paths.shipped_recipes()
    if recipe.name in shipped:
        return load_recipe(recipe.name)
    return _loaded.get(recipe.name)


def _validate(
    data: dict[str, Any],
    lines: dict[yaml_io.Path_, int],
    path: Path,
    changed: Set[str] = frozenset(),
    known: Recipe | None = None,
) -> Recipe:
    """The recipe of some data; ``known`` is the one before ``changed`` keys were."""
    task = data.get("task")
    if not isinstance(task, str):
        tasks = ", ".join(name for name, _ in TASKS)
        raise UserError(
            "is missing", file=path, line=lines.get(("task",)), field="task", mend=f"write task: and one of {tasks}"
        )
    try:
        recipe_class = get_task(task).recipe_class
    except UserError as error:
        where = {} if "task" in changed else {"file": path, "line": lines.get(("task",))}
        raise UserError(error.message, field="task", mend=error.mend, **where) from None  # type: ignore[arg-type]
    try:
        return recipe_class.model_validate(_without_empty_sections(data, recipe_class))
    except ValidationError as error:
        raise _explain(error, recipe_class, lines, path, changed, known) from None


def _without_empty_sections(data: dict[str, Any], recipe_class: type[Recipe]) -> dict[str, Any]:
    # "decode:" with every key commented out reads as null; the user means the defaults.
    return {k: v for k, v in data.items() if v is not None or _section_of(recipe_class, k) is None}


# -- overrides


def _override(data: dict[str, Any], text: str, recipe_class: type[Recipe]) -> str:
    """Set one ``key=value`` in ``data``; gives the dotted key."""
    key, equals, raw = text.partition("=")
    key = key.strip()
    if not equals or not key:
        raise UserError(f"--set {text!r} has no value", mend="write it as --set training.learning_rate=5e-4")
    try:
        value, _ = yaml_io.parse(raw)
    except UserError as error:
        raise UserError(f"the value {raw!r} of --set cannot be read", field=key, mend="put it in quotes") from error
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
                place[part] = {}
        else:
            here = ".".join(parts[:depth])
            mend = _suggest(key, recipe_class) or f"set {here} itself"
            raise UserError(f"{here} is a value and has no keys", field=key, mend=mend)
        if last:
            place[index] = value
        else:
            place = place[index]
    return key


# -- errors


def _explain(
    error: ValidationError,
    recipe_class: type[Recipe],
    lines: dict[yaml_io.Path_, int],
    path: Path,
    changed: Set[str],
    known: Recipe | None,
) -> UserError:
    """The first of pydantic's errors as one line, with a count of the others."""
    problems = error.errors(include_url=False, include_context=False)
    # An unknown key often leaves a required one missing: the first is the cause.
    problems.sort(key=lambda problem: problem["type"] != "extra_forbidden")
    problem = problems[0]
    place: yaml_io.Path_ = tuple(problem["loc"])
    # Unions append the name of the branch to the place; keep what is in the file.
    while place and place not in lines and problem["type"] not in ("missing", "extra_forbidden"):
        if _dotted(place) in changed:
            break
        place = place[:-1]
    dotted = _dotted(place) or _dotted(tuple(problem["loc"]))
    if problem["type"] == "extra_forbidden":
        message = "there is no such key"
        mend = _suggest(dotted, recipe_class) or "see `ietool recipes show ske` for all keys"
    elif problem["type"] == "missing":
        message, mend = "is missing", "add the key"
    else:
        given = problem["input"]
        shown = f", not {given!r}" if isinstance(given, str | int | float | bool | None) else ""
        message = re.sub(r"^(Input|Value error,) ?|, unable to parse.*", "", problem["msg"])
        message = re.sub(r"^is not a valid path.*", "should be a path", message)
        message = message[:1].lower() + message[1:] + shown
        mend = _usual(dotted, recipe_class, known) or "change the value"
    if len(problems) > 1:
        more = len(problems) - 1
        message += f" (and {more} more {'problem' if more == 1 else 'problems'})"
    if any(dotted == key or dotted.startswith(key + ".") or key.startswith(dotted + ".") for key in changed):
        return UserError(message, field=f"--set {dotted}", mend=mend)
    line = next((lines[place[:n]] for n in range(len(place), 0, -1) if place[:n] in lines), None)
    return UserError(message, file=path, line=line, field=dotted or None, mend=mend)


def _usual(key: str, recipe_class: type[Recipe], known: Recipe | None) -> str | None:
    """What a key is for and the value that the recipe has, or else its default, for the mend of a wrong value."""
    model: type[Section] | None = recipe_class
    *sections, name = key.split(".")
    for section in sections:
        model = None if model is None else _section_of(model, section)
    field = None if model is None else model.model_fields.get(name)
    if field is None or field.is_required():
        return None
    about = f" ({field.description})" if field.description else ""
    value: Any = known
    for part in key.split("."):
        value = getattr(value, part, None)
    if known is not None:
        return f"the recipe has {'null' if value is None else value}{about}"
    default = field.get_default(call_default_factory=True)
    return f"the default is {'null' if default is None else default}{about}"


def _dotted(place: yaml_io.Path_) -> str:
    return ".".join(map(str, place))


def _suggest(key: str, recipe_class: type[Recipe]) -> str | None:
    """``did you mean …?`` for an unknown dotted key; the keys of its section when nothing is near, None without one."""
    head, _, name = key.rpartition(".")
    best, best_score = None, 65.0
    for candidate in keys_of(recipe_class):
        candidate_head, _, candidate_name = candidate.rpartition(".")
        score = fuzz.ratio(name.lower(), candidate_name.lower())
        if name.lower() == "".join(word[:1] for word in candidate_name.split("_")):  # lr for learning_rate
            score = 90.0
        # Among like names the one in the same section is meant; the right name elsewhere still beats a poor one here.
        score += 10 if candidate_head == head else 0
        if score > best_score:
            best, best_score = candidate, score
    if best is not None:
        return f"did you mean {best}?"
    section: type[Section] = recipe_class
    for part in head.split(".") if head else ():
        inner = _section_of(section, part)
        if inner is None:
            return None
        section = inner
    return f"{head or 'a recipe'} has: {', '.join(section.model_fields)}"


def keys_of(model: type[Section], prefix: str = "") -> Iterator[str]:
    """Every dotted key of a recipe class, sections included."""
    for name, field in model.model_fields.items():
        yield prefix + name
        section = _as_section(field.annotation)
        if section is not None:
            yield from keys_of(section, f"{prefix}{name}.")


def _section_of(model: type[Section], name: str) -> type[Section] | None:
    field = model.model_fields.get(name)
    return None if field is None else _as_section(field.annotation)


def _as_section(annotation: Any) -> type[Section] | None:
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return annotation
    if get_origin(annotation) not in (list, dict, tuple):
        for part in get_args(annotation):
            section = _as_section(part)
            if section is not None:
                return section
    return None


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
