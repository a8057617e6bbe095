"""Chinese information extraction competitions: prepare, train, predict, score."""

from __future__ import annotations

from os import PathLike
from typing import TYPE_CHECKING

from ietool.version import __version__

if TYPE_CHECKING:
    from ietool.workflow.predict import Loaded

__all__ = ["__version__", "load"]


def load(run: str | PathLike[str], device: str = "auto") -> Loaded:
    """Open a run folder for prediction: ``load("runs/ske/…").predict(["…"])`` gives typed results with offsets.

    Args:
        run: a folder that ``ietool train`` wrote.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:1``.

    Raises:
        UserError: the folder is no run, or its weights are missing.
    """
    from pathlib import Path

    from ietool.workflow.predict import load as load_run

    return load_run(Path(run), device)
