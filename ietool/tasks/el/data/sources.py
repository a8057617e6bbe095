"""The names under which CCKS 2019 and CCKS 2020 entity linking were published."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from ietool.core.sources import FileNames, Sources

NAMES = FileNames(
    words={
        "kb": {"kb"},
        "mentions": {"mention", "mentions"},
        "train": {"train", "training"},
        "dev": {"dev", "valid", "validation", "val"},
    },
    examples={
        "kb": "kb_data, kb_data.json, kb.json",
        "mentions": "mention_spans.json, mentions.json",
        "train": "train.json, train_data.json, train.jsonl",
        "dev": "dev.json, dev_data.json, dev.jsonl",
    },
    # The develop.json of CCKS 2019 is what participants predicted on before the test: it has no gold.
    tests={"test", "develop", "eval"},
)


def locate(folder: Path, needed: Collection[str] = ("kb", "train")) -> Sources:
    """The files in a folder: ``kb``, ``train``, where it has them ``dev`` and ``mentions`` (mentions without ids, for
    further supervision), and ``test`` and ``test_gold``. See :class:`FileNames`."""
    return NAMES.locate(folder, needed)
