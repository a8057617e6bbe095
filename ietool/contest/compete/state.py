"""What a competition folder knows of itself: the plan, what is done, the time that is spent."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ietool.contest.compete.plan import Plan
from ietool.contest.compete.recipes import RECIPES
from ietool.errors import UserError
from ietool.files.outputs import atomic_text
from ietool.files.plain_json import dump_json, load_json
from ietool.runs.folder import LOCK

STATE = "compete.json"
FORMAT = 2
_EVERY = 10.0
"""Seconds of work that a kill may leave uncounted."""


@dataclass
class State:
    """``compete.json``.

    Attributes:
        folder: in which it stands.
        data: the folder of the competition's files.
        asked: what the user asked for: recipes, settings, device.
        plan: None until the speed is measured.
        spent: seconds of work before this process.
        done: name of a step → what came of it.
    """

    folder: Path
    data: str
    asked: Mapping[str, Any]
    plan: Plan | None = None
    spent: float = 0.0
    done: dict[str, Any] = field(default_factory=dict)
    begun: float = field(default_factory=time.monotonic)
    _saved: float = field(default_factory=time.monotonic)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def seconds(self) -> float:
        """Of work so far; the time in which nothing ran does not count."""
        return self.spent + time.monotonic() - self.begun

    @property
    def left(self) -> float:
        """Seconds until the hours are over."""
        assert self.plan is not None
        return self.plan.hours * 3600 - self.seconds

    def save(self) -> None:
        """Write it, whole or not at all."""
        data = {
            "format": FORMAT,
            "data": self.data,
            "asked": dict(self.asked),
            "plan": None if self.plan is None else self.plan.record(),
            "spent": self.seconds,
            "done": self.done,
        }
        with self._lock, atomic_text(self.folder / STATE) as out:
            out.write(dump_json(data, indent=1) + "\n")
            self._saved = time.monotonic()

    def tick(self) -> None:
        """Write it now and then, so that the time of a process that is killed counts too; of any thread."""
        if time.monotonic() - self._saved >= _EVERY:
            self.save()

    @contextmanager
    def step(self, name: str) -> Iterator[dict[str, Any]]:
        """What came of a step is kept when it is over."""
        came: dict[str, Any] = {}
        yield came
        self.done[name] = came
        self.save()


def read_state(folder: Path) -> State:
    """The state in a folder.

    Raises:
        UserError: there is none, or it is damaged.
    """
    path = folder / STATE
    try:
        data = load_json(path.read_text(encoding="utf-8"))
        if data["format"] != FORMAT:
            raise UserError("was begun by another version of ietool", file=folder, mend="choose another --output")
        plan = None if data["plan"] is None else Plan.of(data["plan"])
        return State(folder, str(data["data"]), dict(data["asked"]), plan, float(data["spent"]), dict(data["done"]))
    except FileNotFoundError:
        raise UserError("holds no competition that could go on", file=folder, mend="leave out --resume") from None
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError, OSError):
        raise UserError("is damaged", file=path, mend="choose another --output") from None


def check_place(folder: Path, *, inputs: Sequence[Path]) -> None:
    """Raise UserError unless a new competition may be made in a folder: one that is not there, or empty."""
    if folder.exists() and not folder.is_dir():
        raise UserError("is a file, a folder is needed", file=folder, mend="choose another --output")
    going = (folder / STATE).is_file()
    # A process that was killed before it had a state to write left these, and nothing of worth.
    if folder.is_dir() and (going or any(path.name not in (LOCK, RECIPES) for path in folder.iterdir())):
        mend = "go on with it by --resume, or choose another --output" if going else "choose another --output"
        raise UserError("is not empty", file=folder, mend=mend)
    if any(folder.resolve() == path.resolve() for path in inputs):
        raise UserError("is the folder of the data", file=folder, mend="choose another --output")
