"""The shipped corpora: made by their generator, sound, and as hard as they claim to be."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

DATA = Path(__file__).resolve().parents[2] / "data"
FILES = [f"ske/{name}.jsonl" for name in ("train", "dev", "test", "schema")]
FILES += [f"ske2019/{name}" for name in ("train_data.json", "dev_data.json", "test1_data.json", "all_50_schemas")]

Record = dict[str, Any]


def read(name: str) -> list[Record]:
    return [json.loads(line) for line in (DATA / name).read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def splits() -> dict[str, list[Record]]:
    return {name: read(f"ske/{name}.jsonl") for name in ("train", "dev", "test")}


def triples(record: Record) -> list[tuple[str, str, str]]:
    return [(spo["subject"], spo["predicate"], spo["object"]["@value"]) for spo in record["spo_list"]]


def entities(records: list[Record]) -> set[str]:
    """Names of people, works, firms and places: dates and countries cannot but be shared."""
    return {
        name
        for record in records
        for spo in record["spo_list"]
        for name, kind in [
            (spo["subject"], spo["subject_type"]),
            *((spo["object"][slot], spo["object_type"][slot]) for slot in spo["object"]),
        ]
        if kind not in ("Date", "Number") and not (kind == "地点" and spo["predicate"] == "上映时间")
    }


def test_the_generator_writes_the_same_bytes(tmp_path: Path) -> None:
    subprocess.run([sys.executable, DATA / "ske" / "generate.py", tmp_path], check=True)
    for name in FILES:
        assert (tmp_path / name).read_bytes() == (DATA / name).read_bytes(), name


def test_size(splits: dict[str, list[Record]]) -> None:
    assert {name: len(records) for name, records in splits.items()} == {"train": 1600, "dev": 200, "test": 200}
    assert sum((DATA / name).stat().st_size for name in FILES) < 1_500_000
    for records in splits.values():
        assert all(10 <= len(record["text"]) <= 150 for record in records)
        assert all(len(record["spo_list"]) <= 6 for record in records)


def test_names_are_in_the_texts_and_records_fit_the_schema(splits: dict[str, list[Record]]) -> None:
    schema = {row["predicate"]: row for row in read("ske/schema.jsonl")}
    for record in (record for records in splits.values() for record in records):
        assert len(set(map(json.dumps, record["spo_list"]))) == len(record["spo_list"])
        for spo in record["spo_list"]:
            assert spo["subject"] in record["text"]
            assert all(value and value in record["text"] for value in spo["object"].values())
            row = schema[spo["predicate"]]
            assert spo["subject_type"] == row["subject_type"]
            assert spo["object_type"] == {slot: row["object_type"][slot] for slot in spo["object"]}
            assert "@value" in spo["object"]


def test_every_relation_and_slot_is_in_train_and_test(splits: dict[str, list[Record]]) -> None:
    wanted = {(row["predicate"], slot) for row in read("ske/schema.jsonl") for slot in row["object_type"]}
    for name in ("train", "test"):
        assert {(s["predicate"], k) for r in splits[name] for s in r["spo_list"] for k in s["object"]} == wanted, name


def test_no_text_is_in_two_splits(splits: dict[str, list[Record]]) -> None:
    texts = [record["text"] for records in splits.values() for record in records]
    assert len(set(texts)) == len(texts)


def test_most_names_of_the_test_file_are_new(splits: dict[str, list[Record]]) -> None:
    test, train = entities(splits["test"]), entities(splits["train"])
    assert 0.7 < len(test - train) / len(test) < 0.95


def test_looking_up_the_training_triples_finds_little(splits: dict[str, list[Record]]) -> None:
    known = {triple for record in splits["train"] for triple in triples(record)}
    hits = gold = predicted = 0
    for record in splits["test"]:
        right, text = set(triples(record)), record["text"]
        guess = {t for t in known if t[0] in text and t[2] in text}
        hits, gold, predicted = hits + len(right & guess), gold + len(right), predicted + len(guess)
    assert 2 * hits / (gold + predicted) < 0.2


@pytest.mark.parametrize("name", ["train", "test"])
def test_the_hard_shapes_are_there(splits: dict[str, list[Record]], name: str) -> None:
    seen: Counter[str] = Counter()
    for record in splits[name]:
        found = triples(record)
        subjects, objects = {s for s, _, _ in found}, {o for _, _, o in found}
        seen["empty"] += not found
        seen["one to many"] += any(n > 1 for n in Counter((s, p) for s, p, _ in found).values())
        seen["many to one"] += any(n > 1 for n in Counter((p, o) for _, p, o in found).values())
        seen["subject and object"] += bool(subjects & objects)
        seen["two relations of a pair"] += any(n > 1 for n in Counter((s, o) for s, _, o in found).values())
        names = subjects | objects
        seen["nested"] += any(a in b or b in a for a, b in combinations(names, 2))
        seen["repeated name"] += any(record["text"].count(n) > 1 for n in names)
        seen["mirrored"] += any((o, "丈夫", s) in found for s, p, o in found if p == "妻子")
        seen["many to many"] += any(
            len({s for s, q, _ in found if q == p}) > 1 and n > 1
            for (_, p), n in Counter((s, p) for s, p, _ in found).items()
        )
    least = {"empty": 5, "one to many": 30, "many to one": 8, "subject and object": 8, "two relations of a pair": 4}
    least |= {"nested": 5, "repeated name": 5, "mirrored": 8, "many to many": 1}
    assert {shape: seen[shape] for shape in least if seen[shape] < least[shape]} == {}


def test_the_2019_sample_is_the_same_in_the_older_form() -> None:
    assert [len(read(f"ske2019/{name}.json")) for name in ("train_data", "dev_data", "test1_data")] == [60, 20, 20]
    for name, ours in (("train", "train_data"), ("dev", "dev_data"), ("test", "test1_data")):
        for plain, record in zip(read(f"ske2019/{ours}.json"), read(f"ske/{name}.jsonl"), strict=False):
            assert plain["text"] == record["text"]
            assert all(isinstance(spo[key], str) for spo in plain["spo_list"] for key in spo)
            assert {(s["subject"], s["predicate"], s["object"]) for s in plain["spo_list"]} == set(triples(record))
