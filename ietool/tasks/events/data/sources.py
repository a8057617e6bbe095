"""The names under which DuEE and FewFC were published."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from ietool.core.sources import FileNames, Sources

NAMES = FileNames(
    words={
        "train": {"train", "training"},
        "dev": {"dev", "valid", "validation", "val"},
        "schema": {"schema", "schemas"},
    },
    examples={
        "train": "duee_train.json, train.json, train.jsonl",
        "dev": "duee_dev.json, dev.json, dev.jsonl",
        "schema": "duee_event_schema.json, event_schema.json, schema.jsonl",
    },
)


def locate(folder: Path, needed: Collection[str] = ("train",)) -> Sources:
    """The files in a folder; dev may be absent, and the schema, since it can be told from train. See
    :class:`FileNames`."""
    return NAMES.locate(folder, needed)
