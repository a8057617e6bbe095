"""Files of a training on the disk: whole, and where they belong."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from transformers import PreTrainedModel

from ietool.files.outputs import file_mode


def sync(folder: Path) -> None:
    """Bring a folder's files to the disk, so that a power cut cannot leave a complete mark on empty files."""
    for path in folder.iterdir():
        with path.open("rb") as stream:
            os.fsync(stream.fileno())
    sync_names(folder)


def sync_names(folder: Path) -> None:
    """Bring to the disk which files a folder has; Windows does so by itself."""
    if os.name != "posix":
        return
    place = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(place)
    finally:
        os.close(place)


def save_weights(model: PreTrainedModel, run: Path) -> None:
    """``config.json`` and ``model.safetensors`` into the run, each renamed into place."""
    part = run / ".weights.part"
    shutil.rmtree(part, ignore_errors=True)
    model.save_pretrained(part)
    sync(part)
    for path in part.iterdir():
        os.chmod(path, file_mode())  # safetensors creates its files for the owner alone
        os.replace(path, run / path.name)
    part.rmdir()
    sync_names(run)
