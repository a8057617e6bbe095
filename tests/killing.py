"""A command that is killed, as by kill -9 or the power."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.in_process import command_here


def killed(folder: Path, when: Callable[[], bool], *arguments: object) -> None:
    """Run ``ietool`` with a working folder in a process of its own, which shares what is imported here, and kill it as
    soon as something is so."""
    child = os.fork()
    if child == 0:
        try:
            command_here(folder, *arguments)
        finally:
            os._exit(0)
    deadline = time.monotonic() + 120
    try:
        while not when():
            assert time.monotonic() < deadline
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended:
                child = 0
                assert status == 0, "it has failed"
                pytest.skip("it ended before it could be killed: the machine is busy")
            time.sleep(0.002)
    finally:
        if child:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
