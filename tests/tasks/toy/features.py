"""Character ids and 0/1 targets, as JSON lines: a toy's table on disk."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path

from ietool.core.contract import PrepareReport
from ietool.core.sources import Sources
from ietool.progress import Progress
from ietool.tables import Table
from ietool.text.characters import CharVocabulary
from tests.tasks.toy.data import read_gold

FEATURES = "features.jsonl"


def prepare(sources: Sources, folder: Path, progress: Progress) -> PrepareReport:
    gold = read_gold(sources.files["train"])
    CharVocabulary.from_counts(Counter("".join(e.text for e in gold)), 1).save(folder / "characters.txt")
    for role, path in sources.files.items():
        shutil.copyfile(path, folder / f"{role}.jsonl")
    characters = vocabulary(folder)
    with (folder / FEATURES).open("w", encoding="utf-8") as out:
        for done, example in enumerate(gold, 1):
            ids = characters.encode(example.text).tolist()
            out.write(json.dumps([ids, [int(at in example.digits) for at in range(len(ids))]]) + "\n")
            progress("features", done, len(gold))
    return PrepareReport([Table("Corpus", ("texts",), [(len(gold),)])], {"texts": len(gold)})


def vocabulary(folder: Path) -> CharVocabulary:
    return CharVocabulary.load(folder / "characters.txt")
