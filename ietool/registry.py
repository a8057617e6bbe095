"""The tasks there are: a plain table, one line a task."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ietool.errors import UserError

if TYPE_CHECKING:
    from ietool.core.contract import Task

TASKS: list[tuple[str, str]] = [
    ("ske", "ietool.tasks.ske:SkeTask"),
    ("el", "ietool.tasks.el:ElTask"),
    ("qa", "ietool.tasks.qa:QaTask"),
    ("ner", "ietool.tasks.ner:NerTask"),
    ("event_subject", "ietool.tasks.event_subject:SubjectTask"),
    ("events", "ietool.tasks.events:EventsTask"),
    ("nl2sql", "ietool.tasks.nl2sql:Nl2sqlTask"),
]
"""(name, module:class); the module is imported when the task is asked for."""


def register(name: str, target: str) -> None:
    """Add a task (plug-ins and tests). Raises ValueError if the name is taken."""
    if any(taken == name for taken, _ in TASKS):
        raise ValueError(f"task {name!r} is registered already")
    TASKS.append((name, target))


def get_task(name: str) -> Task[Any]:
    """The task of that name. Raises UserError naming those there are."""
    for known, target in TASKS:
        if known == name:
            module, _, attribute = target.partition(":")
            task: Task[Any] = getattr(import_module(module), attribute)()
            return task
    known_names = ", ".join(known for known, _ in TASKS)
    raise UserError(f"no task is called {name!r}", field="task", mend=f"use one of: {known_names}")
