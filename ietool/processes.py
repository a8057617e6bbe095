"""The processes of a distributed run, as ``torchrun`` tells them to each."""

from __future__ import annotations

import os


def is_main_process() -> bool:
    """Whether this is the process that reports and writes files; True without ``torchrun``."""
    return int(os.environ.get("RANK", "0")) == 0


def process_count() -> int:
    """1 without ``torchrun``."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def processes_here() -> int:
    """How many of them are on this machine; 1 without ``torchrun``."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
