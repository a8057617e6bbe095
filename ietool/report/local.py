"""Paths of this machine, which nobody else has and which tell of it: what a card or an upload must not hold."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator
from pathlib import Path, PureWindowsPath
from typing import Any

from ietool.runs.info import RunInfo

_LIKE_A_PATH = re.compile(r"~|\.{1,2}([/\\]|$)|[A-Za-z]:[/\\]|[/\\]")
"""How only paths begin."""
_PATH_KEYS = ("word_vectors", "rules", "kb", "more", "mentions", "name_or_path", "_name_or_path")
"""Keys under which recipes and settings have files and folders."""


def strings_in(value: Any) -> Iterator[str]:
    """All strings in plain data that are no keys."""
    for _, text in _named(value):
        yield text


def _named(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """(key that it stands under, string) of all strings in plain data; items of a list stand under its key."""
    if isinstance(value, dict):
        for name, part in value.items():
            yield from _named(part, str(name).rpartition(".")[2])
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _named(part, key)
    elif isinstance(value, str):
        yield key, value


def local_paths(recipe: Any, info: RunInfo) -> set[str]:
    """The strings of a recipe and of ``run.json`` that are paths, absolute or not.

    An encoder's name is one unless it is the hub id that the run knows; what stands on this disk under a name of
    several parts is one as well.
    """
    told = [recipe, info.differences, info.corpus, info.members, info.tuned, {"name_or_path": info.prepared}]
    return {
        text
        for part in told
        for key, text in _named(part)
        if _is_path(text, key, hub=info.base_model) and text != _last(text)
    }


def own_paths(settings: Any) -> set[str]:
    """The strings of a file of settings that are paths because of their key, or begin as only paths do."""
    return {text for key, text in _named(settings) if _LIKE_A_PATH.match(text) and os.path.exists(text)} | {
        text for key, text in _named(settings) if key.endswith("name_or_path") and os.path.exists(text)
    }


def _is_path(text: str, key: str, *, hub: str | None) -> bool:
    if text == hub or "\n" in text:
        return False
    if _LIKE_A_PATH.match(text):
        return True
    if not re.search(r"[/\\]", text):
        return False
    return key in _PATH_KEYS or key in ("name", "encoder") or os.path.exists(text)


def _last(path: str) -> str:
    """The last part of a path of any system; empty where it has none, as of ``/`` and ``..``."""
    name = PureWindowsPath(path).name
    return "" if name in ("..", "~") else name


def without_paths(value: Any, local: Collection[str]) -> Any:
    """Plain data with each path cut to its last part, wherever it stands in a string; ``key=value`` settings too."""
    if isinstance(value, dict):
        return {key: without_paths(part, local) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [without_paths(part, local) for part in value]
    if not isinstance(value, str):
        return value
    if value in local:
        return _last(value)
    # Longest first: a path may be the beginning of another.
    for path in sorted(local, key=len, reverse=True):
        if len(path) > 3 and (Path(path).is_absolute() or "=" in value):
            value = value.replace(path, _last(path))
    return value
