"""Small pieces of the corpora that ship, and encoders that know their characters."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from tests.tiny_encoder import make_encoder_folder

SHIPPED = Path(__file__).resolve().parents[2] / "data"


def _lines(corpus: str, name: str, first: int, last: int) -> list[dict[str, Any]]:
    text = (SHIPPED / corpus / name).read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()[first:last]]


def _write_lines(path: Path, records: Iterable[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(r, ensure_ascii=False) + "\n" for r in records), encoding="utf-8")


def _write(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False), encoding="utf-8")


def duie2(folder: Path, train_size: int) -> list[str]:
    """Triples with slots. All corpora give the texts of train, from which an encoder's vocabulary is made."""
    train = _lines("ske", "train.jsonl", 0, train_size)
    _write_lines(folder / "train.json", train)
    _write_lines(folder / "dev.json", _lines("ske", "dev.jsonl", 0, 20))
    _write_lines(folder / "test.json", _lines("ske", "test.jsonl", 0, 50))
    _write_lines(folder / "schema.json", _lines("ske", "schema.jsonl", 0, 99))
    return [r["text"] for r in train]


def ske2019(folder: Path, train_size: int) -> list[str]:
    """Triples of strings: the same texts as they are in the older form, without further slots."""
    train = [_older(r) for r in _lines("ske", "train.jsonl", 0, train_size)]
    _write_lines(folder / "train_data.json", train)
    _write_lines(folder / "dev_data.json", [_older(r) for r in _lines("ske", "dev.jsonl", 0, 20)])
    _write_lines(folder / "test.json", [_older(r) for r in _lines("ske", "test.jsonl", 0, 50)])
    _write_lines(folder / "all_50_schemas", _lines("ske2019", "all_50_schemas", 0, 99))
    return [r["text"] for r in train]


def _older(record: dict[str, Any]) -> dict[str, Any]:
    triples = [
        triple | {"object": triple["object"]["@value"], "object_type": triple["object_type"]["@value"]}
        for triple in record["spo_list"]
    ]
    return record | {"spo_list": triples}


def duee(folder: Path, train_size: int) -> list[str]:
    """Events as they ship."""
    return _events(folder, train_size, lambda record: record)


def fewfc(folder: Path, train_size: int) -> list[str]:
    """The same in FewFC's form, without a schema."""
    texts = _events(folder, train_size, _as_fewfc)
    (folder / "schema.json").unlink()
    return texts


def _events(folder: Path, train_size: int, form: Callable[[dict[str, Any]], dict[str, Any]]) -> list[str]:
    train = _lines("events", "train.jsonl", 0, train_size)
    _write_lines(folder / "train.json", map(form, train))
    _write_lines(folder / "dev.json", map(form, _lines("events", "dev.jsonl", 0, 20)))
    _write_lines(folder / "test.json", map(form, _lines("events", "test.jsonl", 0, 40)))
    _write_lines(folder / "schema.json", _lines("events", "schema.jsonl", 0, 99))
    return [r["text"] for r in train]


def _as_fewfc(record: dict[str, Any]) -> dict[str, Any]:
    events = []
    for event in record["event_list"]:
        spans = [("trigger", event["trigger"], event["trigger_start_index"])]
        spans += [(a["role"], a["argument"], a["argument_start_index"]) for a in event["arguments"]]
        mentions = [{"word": word, "span": [at, at + len(word)], "role": role} for role, word, at in spans]
        events.append({"type": event["event_type"], "mentions": mentions})
    return {"id": record["id"], "content": record["text"], "events": events}


def _known_entities(corpus: str, name: str, texts: Sequence[str]) -> list[dict[str, Any]]:
    """The entities of which a text holds a name, with the beginnings of their first facts: each run has them all."""
    joined = "\n".join(texts).lower()
    return [
        entity | {"data": [fact | {"object": fact["object"][:40]} for fact in entity["data"][:2]]}
        for entity in _lines(corpus, name, 0, 10_000)
        if any(word.lower() in joined for word in (entity["subject"], *entity["alias"]))
    ]


