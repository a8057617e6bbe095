"""The beginning of a file of each layout is one that its task reads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ietool import paths
from ietool.core import first
from ietool.registry import get_task


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(first, "RECORDS", 4)


def read(task: str, path: Path, folder: Path) -> list[Any]:
    """The records of the beginning of a file, read as the file itself is."""
    beginning = folder / "train.jsonl"
    beginning.write_text("".join(get_task(task).first_lines(path)), encoding="utf-8")
    tables = {"tables": path.with_name("train.tables.json")} if task == "nl2sql" else {}
    return list(get_task(task).open_labelled(beginning, tables))


@pytest.mark.parametrize(
    ("task", "name"),
    [
        ("ske", "ske/train.jsonl"),
        ("el", "el/train.jsonl"),
        ("event_subject", "event_subject/train.csv"),
        ("events", "events/train.jsonl"),
        ("ner", "ner/train.jsonl"),
        ("nl2sql", "nl2sql/train.json"),
        ("qa", "qa/train.json"),
        ("qa", "qa/dureader2.jsonl"),
    ],
)
def test_the_first_records_are_those_of_the_file(task: str, name: str, tmp_path: Path) -> None:
    path = paths.shipped_root() / "data" / name
    files = {"tables": path.with_name("train.tables.json")} if task == "nl2sql" else {}
    every = get_task(task).open_labelled(path, files)
    looked = get_task(task).looked
    found = read(task, path, tmp_path)
    assert 3 <= len(found) <= 4  # of rows of CSV the first may be that of the names
    assert [looked(one) for one in found] == [looked(next(every)) for _ in found]


def test_paragraphs_of_squad_stay_whole(tmp_path: Path) -> None:
    path = paths.shipped_root() / "data" / "qa" / "squad.json"
    found = read("qa", path, tmp_path)
    every = get_task("qa").open_labelled(path, {})
    assert len(found) > 4 and all(question.form == "squad" for question in found)  # four paragraphs with all of theirs
    assert [(q.text, q.answers, q.passages) for q in found] == [
        (q.text, q.answers, q.passages) for q, _ in zip(every, found, strict=False)
    ]


def test_sentences_of_tokens_are_not_cut(tmp_path: Path) -> None:
    path = tmp_path / "train.bio"
    sentence = "甲 B-x\n乙 I-x\n丙 O\n\n"
    path.write_text(sentence * 9, encoding="utf-8")
    found = read("ner", path, tmp_path)
    assert [example.text for example in found] == ["甲乙丙"] * 4


def test_few_long_records_are_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(first, "CHARACTERS", 50)
    path = tmp_path / "train.jsonl"
    path.write_text((json.dumps({"text": "x" * 60}) + "\n") * 9)
    assert len(list(first.first_lines(path))) == 1
