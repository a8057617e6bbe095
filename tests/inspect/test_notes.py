"""What the user is told to know or mend."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ietool.inspect.finding import find
from ietool.inspect.inspecting import competition_of
from ietool.inspect.notes import notes_of
from ietool.inspect.survey import survey


def triple(subject: str, relation: str, value: str) -> dict[str, Any]:
    return {"subject": subject, "predicate": relation, "object": {"@value": value}}


def notes(folder: Path, **files: list[dict[str, Any]]) -> list[str]:
    for role, records in files.items():
        content = "".join(json.dumps(r, ensure_ascii=False) + "\n" for r in records)
        (folder / f"{role}.json").write_text(content, encoding="utf-8")
    (corpus,) = find(folder).corpora
    return notes_of(corpus, survey(corpus))


GOOD = [{"text": f"{n}号甲生于乙。", "spo_list": [triple("甲", "出生地", "乙")]} for n in range(5)]


def test_a_corpus_without_fault_gives_no_note(tmp_path: Path) -> None:
    dev = [{"text": "丙生于丁", "spo_list": [triple("丙", "出生地", "丁")]}]
    assert notes(tmp_path, train=GOOD, dev=dev) == []


@pytest.mark.parametrize(
    ("train", "dev", "told"),
    [
        (GOOD, [], "there is no dev file"),
        (GOOD, [{"text": "0号,甲生于乙", "spo_list": []}], "1 of 1 record (100.00%) is kin of one in train.json:"),
        (GOOD, [{"text": "0号甲生于乙。", "spo_list": []}], "1 text stands in train.json with other labels"),
        (GOOD, [{"text": "丙", "spo_list": [triple("丙", "妻子", "丁")]}], "relations that train has not: 妻子"),
        (GOOD, [{"text": "丙", "spo_list": [triple("丙", "出生地", "丁")]}], "1 of 1 objects (100.00%) do not stand"),
        ([*GOOD, {"text": "0号甲生于乙。", "spo_list": []}], [], "(first: train.json:6); of repeated texts"),
        (GOOD[:2], [], "1 of the 1 relations stand fewer than 5 times in train: 出生地"),
        ([*GOOD, {"text": 3}], [], "train.json: 1 bad record: mend them, or leave them out with --skip-bad"),
        ([*GOOD, {"text": "坏\ufffd", "spo_list": []}], [], "1 text has the sign of what could not be read"),
        ([*GOOD, {"text": "…", "spo_list": []}], [], "not those of the file: train.json 1"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told(tmp_path: Path, train: list[Any], dev: list[Any], told: str) -> None:
    found = notes(tmp_path, train=train, **({"dev": dev} if dev else {}))
    assert any(told in note for note in found), found


def test_what_a_task_needs_and_lacks_is_told(tmp_path: Path) -> None:
    mention = {"mention": "甲", "offset": "0", "kb_id": "1"}
    record = {"text_id": "1", "text": "甲", "mention_data": [mention]}
    assert "there is no kb file: without it nothing is trained" in notes(tmp_path, train=[record])


@pytest.mark.parametrize(
    ("record", "name"),
    [
        (GOOD[0], "duie2"),
        ({"text": "甲乙", "spo_list": [{"subject": "甲", "predicate": "妻子", "object": "乙"}]}, "ske2019"),
        ({"text": "甲", "label": {"name": {"甲": [[0, 0]]}}}, "cluener"),
        ({"text": "甲", "id": "1", "event_list": []}, "duee1"),
        ({"id": "1", "content": "甲", "events": []}, "fewfc"),
        ({"question": "甲", "id": "1", "passages": [{"passage": "乙", "answer": ""}]}, "sogouqa"),
    ],
)
def test_the_competition_is_told_with_the_reason(tmp_path: Path, record: dict[str, Any], name: str) -> None:
    (tmp_path / "train.json").write_text(json.dumps(record, ensure_ascii=False) + "\n", encoding="utf-8")
    (corpus,) = find(tmp_path).corpora
    competition, why = competition_of(corpus)
    assert competition is not None and competition.name == name
    assert why.startswith("train.json begins as ") and competition.form in why


def test_what_takes_no_submissions_has_no_competition(tmp_path: Path) -> None:
    record = {"text": "a b", "triple_list": [["a", "is", "b"]]}
    (tmp_path / "train.json").write_text(json.dumps([record]), encoding="utf-8")
    (corpus,) = find(tmp_path).corpora
    competition, why = competition_of(corpus)
    assert competition is None and "it is of WebNLG, which takes no submissions" in why
