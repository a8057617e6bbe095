"""Character ids and 0/1 targets, as JSON lines: a toy's table on disk."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import torch

from ietool.core.contract import PrepareReport
from ietool.core.sources import Sources
from ietool.progress import Progress
from ietool.tables import Table
from ietool.text.characters import CharVocabulary
from tests.tasks.toy.data import read_gold


def prepare(sources: Sources, folder: Path, progress: Progress) -> PrepareReport:
    gold = read_gold(sources.files["train"])
    CharVocabulary.from_counts(Counter("".join(gold)), 1).save(folder / "characters.txt")
    for role, path in sources.files.items():
        shutil.copyfile(path, folder / f"{role}.jsonl")
    characters = vocabulary(folder)
    with (folder / "features.jsonl").open("w", encoding="utf-8") as out:
        for done, (text, digits) in enumerate(gold.items(), 1):
            ids = characters.encode(text).tolist()
            out.write(json.dumps([ids, [int(at in digits) for at in range(len(ids))]]) + "\n")
            progress("features", done, len(gold))
    return PrepareReport([Table("Corpus", ("texts",), [(len(gold),)])], {"texts": len(gold)})


def vocabulary(folder: Path) -> CharVocabulary:
    return CharVocabulary.load(folder / "characters.txt")


class ToyTrainingSet:
    def __init__(self, prepared: Path, limit: int | None) -> None:
        lines = (prepared / "features.jsonl").read_text(encoding="utf-8").splitlines()[:limit]
        self.items = [json.loads(line) for line in lines]
        self.lengths = [len(ids) for ids, _ in self.items]

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> Any:
        return self.items[index]

    def set_epoch(self, epoch: int) -> None:
        """Nothing is drawn."""

    def collate(self, items: list[Any]) -> dict[str, torch.Tensor]:
        def padded(which: int) -> torch.Tensor:
            rows = [torch.tensor(item[which]) for item in items]
            return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)

        return {"characters": padded(0), "targets": padded(1).float()}
