"""The processes that make batches beside the training: how many, how they start, and how they end."""

from __future__ import annotations

import os
import re
import sys
import traceback
from functools import cache
from typing import Any

import torch

from ietool.errors import UserError
from ietool.processes import processes_here

MOST = 4
"""Of them where a recipe names no number: a GPU waits for no more."""

PREFETCHED = 4
"""Batches that each has ready."""

START = "fork" if sys.platform == "linux" else "spawn"
"""How they start. A fork takes milliseconds and shares what was read; a fresh process imports torch for seconds, and
opens the training set anew. Elsewhere than on Linux the systems' own libraries do not survive a fork."""

_DEAD = re.compile(r"^DataLoader worker \(pid(?:\(s\))? ([\d, ]+)\) (?:is |exited )(?:killed by signal: ([\w ]+)|.*)")
_HANDING = os.path.join("multiprocessing", "resource_sharer.py")
"""Where Python fetches the memory that another process has made."""


def worker_count(asked: int | None, device: torch.device) -> int:
    """How many processes make batches; 0: the training process itself does.

    Args:
        asked: ``training.workers``.
    """
    if asked is not None:
        return asked
    if device.type != "cuda" or START != "fork":
        return 0  # beside a CPU that computes they would take its cores, and fresh processes their time
    # One core is the training's own, and the processes of a distributed run share those of their machine.
    return max(0, min(MOST, len(os.sched_getaffinity(0)) // processes_here() - 1))


def draw_as_ever(loader: Any) -> None:
    """Draw a random number where a data loader goes on with the processes of the epoch before: every other loader draws
    a seed for an epoch, and the dropout of a step must not follow from how batches are made."""
    if _kept(loader) is not None:
        torch.empty((), dtype=torch.int64).random_()


def let_go(loader: Any) -> None:
    """End the processes of a data loader, which else live until nothing refers to it any more."""
    kept = _kept(loader)
    if kept is not None:
        kept._shutdown_workers()


def _kept(loader: Any) -> Any:
    """What keeps the processes of a loader from epoch to epoch; None where there are none. torch shows it nowhere."""
    return getattr(getattr(loader, "base_dataloader", loader), "_iterator", None)


def death(error: BaseException) -> str | None:
    """What torch says of a process that made batches and is dead, in words of ours; None where it says something
    else."""
    told = _DEAD.match(str(error)) if isinstance(error, RuntimeError) else None
    if told is None and not _was_handed_over(error):
        return None
    signal = (told[2] or "").strip() if told else ""
    memory = " or shared memory (/dev/shm)" if "Bus" in signal else ""
    how = f"killed by signal: {signal}" if signal else "without a word"
    return f"a process that makes batches has ended ({how}), as where memory{memory} does not suffice"


def _was_handed_over(error: BaseException) -> bool:
    """Whether a process was asked for the memory of a batch that it had made, and was there no more."""
    frames = traceback.walk_tb(error.__traceback__)
    return isinstance(error, OSError | EOFError) and any(
        frame.f_code.co_filename.endswith(_HANDING) for frame, _ in frames
    )


def told_there(error: BaseException) -> str | None:
    """What is wrong with the input, told while a batch was made in another process; torch hands it over within a
    traceback. None where it is something else."""
    before, inner, said = str(getattr(error, "message", "")).rpartition(f"{UserError.__name__}: ")
    return said if inner and "in DataLoader worker process" in before else None


@cache
def make_forks_safe() -> None:
    """Tokenizers have threads of their own, which a fork lacks: there they must not wait for them. Whether they do is
    read from the environment at the moment of the fork."""
    name, before = "TOKENIZERS_PARALLELISM", dict[str, str]()

    def prepare() -> None:
        before.update({name: os.environ[name]} if name in os.environ else {})
        os.environ[name] = "false"

    def restore() -> None:
        del os.environ[name]
        os.environ.update(before)
        before.clear()

    os.register_at_fork(before=prepare, after_in_parent=restore)
