"""The corpus of events: made by its generator, sound, and as various as it claims."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import pytest

DATA = Path(__file__).resolve().parents[2] / "data"
SPLITS = ["train", "dev", "test"]

Row = dict[str, Any]


@cache
def lines(name: str) -> list[Row]:
    return [json.loads(line) for line in (DATA / "events" / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()]


def test_the_generator_writes_the_same_bytes(tmp_path: Path) -> None:
    subprocess.run([sys.executable, DATA / "events" / "generate.py", tmp_path], check=True)
    names = [f"{name}.jsonl" for name in (*SPLITS, "schema")]
    assert sorted(path.name for path in (tmp_path / "events").iterdir()) == sorted(names)
    for name in names:
        assert (tmp_path / "events" / name).read_bytes() == (DATA / "events" / name).read_bytes(), name


def test_the_generator_reads_no_file() -> None:
    """So no line of the corpus comes from elsewhere."""
    for path in (DATA / "events").glob("*.py"):
        source = path.read_text(encoding="utf-8")
        assert not any(word in source for word in ("open(", "read_text", "read_bytes", "urllib", "http")), path.name


def test_size() -> None:
    assert {name: len(lines(name)) for name in SPLITS} == {"train": 1200, "dev": 150, "test": 150}
    files = [path for path in (DATA / "events").iterdir() if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 1_100_000
    texts = [row["text"] for name in SPLITS for row in lines(name)]
    assert len(set(texts)) == len(texts) and max(map(len, texts)) <= 110


@pytest.mark.parametrize("name", SPLITS)
def test_places_hold_their_names_and_roles_are_of_the_schema(name: str) -> None:
    schema = {row["event_type"]: {role["role"] for role in row["role_list"]} for row in lines("schema")}
    for row in lines(name):
        for event in row["event_list"]:
            spans = [(event["trigger"], event["trigger_start_index"])]
            spans += [(a["argument"], a["argument_start_index"]) for a in event["arguments"]]
            assert all(row["text"][at : at + len(word)] == word for word, at in spans), row
            assert {a["role"] for a in event["arguments"]} <= schema[event["event_type"]]


@pytest.mark.parametrize("name", SPLITS)
def test_events_are_of_all_kinds_several_and_none(name: str) -> None:
    rows = lines(name)
    counts = Counter(min(len(row["event_list"]), 3) for row in rows)
    assert 0.05 < counts[0] / len(rows) < 0.2 and (counts[2] + counts[3]) / len(rows) > 0.2
    kinds = Counter(event["event_type"] for row in rows for event in row["event_list"])
    assert len(kinds) == 8 and min(kinds.values()) > 0.03 * kinds.total()
    alike = sum(len({e["event_type"] for e in row["event_list"]}) < len(row["event_list"]) for row in rows)
    assert alike / len(rows) > 0.05


def spans_of(event: Row) -> list[tuple[str, int]]:
    return [(a["role"], a["argument_start_index"]) for a in event["arguments"]]


def test_arguments_are_shared_and_have_several_roles() -> None:
    shared = several = twins = 0
    for row in lines("train"):
        places = Counter(at for event in row["event_list"] for at in {at for _, at in spans_of(event)})
        shared += max(places.values(), default=0) > 1
        roles = {(at, role) for event in row["event_list"] for role, at in spans_of(event)}
        several += len(roles) > len({at for at, _ in roles})
        twins += any(max(Counter(r for r, _ in spans_of(e)).values(), default=0) > 1 for e in row["event_list"])
    assert min(shared, several, twins) > 40


def test_words_are_triggers_in_one_place_and_not_in_another() -> None:
    for word in ("收购", "地震", "上市"):
        told = {any(e["trigger"] == word for e in row["event_list"]) for row in lines("train") if word in row["text"]}
        assert told == {True, False}, word


def test_most_names_are_new_and_some_clauses_too() -> None:
    known = {a["argument"] for row in lines("train") for e in row["event_list"] for a in e["arguments"]}
    found = [
        a["argument"] for row in lines("test") for e in row["event_list"] for a in e["arguments"]
        if a["role"] in ("收购方", "被收购方", "离职者", "获奖者", "原公司")
    ]  # fmt: skip
    assert sum(name not in known for name in found) / len(found) > 0.6
    for phrase in ("这笔买卖划算吗", "打完", "台网测定"):
        assert not any(phrase in row["text"] for row in lines("train"))
        assert any(phrase in row["text"] for row in lines("test"))
