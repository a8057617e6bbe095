"""Where files enter: a command for every form, with a good file to begin from."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tests.recorded.corpora import SHIPPED
from tests.recorded.flows import RUNS, copy_run

RECORDS = 8
"""Of each file: enough for every kind of value, and quick."""

SMALL = ("--set", "model.encoder.hidden_size=8")


@dataclass(frozen=True)
class Door:
    """A command and the file of its that is mutated.

    Attributes:
        path: of that file in the working folder.
        good: its content before.
        arguments: of the command; ``{x}`` is the path.
    """

    name: str
    path: str
    good: bytes
    arguments: tuple[str, ...]


def _lines(path: Path, count: int = RECORDS) -> bytes:
    return b"".join(path.read_bytes().splitlines(keepends=True)[:count])


def _list(path: Path, count: int = RECORDS) -> bytes:
    return json.dumps(json.loads(path.read_text(encoding="utf-8"))[:count], ensure_ascii=False).encode()


def _known(kb: Path, texts: bytes) -> bytes:
    """The entities of which a text holds the name, and some others."""
    lines = kb.read_bytes().splitlines(keepends=True)
    names = [json.loads(line)["subject"] for line in lines]
    told = texts.decode()
    return b"".join(line for n, (line, name) in enumerate(zip(lines, names, strict=True)) if name in told or n < 10)


def _linked(kb: bytes, texts: bytes) -> bytes:
    """The texts all of whose mentions are entities of a knowledge base."""
    ids = {json.loads(line)["subject_id"] for line in kb.splitlines()}
    lines = texts.splitlines(keepends=True)
    return b"".join(x for x in lines if ids.issuperset(m["kb_id"] for m in json.loads(x)["mention_data"]))


def _bio(lines: bytes) -> bytes:
    """CLUENER's lines as a token and its tag a line."""
    out = []
    for line in lines.splitlines():
        record = json.loads(line)
        tags = ["O"] * len(record["text"])
        for kind, names in record["label"].items():
            for spans in names.values():
                for first, last in spans:
                    tags[first : last + 1] = [f"B-{kind}", *[f"I-{kind}"] * (last - first)]
        out += [f"{c}\t{tag}" for c, tag in zip(record["text"], tags, strict=True) if c.strip()] + [""]
    return "\n".join(out).encode()


def _queries(lines: bytes) -> bytes:
    """The queries of some questions, as they are handed in."""
    return b"".join(
        json.dumps(json.loads(line)["sql"], ensure_ascii=False).encode() + b"\n" for line in lines.splitlines()
    )


def _vectors() -> bytes:
    words = ["方", "江", "城", "大", "学", "的", "了", "在", "和", "是", "人", "中", "国"]
    rows = [f"{word} 0.1 -0.2 0.{n} 0.4" for n, word in enumerate(words)]
    return "\n".join([f"{len(words)} 4", *rows, ""]).encode()


def _binary_vectors() -> bytes:
    words = ["方", "江", "城", "大", "学"]
    rows = b"".join(w.encode() + b" " + np.full(4, 0.5, "<f4").tobytes() + b"\n" for w in words)
    return f"{len(words)} 4\n".encode() + rows


