"""Small corpora of all tasks, with one record whose statistics would tell on a leak; tiny settings to train on them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from ietool.paths import shipped_data

RARE = "龘"
"""Twice in one record of train and nowhere else: whoever knows it has seen that record."""

_TRAINING = ("training.batch_size=8", "training.epochs=1", "training.warmup_epochs=0", "training.learning_rate=5e-3",
             "training.ema_decay=0")  # fmt: skip
_OF_TASK = {
    # A rate that soon makes it silent: one that knows nothing yet proposes every pair of places.
    "ske": ("model.encoder.hidden_size=16", "model.encoder.dilations=[1]", "model.head.attention_heads=2",
            "training.learning_rate=1.5e-2", "training.batch_size=2"),
    "ner": ("model.encoder.hidden_size=16", "model.encoder.dilations=[1]", "training.epochs=2"),
    "el": ("model.encoder.hidden_size=16", "model.head.attention_heads=2", "data.min_char_count=2"),
    "qa": ("model.encoder.hidden_size=16", "model.encoder.question_dilations=[1]",
           "model.encoder.passage_dilations=[1,2]", "data.window=96", "data.overlap=48"),
}  # fmt: skip
RECIPES = {"ske": "ske", "ner": "ner-crf", "el": "el", "qa": "qa"}


def settings(task: str, *more: str) -> list[str]:
    """``--recipe`` and ``--set`` of a tiny model."""
    found = [part for setting in (*_TRAINING, *_OF_TASK[task], *more) for part in ("--set", setting)]
    return ["--recipe", RECIPES[task], *found]


def planted(task: str) -> dict[str, Any]:
    """A record of train that nothing else is like."""
    name = RARE + "氏" + RARE
    if task == "ske":
        triple = {"subject": name, "predicate": "歌手", "object": {"@value": "某甲"}, "subject_type": "歌曲",
                  "object_type": {"@value": "人物"}}  # fmt: skip
        return {"text": f"某甲演唱了{name}。", "spo_list": [triple]}
    if task == "ner":
        return {"text": f"某甲来到{name}。", "label": {"address": {name: [[4, 6]]}}}
    if task == "qa":
        return {
            "id": "planted",
            "question": f"{name}是谁？",
            "passages": [{"passage": f"{name}是某甲", "answer": "某甲"}],
        }
    return {
        "text_id": "planted",
        "text": f"{name}的音乐",
        "mention_data": [{"kb_id": "NIL", "mention": "音乐", "offset": "4"}],
    }


def write_corpus(task: str, folder: Path, train: int = 24, dev: int = 6) -> Path:
    """The first records of what ships, and the planted one behind those of train."""
    folder.mkdir(parents=True)
    shipped = shipped_data(task)
    for name in ("schema.jsonl", "kb_data"):
        if (shipped / name).is_file():
            shutil.copyfile(shipped / name, folder / name)
    for split, count in (("train", train), ("dev", dev)):
        more = [planted(task)] if split == "train" else []
        if task == "qa":
            records = json.loads((shipped / f"{split}.json").read_text(encoding="utf-8"))[:count]
            (folder / f"{split}.json").write_text(json.dumps(records + more, ensure_ascii=False), encoding="utf-8")
            continue
        lines = (shipped / f"{split}.jsonl").read_text(encoding="utf-8").splitlines()[:count]
        lines += [json.dumps(record, ensure_ascii=False) for record in more]
        (folder / f"{split}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder
