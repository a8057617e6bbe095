"""Files that a prepared folder and a run folder carry."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from ietool.tasks.el.features.traits import TYPES
from ietool.text.readers import copy_reader

KB, ANNOTATIONS, FOLDS, NIL_TYPES = "kb", "annotations.jsonl", "folds", "nil_types.txt"


def copy_assets(prepared: Path, run: Path) -> None:
    """What a run folder carries: everything :meth:`Featurizer.open` reads."""
    copy_reader(prepared, run)
    for name in (ANNOTATIONS, NIL_TYPES, TYPES):
        shutil.copyfile(prepared / name, run / name)
    link_kb(prepared, run)


def link_kb(source: Path, target: Path) -> None:
    """Give a folder the knowledge base of another: a second name for the same bytes where the disk allows it, as they
    are never written again."""
    shutil.rmtree(target / KB, ignore_errors=True)
    shutil.copytree(source / KB, target / KB, copy_function=_link)


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def read_nil_types(folder: Path) -> list[str]:
    """The types of NIL mentions that train knows, in the order of the model's classes."""
    return [name for name in (folder / NIL_TYPES).read_text(encoding="utf-8").split("\n") if name]
