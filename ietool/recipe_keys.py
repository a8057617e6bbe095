"""The keys that a recipe may have, by the kinds of its head and encoder; and recipes that knew no such kinds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Set
from copy import deepcopy
from typing import TYPE_CHECKING, Any, get_args, get_origin

from ietool.recipe import Recipe, Section, encoder_kind, head_kind
from ietool.registry import TASKS, get_task

if TYPE_CHECKING:
    from ietool.core.contract import Task

SHORT: Mapping[tuple[str, ...], Callable[[Any], Any]] = {
    ("model", "encoder"): encoder_kind,
    ("model", "head"): head_kind,
}
"""Sections for which their kind, or the name of an encoder, may stand alone."""


def keys_of(model: type[Section], data: Mapping[str, Any] | None = None, prefix: str = "") -> Iterator[str]:
    """Every dotted key of a recipe class, sections included; of a section of several kinds those of the kind that the
    recipe's ``data`` has."""
    for name in model.model_fields:
        yield prefix + name
        section = section_of(model, name, data or {})
        if section is not None:
            inner = (data or {}).get(name)
            yield from keys_of(section, inner if isinstance(inner, dict) else {}, f"{prefix}{name}.")


def section_of(model: type[Section], name: str, data: Mapping[str, Any]) -> type[Section] | None:
    """The section that a key of a section is, of the kind that ``data`` has there; None if it is a plain value."""
    field = model.model_fields.get(name)
    kinds = [] if field is None else sections_in(field.annotation)
    if len(kinds) < 2:
        return kinds[0] if kinds else None
    wanted = encoder_kind(data.get(name))
    kind = wanted.get("kind") if isinstance(wanted, dict) else None
    return next((section for section in kinds if kind_of(section) == kind), kinds[0])


def sections_in(annotation: Any) -> list[type[Section]]:
    """The sections that a type may be: several where they are told apart by their ``kind``."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return [annotation]
    if get_origin(annotation) in (list, dict, tuple):
        return []
    return [section for part in get_args(annotation) for section in sections_in(part)]


def kind_of(section: type[Section]) -> str | None:
    """The ``kind`` of a section; None if it has none."""
    field = section.model_fields.get("kind")
    return None if field is None else str(field.default)


def keys_like(name: str) -> list[str]:
    """The dotted keys of any task's recipes whose last word is a given one (``epochs``, ``batch-size``), the nearest to
    the top first, those of ``training`` before others."""
    wanted = name.replace("-", "_").lower()
    found: dict[str, None] = {}
    for task in (get_task(task) for task, _ in TASKS):
        for head in task.heads:
            found |= dict.fromkeys(
                key for key in keys_of(head.load("recipe")) if key == wanted or key.endswith(f".{wanted}")
            )
    return sorted(found, key=lambda key: (not key.startswith("training."), key.count("."), key))


def is_kind(key: str) -> bool:
    """Whether a dotted key says which head or encoder a recipe has."""
    return tuple(key.removesuffix(".kind").split(".")) in SHORT


def set_kind(task: Task[Any], data: dict[str, Any], key: str, value: Any) -> None:
    """Change the kind of a recipe's head or encoder, and take along what both kinds know.

    A value that is the default of the old kind is left out where the new kind has another default.

    Args:
        key: ``model.head``, ``model.encoder``, or one of them with ``.kind``.
        value: the kind, or the whole section. An encoder's name makes it a pretrained one.

    Raises:
        UserError: there is no such head.
    """
    before = _defaults(task.recipe_class(data), data)
    section = tuple(key.removesuffix(".kind").split("."))[1]
    short = SHORT["model", section]
    model = data.get("model")
    if not isinstance(model, dict):
        model = data["model"] = {}
    old, new = short(model.get(section)), short(value) if not key.endswith(".kind") else {"kind": value}
    whole = isinstance(value, dict)
    if not whole and isinstance(old, dict) and isinstance(new, dict):
        new = {**old, **new}
    model[section] = new
    after = _defaults(task.recipe_class(data), data)
    given = {f"model.{section}.{name}" for name in new} if whole else set()  # of these a wrong one is to be told
    gone = {
        known for known, default in before.items() if known not in after or after[known] != default == at(data, known)
    }
    _drop(data, gone - given)


def _defaults(model: type[Section], data: Mapping[str, Any]) -> dict[str, Any]:
    """Every dotted key of a recipe class → its default; None for sections and for what has none."""
    found = {}
    for key in keys_of(model, data):
        *sections, name = key.split(".")
        owner, place = model, data
        for part in sections:
            inner = section_of(owner, part, place)
            assert inner is not None
            owner, held = inner, place.get(part)
            place = held if isinstance(held, dict) else {}
        field = owner.model_fields[name]
        plain = not sections_in(field.annotation) and not field.is_required()
        found[key] = field.get_default(call_default_factory=True) if plain else None
    return found


def at(data: Any, key: str) -> Any:
    """What stands under a dotted key; None where nothing does."""
    for part in key.split("."):
        data = data.get(part) if isinstance(data, dict) else None
    return data


def _drop(data: dict[str, Any], keys: set[str], prefix: str = "") -> None:
    for name in list(data):
        if prefix + name in keys:
            del data[name]
        elif isinstance(data[name], dict):
            _drop(data[name], keys, f"{prefix}{name}.")


def with_sections(task: Task[Any], data: dict[str, Any]) -> dict[str, Any]:
    """The data of a recipe that was written before heads and encoders had sections of their own, in today's form.

    Such a recipe held the keys of all heads: those that do not act for its own are left out. Another recipe is given
    back as it is, so that a wrong key is told.
    """
    former, model = task.former_keys, data.get("model")
    sectioned = isinstance(model, dict) and any(isinstance(model.get(name), dict) for name in ("encoder", "head"))
    if sectioned or not any(_has(data, key) for key in former):
        return data
    data = deepcopy(data)
    moved = [(old, _taken(data, old)) for old in former if _has(data, old)]
    model = data.setdefault("model", {})
    for name in ("encoder", "head"):
        if name in model:
            model[name] = SHORT["model", name](model[name])
    recipe_class: type[Recipe] = task.recipe_class(data)
    own = set(keys_of(recipe_class, data))
    for old, value in moved:
        key = _acting(former[old], own)
        if key in own:
            _put(data, key, value)
    every = set[str]()
    for head in task.heads:
        every |= set(keys_of(head.load("recipe"), data))
    _drop(data, every - own)
    return data


def today(task: Task[Any], data: Mapping[str, Any], key: str) -> str:
    """What a key of a recipe without sections for encoder and head became in a recipe of this data; other keys are as
    they are."""
    new = task.former_keys.get(key, key)
    return new if isinstance(new, str) else _acting(new, set(keys_of(task.recipe_class(data), data)))


def _acting(new: str | tuple[str, ...], own: Set[str]) -> str:
    """Of the keys that one became the one that a recipe has, whose keys are ``own``; the first where it has none."""
    every = (new,) if isinstance(new, str) else new
    return next((key for key in every if key in own), every[0])


def _has(data: Any, key: str) -> bool:
    for part in key.split("."):
        if not isinstance(data, dict) or part not in data:
            return False
        data = data[part]
    return True


def _taken(data: dict[str, Any], key: str) -> Any:
    *sections, name = key.split(".")
    for part in sections:
        data = data[part]
    return data.pop(name)


def _put(data: dict[str, Any], key: str, value: Any) -> None:
    *sections, name = key.split(".")
    for part in sections:
        inner = data.setdefault(part, {})
        data = inner if isinstance(inner, dict) else data.setdefault(part, {})
    data[name] = value
