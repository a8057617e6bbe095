"""Competitions on tiny corpora whose commands run in this process, and whose speed is not measured."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ietool.contest.compete import measuring
from ietool.contest.compete import steps as stepping
from ietool.contest.compete.competing import Competed, compete
from ietool.contest.compete.plan import Speed
from ietool.errors import UserError
from tests.contest.corpora import settings, write_corpus
from tests.in_process import command_here

Compete = Callable[..., Competed]


def verb_here(arguments: list[object], log: Path, **_: Any) -> bool:
    """:func:`ietool.contest.compete.commands.run_verb` without a process of its own, nor an end in time."""
    done = command_here(Path.cwd(), *arguments)
    log.parent.mkdir(exist_ok=True)
    with log.open("a", encoding="utf-8") as out:
        out.write(f"$ ietool {shlex.join(map(str, arguments))}\n{done.stdout}{done.stderr}")
    if done.returncode:
        raise UserError(done.stderr)
    return True


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder."""
    monkeypatch.setenv("IETOOL_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def competed(work: Path, monkeypatch: pytest.MonkeyPatch) -> Compete:
    """``competed(recipes, …)``: a competition on ``data`` in ``mine``, of two trainings where nothing else is said.
    Where there is no ``data``, it is of what ships of the task; further arguments as :func:`compete` has them."""

    # A training is of four epochs, as asked, and takes 41 seconds: two fit into the hours.
    monkeypatch.setattr(measuring, "measure", lambda *_, **__: Speed(24, 24, 10.0, 0.1, 1.0))
    monkeypatch.setattr(stepping, "run_verb", verb_here)

    def made(recipes: list[object], *, task: str = "ner", hours: float = 0.05, **more: Any) -> Competed:
        if not (work / "data").is_dir():
            write_corpus(task, work / "data", train=12)
        tiny = [*settings(task)[3::2], "training.epochs=4"]
        names = [str(recipe) for recipe in recipes]
        return compete(
            work / "data", work / "mine", hours=hours, recipes=names, settings=tiny, folds=0, device="cpu", **more
        )

    return made