def _linking(folder: Path, corpus: str, kb: str, parts: dict[str, list[dict[str, Any]]]) -> list[str]:
    for name, records in parts.items():
        _write_lines(folder / f"{name}.json", records)
    texts = [r["text"] for records in parts.values() for r in records]
    entities = _known_entities(corpus, kb, texts)
    _write_lines(folder / "kb_data", entities)
    told = [fact["object"] for entity in entities for fact in entity["data"]]
    return [*(r["text"] for r in parts["train"]), *told[:100]]


def ccks2019(folder: Path, train_size: int) -> list[str]:
    """Mentions and what they mean."""
    parts = {
        "train": _lines("el", "train.jsonl", 0, train_size),
        "dev": _lines("el", "dev.jsonl", 0, 20),
        "test": _lines("el", "test.jsonl", 0, 50),
    }
    return _linking(folder, "el", "kb_data", parts)


def ccks2020(folder: Path, train_size: int) -> list[str]:
    """The same with the types of what the knowledge base lacks."""
    dev = _lines("el2020", "dev.json", 0, 20)
    parts = {
        "train": _lines("el2020", "train.json", 0, train_size),
        "dev": dev,
        "test": _lines("el2020", "test.json", 0, 20) + dev,
    }
    return _linking(folder, "el2020", "kb.json", parts)


def tableqa(folder: Path, train_size: int) -> list[str]:
    """Questions on tables, and the tables of all files in one."""
    sizes = {"train": train_size, "val": 20, "test": 50}
    parts = {name: _lines("nl2sql", f"{name}.json", 0, size) for name, size in sizes.items()}
    asked = {record["table_id"] for records in parts.values() for record in records}
    tables = {t["id"]: t for name in parts for t in _lines("nl2sql", f"{name}.tables.json", 0, 99) if t["id"] in asked}
    for name, records in parts.items():
        _write_lines(folder / f"{name}.json", records)
    _write_lines(folder / "tables.json", tables.values())
    return [*(r["question"] for r in parts["train"]), *(h for t in tables.values() for h in t["header"])]


def cluener(folder: Path, train_size: int) -> list[str]:
    """Named entities as JSON lines, and the test file as tokens too."""
    train, test = _lines("ner", "train.jsonl", 0, train_size), _lines("ner", "test.jsonl", 0, 50)
    _write_lines(folder / "train.json", train)
    _write_lines(folder / "dev.json", _lines("ner", "dev.jsonl", 0, 20))
    _write_lines(folder / "test.json", test)
    (folder / "test.bio").write_text(_tagged(test, "BIO"), encoding="utf-8")
    return [r["text"] for r in train]


def bmes(folder: Path, train_size: int) -> list[str]:
    """Named entities as a token and its tag a line, and the test file as JSON lines too."""
    train, test = _lines("ner", "train.jsonl", 0, train_size), _lines("ner", "test.jsonl", 0, 50)
    (folder / "train.char.bmes").write_text(_tagged(train, "BMES"), encoding="utf-8")
    (folder / "dev.char.bmes").write_text(_tagged(_lines("ner", "dev.jsonl", 0, 20), "BMES"), encoding="utf-8")
    (folder / "test.bmes").write_text(_tagged(test, "BMES"), encoding="utf-8")
    _write_lines(folder / "inputs.json", test)
    return [r["text"] for r in train]


def subjects(folder: Path, train_size: int) -> list[str]:
    """Event subjects as rows of CSV, and the test file as JSON lines too."""
    for split, count in (("train", train_size), ("dev", 20), ("test", 50)):
        lines = (
            (SHIPPED / "event_subject" / f"{split}.csv").read_text(encoding="utf-8").splitlines(keepends=True)[:count]
        )
        (folder / f"{split}.csv").write_text("".join(lines), encoding="utf-8")
    with (folder / "test.csv").open(encoding="utf-8", newline="") as stream:
        rows = [dict(zip(("id", "text", "type", "subject"), cells, strict=True)) for cells in csv.reader(stream)]
    _write_lines(folder / "inputs.json", rows)
    with (folder / "train.csv").open(encoding="utf-8", newline="") as stream:
        return [cells[1] for cells in csv.reader(stream)]


