"""The names under which CCKS 2019's files were published."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from ietool.core.sources import FileNames, Sources

NAMES = FileNames(
    words={"train": {"train", "training"}, "dev": {"dev", "valid", "validation", "val"}},
    examples={"train": "event_type_entity_extract_train.csv, train.csv, train.jsonl", "dev": "dev.csv, dev.jsonl"},
    tests=("test", "eval"),
    endings=(".csv",),
)


def locate(folder: Path, needed: Collection[str] = ("train",)) -> Sources:
    """The files in a folder: ``train``, where it has them ``dev`` and ``test``. See :class:`FileNames`."""
    return NAMES.locate(folder, needed)
