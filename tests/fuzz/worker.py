"""The process of :class:`tests.fuzz.hunt.Worker`: a JSON list of arguments a line in, what came of it a line out."""

from __future__ import annotations

import json
import os
import resource
import sys
import tempfile
import time
import traceback
from typing import Any

import torch

import ietool.auto  # noqa: F401  # all models now, rather than within the time of the first input
from ietool.cli.app import run


def _megabytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def answer(arguments: list[str]) -> dict[str, Any]:
    """Run a command; what it and the libraries below write to standard error is caught."""
    begin = time.monotonic()
    with tempfile.TemporaryFile() as err:
        os.dup2(err.fileno(), 2)
        try:
            code = run(arguments)
        except SystemExit as left:
            code = left.code if isinstance(left.code, int) else 1
        except BaseException:
            traceback.print_exc()
            code = 1
        sys.stderr.flush()
        err.seek(0)
        said = err.read().decode("utf-8", "backslashreplace")
    return {"code": code, "err": said, "seconds": time.monotonic() - begin, "megabytes": _megabytes()}


def main() -> None:
    torch.set_num_threads(1)
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    out.write("ready\n")
    out.flush()
    for line in sys.stdin:
        out.write(json.dumps(answer(json.loads(line))) + "\n")
        out.flush()


if __name__ == "__main__":
    main()
