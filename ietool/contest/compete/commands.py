"""The verbs as processes of their own: their memory is given back when they end, and each may have a GPU of its own."""

from __future__ import annotations

import ctypes
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Event

from ietool.errors import UserError

_LAST = 4000
"""Bytes of a log in which an error is looked for."""

_PR_SET_PDEATHSIG = 1
_PATIENCE = 60.0
"""Seconds that a command has to end once it was asked to."""


class Died(UserError):
    """A command ended otherwise than by its own will: it was killed, or met a fault of ours."""


def run_verb(
    arguments: Sequence[object],
    log: Path,
    *,
    environment: Mapping[str, str] | None = None,
    tick: Callable[[float], None] = lambda seconds: None,
    limit: float | None = None,
    stop: Event | None = None,
) -> bool:
    """Run ``ietool ARGUMENTS`` with its output in a log; gives whether it came to its end.

    Args:
        log: appended to.
        environment: further variables.
        tick: told every second how long it has run.
        limit: seconds after which it is asked to end (Ctrl-C), and after a minute more made to.
        stop: once set it is asked to end too.

    Raises:
        UserError: it refused, with its own words.
        KeyboardInterrupt: it was stopped.
        Died: it ended in another way, unasked.
    """
    command = [sys.executable, "-m", "ietool", *map(str, arguments)]
    log.parent.mkdir(parents=True, exist_ok=True)
    begin, asked = time.monotonic(), False
    with log.open("ab") as out:
        out.write(f"$ ietool {shlex.join(command[3:])}\n".encode())
        out.flush()
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(environment or {})},
            preexec_fn=_die_with_parent if sys.platform == "linux" else None,
        )
        try:
            while process.poll() is None:
                with suppress(subprocess.TimeoutExpired):
                    process.wait(1.0)
                seconds = time.monotonic() - begin
                if stop is not None and stop.is_set():
                    raise KeyboardInterrupt
                tick(seconds)
                if limit is not None and seconds > limit and process.poll() is None:
                    asked = True
                    _end(process)
        except BaseException:
            _end(process)
            raise
    if process.returncode == 2:
        raise UserError(_error_in(log) or f"ietool {shlex.join(command[3:])} refused; see {log}")
    if process.returncode and not asked:
        mend = "see the end of that log; what was begun goes on with ietool compete --resume"
        raise Died(f"ietool {command[3]} {_ended(process.returncode)}", file=log, mend=mend)
    return process.returncode == 0


def _ended(code: int) -> str:
    """How a command ended, in words."""
    if code > 0:
        return f"ended with exit code {code}"
    with suppress(ValueError):
        return f"was killed ({signal.Signals(-code).name})"
    return f"was killed (signal {-code})"


def _die_with_parent() -> None:
    """A competition that is killed leaves no training behind, which would keep the folder of its run."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ask a command to end, and make it."""
    if process.poll() is not None:
        return
    process.send_signal(signal.SIGINT)
    try:
        process.wait(_PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _error_in(log: Path) -> str:
    """The last error that a log tells of, without what stands before it."""
    with log.open("rb") as stream:
        stream.seek(max(0, log.stat().st_size - _LAST))
        lines = stream.read().decode("utf-8", "replace").splitlines()
    return next((line.removeprefix("error: ") for line in reversed(lines) if line.startswith("error: ")), "")
