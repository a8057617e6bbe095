"""Bringing the members of an ensemble into its own folder, so that it can go elsewhere whole."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from ietool.runs.entry import RECIPE_FILE, open_run
from ietool.runs.folder import is_model_file, model_files
from ietool.runs.info import RUN_FILE, write_info
from ietool.runs.members import COPIES

_CHANGED = (".json", ".yaml", ".jsonl", ".md")
"""What a user or a later version may change in one of the two places; the rest is written once."""


def carry(runs: Sequence[Path], names: Sequence[str], folder: Path) -> list[str]:
    """Copy the models of runs into an ensemble's folder; what never changes becomes a second name for the same bytes
    where the disk allows it.

    Returns:
        The folder of each, as seen from that of the ensemble.
    """
    found = []
    for number, (run, name) in enumerate(zip(runs, names, strict=True), 1):
        place = f"{COPIES}/{number}-{Path(name).name.lstrip('.') or 'run'}"
        target = folder / place
        info = open_run(run).info
        wanted = sorted({*(info.files or model_files(run)), RECIPE_FILE})
        files = [file for file in wanted if file != RUN_FILE and is_model_file(run, file)]
        for file in files:
            (target / file).parent.mkdir(parents=True, exist_ok=True)
            _bring(run / file, target / file)
        # Where the run was made, and how it was called, is its own affair.
        info.command, info.process, info.host, info.prepared, info.files = [], None, "", "", files
        write_info(target, info)
        found.append(place)
    return found


def _bring(source: Path, target: Path) -> None:
    if source.suffix not in _CHANGED:
        try:
            os.link(source, target)
            return
        except OSError:
            pass
    shutil.copyfile(source, target)
