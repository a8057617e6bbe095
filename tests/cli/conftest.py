"""Running the command line as a user does."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import pytest

from ietool.cli.app import run as command
from tests.in_process import command_here

Ietool = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def ietool(tmp_path: Path) -> Ietool:
    """``ietool("recipes", "--json")`` runs the real command in an empty folder, output captured: in this process, or
    with ``env`` in one of its own."""

    def run(*arguments: object, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        if env is None:
            return command_here(tmp_path, *arguments)
        return subprocess.run(
            [sys.executable, "-m", "ietool", *map(str, arguments)],
            cwd=tmp_path,
            env={**os.environ, "OMP_NUM_THREADS": "1", **env},
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=120,
        )

    return run


Printed = Callable[..., str]


def output_of(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """What a command that must succeed prints, run in this process."""
    capsys.readouterr()
    code = command([str(argument) for argument in arguments])
    shown = capsys.readouterr()
    assert code == 0, shown.err
    return shown.out


def complaint(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """What a command that must fail says: one line."""
    capsys.readouterr()
    assert command([str(argument) for argument in arguments]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and error.count("\n") == 1, error
    return error


@pytest.fixture
def printed(capsys: pytest.CaptureFixture[str]) -> Printed:
    """``printed("score", …)``: :func:`output_of`."""
    return partial(output_of, capsys)
