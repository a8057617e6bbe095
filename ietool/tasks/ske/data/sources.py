"""The names under which SKE 2019, DuIE 2.0 and WebNLG were published."""

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
        "train": "train_data.json, duie_train.json, train_triples.json, train.jsonl",
        "dev": "dev_data.json, duie_dev.json, dev.jsonl, dev.json",
        "schema": "all_50_schemas, duie_schema.json, schema.jsonl, schema.json",
    },
    strangers={"star"},  # WebNLG and NYT with the last words of names alone
)


def locate(folder: Path, needed: Collection[str] = ("train",)) -> Sources:
    """The files in a folder; dev may be absent, and the schema, since it can be told from the data. See
    :class:`FileNames`."""
    return NAMES.locate(folder, needed)
