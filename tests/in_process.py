"""The command line without a process of its own, whose imports of torch take seconds."""

from __future__ import annotations

import contextlib
import io
import subprocess
from pathlib import Path
from unittest import mock

from ietool.cli.app import run


def command_here(folder: Path, *arguments: object, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run ``ietool`` with a working folder, off a terminal; gives its exit code, output and messages."""
    words = [str(argument) for argument in arguments]
    given, out, err = (io.TextIOWrapper(io.BytesIO(content), "utf-8") for content in ((stdin or "").encode(), b"", b""))
    with (
        contextlib.chdir(folder), mock.patch("sys.stdin", given),
        contextlib.redirect_stdout(out), contextlib.redirect_stderr(err),
    ):  # fmt: skip
        code = run(words)
    return subprocess.CompletedProcess(["ietool", *words], code, _text(out), _text(err))


def _text(stream: io.TextIOWrapper) -> str:
    stream.seek(0)  # which flushes
    return stream.read()
