"""A resolved recipe as a file of its own: every key that acts, its value, and what it means."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml

from ietool.recipe import Recipe, Section

_WIDTH = 48
"""Columns before a comment, where the value leaves so many."""


def resolved(recipe: Recipe) -> str:
    """The YAML of a recipe, defaults spelled out. ``ietool recipes validate`` takes it."""
    head = f"# {recipe.title or recipe.name}: every key that acts, with its value and what it means.\n\n"
    return head + "\n".join(_lines(recipe, "")) + "\n"


def _lines(section: Section, indent: str) -> Iterator[str]:
    for name, field in type(section).model_fields.items():
        value = getattr(section, name)
        about = f"# {' '.join(field.description.split())}" if field.description else ""
        if isinstance(value, Section):
            if not indent:
                yield ""
            yield f"{indent}{name}:{' ' + about if about else ''}"
            yield from _lines(value, indent + "  ")
            continue
        line = f"{indent}{name}: {_plain(section, name)}"
        yield f"{line:<{_WIDTH}} {about}".rstrip() if about else line


def _plain(section: Section, name: str) -> str:
    """A value in one line of YAML."""
    value: Any = section.model_dump(mode="json")[name]
    text = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=10_000)
    return text.removesuffix("\n").removesuffix("\n...")