def _outcomes() -> bytes:
    """What a run keeps of its items."""
    kinds = (
        ("right", "exact"),
        ("spurious", "not in gold: nothing there in gold"),
        ("missed", "missed: nothing there"),
    )
    rows = [
        {"text": f"方蓝在江城大学{n}", "verdict": verdict, "rule": rule, "entity": "方蓝", "type": "name", "start": 0,
         "end": 2, "spans": [["name", 0, 2]]}
        for n, (verdict, rule) in enumerate(kinds)
    ]  # fmt: skip
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def make_doors(work: Path) -> list[Door]:
    """Write what the commands need besides into ``work``, and give the doors."""
    for name in ("ske", "el", "qa", "ner-crf", "nl2sql", "events", "event-subject"):
        copy_run(name, work / f"run-{name.removesuffix('-crf').removeprefix('event-')}")
    ske, el, ner, qa, sql, events = (SHIPPED / task for task in ("ske", "el", "ner", "qa", "nl2sql", "events"))
    subjects = SHIPPED / "event_subject"
    files = {
        "ske-train.json": _lines(ske / "train.jsonl", 12), "ske-dev.json": _lines(ske / "dev.jsonl"),
        "schema.json": _lines(ske / "schema.jsonl", 99), "el-train.json": _lines(el / "train.jsonl", 12),
        "el-dev.json": _lines(el / "dev.jsonl"), "kb_data": _known(el / "kb_data", _lines(el / "train.jsonl", 12)),
        "ner-train.json": _lines(ner / "train.jsonl", 12), "ner-dev.json": _lines(ner / "dev.jsonl"),
        "bio.txt": _bio(_lines(ner / "train.jsonl", 12)), "webqa.json": _list(qa / "train.json"),
        "webqa-dev.json": _list(qa / "dev.json"), "squad.json": (qa / "squad.json").read_bytes(),
        "dureader.json": _lines(qa / "dureader2.jsonl", 4), "words.txt": _vectors(), "words.bin": _binary_vectors(),
        "events.json": _lines(events / "train.jsonl", 12), "events-dev.json": _lines(events / "dev.jsonl"),
        "types.json": _lines(events / "schema.jsonl", 99), "subjects.csv": _lines(subjects / "train.csv", 12),
        "subjects-dev.csv": _lines(subjects / "dev.csv"),
        "alias.txt": "江城大学\t江大\n方蓝\t小方\t阿蓝\n".encode(),
        "rules.yaml": (RUNS / "ske" / "ske" / "rules.yaml").read_bytes(),
        "mine.yaml": (RUNS / "ner" / "ner-crf" / "recipe.yaml").read_bytes(),
    }  # fmt: skip
    files |= {"sql-train.json": _lines(sql / "train.json", 40), "sql-val.json": _lines(sql / "val.json")}
    files |= {f"sql-{name}.tables.json": _lines(sql / f"{name}.tables.json", 28) for name in ("train", "val")}
    files["queries.json"] = _queries(files["sql-val.json"])
    answers = {str(record.get("id", n)): "江城" for n, record in enumerate(json.loads(files["webqa-dev.json"]))}
    files["answers.tsv"] = "".join(f"{key}\t{answer}\n" for key, answer in answers.items()).encode()
    files["answers.json"] = json.dumps(answers, ensure_ascii=False).encode()
    files["el-handed.json"] = _linked(files["kb_data"], files["el-train.json"])
    for name, content in files.items():
        (work / name).write_bytes(content)
    doors = []

    def door(name: str, source: str, *arguments: str) -> None:
        path = f"x{Path(source).suffix}" if "/" not in source else source
        good = files.get(source) or (work / source).read_bytes()
        doors.append(Door(name, path, good, tuple(a.replace("{x}", path) for a in arguments)))

    triples = ("prepare", "--recipe", "ske", "--output", "out", *SMALL)
    door("ske train", "ske-train.json", *triples, "--train", "{x}", "--dev", "ske-dev.json", "--schema", "schema.json")
    door("ske schema", "schema.json", *triples, "--train", "ske-train.json", "--dev", "ske-dev.json", "--schema", "{x}")
    door("ske predict", "ske-dev.json", "predict", "--run", "run-ske", "{x}", "--output", "out.json")
    door("ske gold", "ske-dev.json", "score", "--recipe", "ske", "{x}", "ske-dev.json")
    door("ske submission", "ske-dev.json", "score", "--recipe", "ske", "ske-dev.json", "{x}", "--json")
    door("alias", "alias.txt", "score", "--recipe", "ske", "ske-dev.json", "ske-dev.json", "--alias", "{x}")
    rules = ("--set", "decode.rules={x}", "--set", "decode.apply_rules=true")
    door("rules", "rules.yaml", "predict", "--run", "run-ske", "ske-dev.json", "--output", "out.json", *rules)
    linking = ("prepare", "--recipe", "el", "--output", "out", *SMALL)
    door("el train", "el-train.json", *linking, "--train", "{x}", "--dev", "el-dev.json", "--file", "kb=kb_data")
    door("el kb", "kb_data", *linking, "--train", "el-train.json", "--dev", "el-dev.json", "--file", "kb={x}")
    door("kb stats", "kb_data", "kb", "stats", "{x}")
    door("el predict", "el-dev.json", "predict", "--run", "run-el", "{x}", "--output", "out.json")
    door("el submission", "el-dev.json", "score", "--recipe", "el", "el-dev.json", "{x}")
    door("el gold", "el-dev.json", "score", "--recipe", "el", "{x}", "el-dev.json", "--explain", "out.jsonl")
    entities = ("prepare", "--recipe", "ner-crf", "--output", "out", *SMALL)
    door("ner train", "ner-train.json", *entities, "--train", "{x}", "--dev", "ner-dev.json", "--skip-bad")
    door("tags train", "bio.txt", *entities, "--train", "{x}")
    door("ner predict", "ner-dev.json", "predict", "--run", "run-ner", "{x}", "--output", "out.json")
    door("tags predict", "bio.txt", "predict", "--run", "run-ner", "{x}", "--output", "out.txt")
    door("ner submission", "ner-dev.json", "score", "--recipe", "ner-crf", "ner-dev.json", "{x}")
    door("tags gold", "bio.txt", "score", "--recipe", "ner-crf", "{x}", "bio.txt")
    told = ("prepare", "--recipe", "events", "--output", "out", *SMALL)
    door("events train", "events.json", *told, "--train", "{x}", "--dev", "events-dev.json", "--skip-bad")
    door("events schema", "types.json", *told, "--train", "events.json", "--dev", "events-dev.json", "--schema", "{x}")
    door("events predict", "events-dev.json", "predict", "--run", "run-events", "{x}", "--output", "out.json")
    door("events gold", "events-dev.json", "score", "--recipe", "events", "{x}", "events-dev.json")
    door("events submission", "events-dev.json", "score", "--recipe", "events", "events-dev.json", "{x}")
    happened = ("prepare", "--recipe", "event-subject", "--output", "out", *SMALL)
    door("subjects train", "subjects.csv", *happened, "--train", "{x}", "--dev", "subjects-dev.csv", "--skip-bad")
    door("subjects predict", "subjects-dev.csv", "predict", "--run", "run-subject", "{x}", "--output", "out.csv")
    door("subjects gold", "subjects-dev.csv", "score", "--recipe", "event-subject", "{x}", "subjects-dev.csv")
    questions = ("prepare", "--recipe", "qa", "--output", "out", *SMALL)
    door("webqa train", "webqa.json", *questions, "--train", "{x}", "--dev", "webqa-dev.json")
    door("squad train", "squad.json", *questions, "--train", "{x}", "--skip-bad")
    documents = ("prepare", "--recipe", "qa-dureader", "--output", "out", *SMALL)
    door("dureader train", "dureader.json", *documents, "--train", "{x}", "--dev", "dureader.json")
    door("qa predict", "webqa-dev.json", "predict", "--run", "run-qa", "{x}", "--output", "out.json")
    door("qa gold", "webqa-dev.json", "score", "--recipe", "qa", "{x}", "answers.json")
    door("qa submission", "answers.json", "score", "--recipe", "qa", "webqa-dev.json", "{x}")
    door("qa tsv", "answers.tsv", "score", "--recipe", "qa", "webqa-dev.json", "{x}")
    tables = ("--file", "tables=sql-train.tables.json")
    queries = ("prepare", "--recipe", "nl2sql", "--output", "out", *SMALL, "--dev")
    door("sql train", "sql-train.json", *queries, "sql-train.json", "--train", "{x}", *tables)
    door(
        "sql tables",
        "sql-train.tables.json",
        *queries,
        "sql-train.json",
        "--train",
        "sql-train.json",
        "--file",
        "tables={x}",
    )
    asked = ("score", "--recipe", "nl2sql", "--file", "tables=sql-val.tables.json")
    door(
        "sql predict",
        "sql-val.json",
        "predict",
        "--run",
        "run-nl2sql",
        "{x}",
        "--output",
        "out.json",
        *tables[:1],
        "tables=sql-val.tables.json",
    )
    door("sql gold", "sql-val.json", *asked, "{x}", "queries.json")
    door("sql submission", "queries.json", *asked, "sql-val.json", "{x}", "--explain", "out.jsonl")
    door("sql score tables", "sql-val.tables.json", *asked[:3], "sql-val.json", "queries.json", "--file", "tables={x}")
    door("sql submit", "queries.json", "submit", "{x}", "--output", "out.zip", "--input", "sql-val.json")
    handed = ("submit", "{x}", "--output", "out.zip", "--input")
    door("ske submit", "ske-dev.json", *handed, "ske-dev.json", "--schema", "schema.json")
    door("el submit", "el-handed.json", *handed, "el-handed.json")
    door("ner submit", "ner-dev.json", *handed, "ner-dev.json")
    door("events submit", "events-dev.json", *handed, "events-dev.json", "--schema", "types.json")
    door("tags submit", "bio.txt", *handed, "bio.txt")
    door("tsv submit", "answers.tsv", *handed, "webqa-dev.json")
    door("json submit", "answers.json", *handed, "webqa-dev.json", "--competition", "cmrc2018")
    door("submit input", "ske-dev.json", "submit", "ske-dev.json", "--output", "out.zip", "--input", "{x}")
    page = ("--output", "out.txt", "--texts", "3")
    door("report gold", "ske-dev.json", "report", "{x}", "ske-dev.json", "--recipe", "ske", *page)
    door("report train", "ner-dev.json", "report", "ner-dev.json", "ner-dev.json", "--train", "{x}", *page)
    door("report submission", "answers.json", "report", "webqa-dev.json", "answers.json", "{x}", *page)
    shutil.copytree(work / "run-ner", work / "runs" / "kept")
    (work / "runs" / "kept" / "dev").mkdir(exist_ok=True)
    (work / "runs" / "kept" / "dev" / "outcomes.jsonl").write_bytes(_outcomes())
    door("report outcomes", "runs/kept/dev/outcomes.jsonl", "report", "--run", "runs/kept", *page)
    door("recipe", "mine.yaml", "recipes", "validate", "{x}")
    vectors = (*entities, "--train", "ner-train.json", "--dev", "ner-dev.json", "--set", "data.word_vectors={x}")
    door("vectors", "words.txt", *vectors)
    door("binary vectors", "words.bin", *vectors)
    for file in ("run.json", "recipe.yaml", "config.json", "metrics.jsonl", "model.safetensors"):
        shutil.copytree(work / "run-ner", work / "runs" / file)
        inside = f"runs/{file}/{file}"
        door(f"{file}, listed", inside, "runs")
        door(f"{file}, predict", inside, "predict", "--run", f"runs/{file}", "ner-dev.json", "--output", "out.json")
        door(f"{file}, push", inside, "push", f"runs/{file}", "a/b", "--dry-run")
    return doors
