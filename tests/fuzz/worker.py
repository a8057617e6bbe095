"""The process of :class:`tests.fuzz.hunt.Worker`: a JSON list of arguments a line in, what came of it a line out."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import IO, Any

import torch

import ietool.auto  # noqa: F401  # all models now, rather than within the time of the first input
from ietool.cli.app import run

_FRESH = Path("/proc/self/clear_refs")


def _forget_peak() -> None:
    """Let the peak of memory begin anew, where the system can."""
    with contextlib.suppress(OSError):
        _FRESH.write_text("5")


def _megabytes() -> int:
    """The highest memory since."""
    with contextlib.suppress(OSError):
        status = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) // 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def answer(arguments: list[str]) -> dict[str, Any]:
    """Run a command; what it and the libraries below write to the standard streams is caught."""
    _forget_peak()
    begin = time.monotonic()
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        os.dup2(out.fileno(), 1)
        os.dup2(err.fileno(), 2)
        try:
            code = run(arguments)
        except SystemExit as left:
            code = left.code if isinstance(left.code, int) else 1
        except BaseException:
            traceback.print_exc()
            code = 1
        said = [_read(file) for file in (out, err)]
    seconds = time.monotonic() - begin
    return {"code": code, "out": said[0], "err": said[1], "seconds": seconds, "megabytes": _megabytes()}


def _read(file: IO[bytes]) -> str:
    """The beginning of what was written to a file: more would only fill the pipe."""
    sys.stdout.flush()
    sys.stderr.flush()
    file.seek(0)
    return file.read(1 << 20).decode("utf-8", "backslashreplace")


def main() -> None:
    torch.set_num_threads(1)
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    out.write("ready\n")
    out.flush()
    for line in sys.stdin:
        out.write(json.dumps(answer(json.loads(line))) + "\n")
        out.flush()


if __name__ == "__main__":
    main()
