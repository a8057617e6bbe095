"""What a file is that is not what a command wants: of another task, another file of the same one, or an export of an
annotation tool. Tasks say by what records of theirs are known; looking is done only where reading has failed."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ietool import paths
from ietool.errors import UserError
from ietool.files.archives import damage_told, open_members
from ietool.files.lines import OnBad
from ietool.registry import TASKS, get_task

if TYPE_CHECKING:
    from ietool.core.contract import Task

Beginning = Mapping[str, Any] | list[str]
"""The first record of a file of JSON (where it is too long to be taken apart, its keys with None), or else the first
lines."""

TEXTS = "texts"
"""The role of files to learn from, to predict on and to score."""
PREDICTIONS = "predictions"

_HEAD = 1 << 18
"""Bytes that are looked at."""
_LINES = 5
_KEY = re.compile(r'"(\w{1,40})"\s*:')


@dataclass(frozen=True)
class Form:
    """A kind of file of a task.

    Attributes:
        title: what such a file holds, for messages: ``texts with triples``.
        fits: whether a file that begins so is one.
        role: :data:`TEXTS`, or the role of the file in a preparation (``kb``, ``schema``).
        example: what to write a line.
    """

    title: str
    fits: Callable[[Beginning], bool]
    role: str = TEXTS
    example: str = ""


def with_keys(*keys: str) -> Callable[[Beginning], bool]:
    """Whether a record has all of some keys."""
    return lambda begin: isinstance(begin, Mapping) and all(key in begin for key in keys)


def beginning(source: str | Path) -> Beginning | None:
    """How a file begins, plain or packed, whatever it is; None where that cannot be told."""
    # A pipe can be read but once.
    if str(source) == "-" or not Path(source).is_file():
        return None
    try:
        with damage_told(source):
            for _, stream in open_members(source):
                head = b""
                while len(head) < _HEAD and (piece := stream.read(_HEAD - len(head))):
                    head += piece
                return _taken_apart(head.decode("utf-8-sig", "replace"))
    except (UserError, OSError):
        pass
    return None


def _taken_apart(text: str) -> Beginning | None:
    text = text.lstrip()
    # As files are read: U+2028 and the like end no line.
    lines = [line.rstrip("\r") for line in text.split("\n") if line.strip()][:_LINES]
    if text[:1] in ("{", "["):
        with contextlib.suppress(ValueError, RecursionError):
            record, _ = json.JSONDecoder().raw_decode(text, max(text.find("{"), 0))
            return record if isinstance(record, dict) else lines
        if keys := _KEY.findall(text[: _HEAD // 4]):
            return dict.fromkeys(keys)
    return lines or None


def explained(error: UserError, task: Task[Any], files: Mapping[str, str | Path]) -> UserError:
    """The error of reading one of some files, or a better one: the file is of another kind altogether.

    Args:
        files: role → file. Roles without a form of their own hold texts.
    """
    for role, path in files.items():
        if error.file is None or not (error.file == str(path) or error.file.startswith(f"{path}!")):
            continue
        begin = beginning(path)
        if begin is not None and (better := _stranger(begin, task, role, path)):
            return better
    return error


def reading(
    task: Task[Any], source: str, on_bad: OnBad | None = None, files: Mapping[str, Path] | None = None
) -> Iterator[Any]:
    """The inputs of a file, as :meth:`Task.open_inputs` gives them, with errors that tell what the file is.

    Args:
        files: further files that it needs, by role, where the user named them.

    Raises:
        UserError: what the task raises, or a role means nothing to it.
    """
    check_roles(task, files)
    try:
        yield from task.open_inputs_with(source, files, on_bad) if files else task.open_inputs(source, on_bad)
    except UserError as error:
        raise explained(error, task, {TEXTS: source, **(files or {})}) from None


def check_roles(task: Task[Any], files: Mapping[str, Path] | None) -> None:
    """Raise UserError for a file that belongs to no input of a task."""
    for role in files or ():
        if role not in task.input_roles:
            mend = f"leave it out; there is --file {task.input_roles[0]}=FILE" if task.input_roles else "leave it out"
            raise UserError(f"means nothing to inputs of the task {task.name}", field=f"--file {role}", mend=mend)


def told_apart(task: Task[Any], source: str) -> str | None:
    """What is to be said of a file of texts that can be read, though it is of another task. Exports of annotation tools
    are texts like any others here."""
    begin = beginning(source)
    stranger = None if begin is None or tool_of(begin) else _stranger(begin, task, TEXTS, source)
    return None if stranger is None else f"{source} {stranger.message} → {stranger.mend}"


def swapped(task: Task[Any], gold: str | Path, predictions: str | Path) -> str | None:
    """What is to be said where the predictions have what only gold files have, and gold has not."""
    if not task.gold_keys:
        return None
    first, second = beginning(gold), beginning(predictions)
    if not isinstance(first, Mapping) or not isinstance(second, Mapping):
        return None
    telling = [key for key in task.gold_keys if key in second and key not in first]
    if not telling:
        return None
    return (
        f"{predictions} has {' and '.join(telling)}, as gold files have, and {gold} has not: are they swapped? Gold is "
        "named first, the predictions behind it"
    )


def _stranger(begin: Beginning, task: Task[Any], role: str, path: str | Path) -> UserError | None:
    """What a file is that should be of a role of a task; None if it is that, or unknown."""
    own = {form.role for form in task.forms}
    kind = role.rpartition("+")[2]  # the tables of train are tables
    wanted = kind if kind in own else TEXTS
    mine = next((form for form in task.forms if form.fits(begin)), None)
    example = next((form.example for form in task.forms if form.role == wanted), "")
    if mine is not None:
        if role == PREDICTIONS and not task.predictions_like_texts and mine.role == TEXTS:
            what, mend = f"looks like gold: {mine.title}", "name the gold file first, the predictions behind it"
            return UserError(what, file=path, mend=mend)
        if mine.role == wanted:
            return None
        what = f"looks like {mine.title}; {_title(task, wanted)} are wanted here"
        return UserError(what, file=path, mend=f"bring one with {example} a line" if example else "check the name")
    if tool := tool_of(begin):
        known = f"write {example} a line; its spans end behind the last character" if example else "convert it"
        return UserError(f"looks like an export of {tool}", file=path, mend=known)
    for name, _ in TASKS:
        other = get_task(name)
        form = next((form for form in other.forms if form.fits(begin)), None)
        if form is not None and name != task.name:
            mend = f"use --recipe {_recipe_of(name)}, or bring a file of {task.title}"
            return UserError(f"looks like {other.title} ({form.title})", file=path, mend=mend)
    return None


def _title(task: Task[Any], role: str) -> str:
    return next((form.title for form in task.forms if form.role == role), f"files of {task.title}")


def _recipe_of(task: str) -> str:
    """The recipe that a task is usually called by."""
    own = task.replace("_", "-")
    names = [name for name in paths.shipped_recipes() if f"{name}-".startswith(f"{own}-")]
    return min(names, key=lambda name: (name != own, name), default=task)


def tool_of(begin: Beginning) -> str | None:
    """The annotation tool whose export begins so."""
    if not isinstance(begin, Mapping):
        return None
    if isinstance(begin.get("data"), Mapping) and ("annotations" in begin or "completions" in begin):
        return "Label Studio"
    marks = [begin[key] for key in ("label", "labels", "entities", "annotations") if isinstance(begin.get(key), list)]
    if not marks or not any(isinstance(begin.get(key), str) for key in ("text", "data")):
        return None
    first = next((mark for found in marks for mark in found), None)
    if isinstance(first, Mapping) and "labels" in first and "start" in first:
        return "Label Studio"
    doccano = isinstance(first, list | None) or (isinstance(first, Mapping) and "start_offset" in first)
    return "doccano" if doccano else None
