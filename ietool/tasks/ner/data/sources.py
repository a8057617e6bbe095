"""The names under which CLUENER, CMeEE, MSRA, Weibo, Resume and their like were published."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from ietool.core.sources import FileNames, Sources

NAMES = FileNames(
    words={"train": {"train", "training"}, "dev": {"dev", "valid", "validation", "val"}},
    examples={
        "train": "train.json, train_data.txt, msra_train.bio, train.char.bmes, train.txt",
        "dev": "dev.json, dev.char.bmes, dev.txt",
    },
    endings=(".bio", ".bioes", ".bmes", ".bmoes", ".char", ".conll", ".ner", ".tsv"),
)


def locate(folder: Path, needed: Collection[str] = ("train",)) -> Sources:
    """The files in a folder: ``train``, where it has them ``dev`` and ``test``. See :class:`FileNames`."""
    return NAMES.locate(folder, needed)