def _tagged(records: Sequence[dict[str, Any]], scheme: str) -> str:
    """Texts as a character and its tag a line; those with blanks, which divide the columns, are left out."""
    sentences = []
    for record in records:
        text = record["text"]
        if any(c.isspace() for c in text):
            continue
        tags = ["O"] * len(text)
        spans = [(a, z, kind) for kind, names in record["label"].items() for at in names.values() for a, z in at]
        for a, z, kind in sorted(spans, key=lambda span: (span[0] - span[1], span)):
            if tags[a : z + 1] != ["O"] * (z + 1 - a):  # one within another
                continue
            if scheme == "BIO":
                letters = "B" + "I" * (z - a)
            else:
                letters = "S" if a == z else "B" + "M" * (z - a - 1) + "E"
            tags[a : z + 1] = [f"{letter}-{kind}" for letter in letters]
        sentences.append("".join(f"{c} {tag}\n" for c, tag in zip(text, tags, strict=True)))
    return "\n".join(sentences)


def _questions(name: str, first: int, last: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((SHIPPED / "qa" / name).read_text(encoding="utf-8"))[first:last]
    return found


def _texts_of(questions: Iterable[dict[str, Any]]) -> list[str]:
    return [text for q in questions for text in (q["question"], *(p["passage"] for p in q["passages"]))]


def webqa(folder: Path, train_size: int) -> list[str]:
    """Questions with lists of passages; and questions of SQuAD's form to read besides."""
    train = _questions("train.json", 0, train_size)
    _write(folder / "train.json", train)
    _write(folder / "dev.json", _questions("dev.json", 0, 10))
    _write(folder / "test.json", _questions("test.json", 0, 50))
    (folder / "squad.json").write_bytes((SHIPPED / "qa" / "squad.json").read_bytes())
    return _texts_of(train)


def squad(folder: Path, train_size: int) -> list[str]:
    """Questions of SQuAD's form, some without an answer; and lists of passages to read besides."""
    whole = json.loads((SHIPPED / "qa" / "squad.json").read_text(encoding="utf-8"))
    for name, part in (("train", whole["data"][:train_size]), ("dev", whole["data"][7:]), ("inputs", whole["data"])):
        _write(folder / f"{name}.json", {"version": "1.0", "data": part})
    _write(folder / "test.json", _questions("test.json", 0, 50))
    paragraphs = [paragraph for part in whole["data"] for paragraph in part["paragraphs"]]
    asked = [qa["question"] for paragraph in paragraphs for qa in paragraph["qas"]]
    return [*(paragraph["context"] for paragraph in paragraphs), *asked]


def dureader2(folder: Path, train_size: int) -> list[str]:
    """Questions with documents, long answers and labels: all there are, since they are few."""
    records = _lines("qa", "dureader2.jsonl", 0, 99)
    _write_lines(folder / "train.json", (records[::2] + records[1::4])[:train_size])
    _write_lines(folder / "dev.json", records[3::4])
    _write_lines(folder / "test.json", records)
    return []


def write_few(path: Path, target: Path, count: int) -> None:
    """The first records of a file."""
    text = path.read_text(encoding="utf-8")
    if text.startswith("["):
        _write(target, json.loads(text)[:count])
    else:
        between = "\n" if text.startswith(("{", '"')) else "\n\n"
        target.write_text(between.join(text.split(between)[:count]) + "\n", encoding="utf-8")


Corpus = Callable[[Path, int], list[str]]
"""Writes so many records of train, and the other files, into a folder."""


def encoder(folder: Path, texts: Sequence[str], mlm: bool) -> None:
    """An encoder small enough to lie in the repository with every run that was made of it."""
    make_encoder_folder(folder, texts, mlm, size=16, layers=2, positions=128)
