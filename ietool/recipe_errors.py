"""What is wrong with a recipe, in one line: file, line, key, and the nearest right key of the same section."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence, Set
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError
from rapidfuzz import fuzz

from ietool.errors import UserError
from ietool.recipe import Recipe, Section
from ietool.recipe_keys import keys_of, kind_of, section_of, sections_in

if TYPE_CHECKING:
    from ietool.core.contract import Task

Place = tuple[str | int, ...]


def explain(
    error: ValidationError,
    task: Task[Any],
    recipe_class: type[Recipe],
    data: Mapping[str, Any],
    lines: Mapping[Place, int],
    path: Path,
    changed: Set[str],
    known: Recipe | None,
) -> UserError:
    """The first of pydantic's errors as one line, with a count of the others."""
    problems = error.errors(include_url=False, include_context=False)
    # An unknown key often leaves a required one missing: the first is the cause.
    problems.sort(key=lambda problem: problem["type"] != "extra_forbidden")
    problem = problems[0]
    full = _without_kinds(tuple(problem["loc"]), recipe_class)
    place = full
    # Unions append the name of the branch to the place; keep what is in the file.
    while place and place not in lines and problem["type"] not in ("missing", "extra_forbidden"):
        if _dotted(place) in changed:
            break
        place = place[:-1]
    dotted = _dotted(place) or _dotted(full)
    if problem["type"] == "extra_forbidden":
        message = "there is no such key"
        mend = _of_another_kind(dotted, recipe_class, data) or _of_another_head(dotted, task, recipe_class, data)
        mend = mend or suggest(dotted, recipe_class, data)
        mend = mend or "see `ietool recipes show ske --all` for all keys"
    elif problem["type"] == "missing":
        message, mend = "is missing", "add the key"
    else:
        given = problem["input"]
        shown = f", not {given!r}" if isinstance(given, str | int | float | bool | None) else ""
        message = re.sub(r"^(Input|Value error,) ?|, unable to parse.*", "", problem["msg"])
        message = re.sub(r"^is not a valid path.*", "should be a path", message)
        message = re.sub(r"valid dictionary or (instance of \w+|object to .*)", "section of keys", message)
        message = re.sub(r"^tag (.*) found using .* expected tags: (.*)$", r"\1 is none of \2", message)
        message = message[:1].lower() + message[1:] + shown
        mend = _usual(dotted, recipe_class, data, known) or "change the value"
    if len(problems) > 1:
        more = len(problems) - 1
        message += f" (and {more} more {'problem' if more == 1 else 'problems'})"
    if any(dotted == key or dotted.startswith(key + ".") or key.startswith(dotted + ".") for key in changed):
        return UserError(message, field=f"--set {dotted}", mend=mend)
    line = next((lines[place[:n]] for n in range(len(place), 0, -1) if place[:n] in lines), None)
    return UserError(message, file=path, line=line, field=dotted or None, mend=mend)


def _without_kinds(place: Place, recipe_class: type[Recipe]) -> Place:
    """A place as the file has it: pydantic names the kind of a section behind its key."""
    kept: list[str | int] = []
    section: type[Section] | None = recipe_class
    parts = list(place)
    while parts:
        part = parts.pop(0)
        kept.append(part)
        field = None if section is None else section.model_fields.get(str(part))
        kinds = [] if field is None else sections_in(field.annotation)
        section = kinds[0] if kinds else None
        if len(kinds) > 1 and parts:
            section = next((kind for kind in kinds if kind_of(kind) == parts[0]), None)
            if section is not None:
                parts.pop(0)
    return tuple(kept)


def _of_another_head(key: str, task: Task[Any], recipe_class: type[Recipe], data: Mapping[str, Any]) -> str | None:
    """Which heads of the task a key acts for, where it does for some, and what the section has instead."""
    heads = [head.name for head in task.heads if key in set(keys_of(head.load("recipe"), data))]
    if not heads:
        return None
    return f"it acts with model.head={' and '.join(heads)}; {_own_keys(key, recipe_class, data)}"


def _of_another_kind(key: str, recipe_class: type[Recipe], data: Mapping[str, Any]) -> str | None:
    """For which other kinds of the section that a key stands in it acts, where there are such."""
    head, _, name = key.rpartition(".")
    *sections, own = head.split(".")
    section = _section_at(sections, recipe_class, data)
    field = None if section is None else section.model_fields.get(own)
    others = [] if field is None else [kind for kind in sections_in(field.annotation) if name in kind.model_fields]
    kinds = " and ".join(str(kind_of(other)) for other in others)
    return f"it acts with {head}.kind={kinds}; {_own_keys(key, recipe_class, data)}" if others else None


def _own_keys(key: str, recipe_class: type[Recipe], data: Mapping[str, Any]) -> str | None:
    """The keys of the section that a dotted key stands in; None where there is no such section."""
    head = key.rpartition(".")[0]
    section = _section_at(head.split(".") if head else (), recipe_class, data)
    return None if section is None else f"{head or 'a recipe'} has: {', '.join(section.model_fields)}"


def _section_at(parts: Sequence[str], recipe_class: type[Recipe], data: Mapping[str, Any]) -> type[Section] | None:
    """The section that some keys lead to, each within the one before; None where there is none."""
    section: type[Section] | None = recipe_class
    place: Any = data
    for part in parts:
        section = None if section is None else section_of(section, part, place if isinstance(place, dict) else {})
        place = place.get(part) if isinstance(place, dict) else None
    return section


def _usual(key: str, recipe_class: type[Recipe], data: Mapping[str, Any], known: Recipe | None) -> str | None:
    """What a key is for and the value that the recipe has, or else its default, for the mend of a wrong value."""
    *sections, name = key.split(".")
    model = _section_at(sections, recipe_class, data)
    field = None if model is None else model.model_fields.get(name)
    if field is not None and sections_in(field.annotation):
        return _own_keys(f"{key}.", recipe_class, {})
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


def _dotted(place: Place) -> str:
    return ".".join(map(str, place))


def suggest(key: str, recipe_class: type[Recipe], data: Mapping[str, Any]) -> str | None:
    """``did you mean …?`` for an unknown dotted key, and the keys of its own section unless it is one of them that is
    meant; None where there is neither."""
    head, _, name = key.rpartition(".")
    best, best_score = None, 65.0
    for candidate in keys_of(recipe_class, data):
        candidate_head, _, candidate_name = candidate.rpartition(".")
        score = fuzz.ratio(name.lower(), candidate_name.lower())
        if name.lower() == "".join(word[:1] for word in candidate_name.split("_")):  # lr for learning_rate
            score = 90.0
        # Among like names the one in the same section is meant; the right name elsewhere still beats a poor one here.
        score += 10 if candidate_head == head else 0
        if score > best_score:
            best, best_score = candidate, score
    if best is not None and best.rpartition(".")[0] == head:
        return f"did you mean {best}?"
    said = [f"did you mean {best}?" if best is not None else None, _own_keys(key, recipe_class, data)]
    return " ".join(part for part in said if part) or None
