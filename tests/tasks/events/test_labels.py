"""Events as labels: parts there and back, what differs, and files with parts changed."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from ietool.contest.clean.applying import _edits
from ietool.contest.clean.review import ReviewRow, mark_of
from ietool.core.candidates import Candidates
from ietool.core.labelled import BOUNDARY, TYPE, Edits
from ietool.tasks.events.data.example import NOWHERE, TRIGGER, Example, Part
from ietool.tasks.events.data.reading import load_examples
from ietool.tasks.events.data.schema import Schema, SchemaBuilder
from ietool.tasks.events.features.featurizer import Labels
from ietool.tasks.events.heads.decoder import Extracted, FoundArgument, FoundEvent
from ietool.tasks.events.heads.linked.decode import LAYOUT
from ietool.tasks.events.labels import EventLabels
from tests.contest.unread import check_left_out
from tests.tasks.events.made import event, examples, write_json

TEXT = "甲公司收购乙公司，丙公司裁员"
RECORD = Example(
    TEXT,
    (event(TEXT, "收购", "收购", 收购方="甲公司", 被收购方="乙公司"), event(TEXT, "裁员", "裁员", 裁员方="丙公司")),
    "duee",
    "7",
)
BUY = Part("收购", 3, 5, TRIGGER, 3, 5)
BUYER = Part("收购", 3, 5, "收购方", 0, 3)
BOUGHT = Part("收购", 3, 5, "被收购方", 5, 8)


@pytest.fixture
def labels(tmp_path: Path) -> EventLabels:
    Labels.of(Schema({"收购": ("收购方", "被收购方"), "裁员": ("裁员方",)})).save(tmp_path)
    return EventLabels(tmp_path, LAYOUT)


def test_parts_of_gold_and_their_rows(labels: EventLabels) -> None:
    parts = labels.gold(RECORD)
    assert parts[:3] == [BUY, BUYER, BOUGHT] and len(parts) == 5
    rows = labels.rows(RECORD)
    assert len(rows) == 5
    scores = dict(zip(rows, (0.9, 0.8, 0.7, 0.6, 0.5), strict=True))
    table = np.array([[p, 1, 1, 1] for p in scores.values()], np.float32)
    found = Candidates(np.array(rows, np.int32), table, np.zeros(0, np.float32))
    assert labels.scores(RECORD, found, parts) == pytest.approx([0.9, 0.8, 0.7, 0.6, 0.5])
    assert labels.scores(RECORD, found, [Part("上市", 0, 1, TRIGGER, 0, 1), Part("收购", 3, 5, "收购方", 5, 8)]) == [
        0,
        0,
    ]


def test_plain_parts_and_back(labels: EventLabels) -> None:
    for part in labels.gold(RECORD):
        assert labels.item_of(RECORD, labels.plain(RECORD, part)) == part
    whole = labels.plain(RECORD, BUYER)
    for change, what in (
        ({"event_type": ""}, "event_type"),
        ({"trigger_start_index": 4}, "trigger_start_index: at 4 the text does not have '收购'"),
        ({"role": 3}, "role"),
        ({"argument": "丁"}, "argument_start_index: at 0 the text does not have '丁'"),
    ):
        with pytest.raises(ValueError, match=what):
            labels.item_of(RECORD, whole | change)


def test_what_differs(labels: EventLabels) -> None:
    assert labels.differs(BUY, Part("裁员", 3, 5, TRIGGER, 3, 5)) == TYPE
    assert labels.differs(BUY, Part("收购", 2, 5, TRIGGER, 2, 5)) == BOUNDARY
    assert labels.differs(BUYER, Part("收购", 3, 5, "被收购方", 0, 3)) == TYPE
    assert labels.differs(BUYER, Part("收购", 3, 5, "收购方", 0, 2)) == BOUNDARY
    assert labels.differs(BUYER, BOUGHT) == labels.differs(BUYER, BUY) == ""
    assert labels.differs(BUYER, Part("裁员", 12, 14, "收购方", 0, 3)) == ""


def test_what_is_written_is_read_again(labels: EventLabels, tmp_path: Path) -> None:
    """Of gold all, and an argument without its trigger not at all."""
    some = examples(40)
    builder = SchemaBuilder()
    for example in some:
        builder.add(example.events)
    path = tmp_path / "out.jsonl"
    path.write_text("".join(labels.written(e, labels.gold(e)) for e in some), encoding="utf-8")
    again = list(load_examples(path))
    for one, other in zip(some, again, strict=True):
        assert set(labels.gold(one)) == set(labels.gold(other)) and one.id == other.id
    assert json.loads(labels.written(RECORD, [BUYER]))["event_list"] == []


def test_events_without_a_trigger_stay(labels: EventLabels, tmp_path: Path) -> None:
    """Some corpora annotate none, and models of them need none."""
    lone = Part("收购", NOWHERE, NOWHERE, "收购方", 0, 3)
    plain = labels.plain(RECORD, lone)
    assert "trigger" not in plain and labels.item_of(RECORD, plain) == lone
    assert labels.item_of(RECORD, plain | {"trigger": "", "trigger_start_index": -1}) == lone
    (told,) = json.loads(labels.written(RECORD, [lone]))["event_list"]
    assert [a["argument"] for a in told["arguments"]] == ["甲公司"] and "trigger" not in told
    # Of a prediction events of one type and trigger are not run together.
    found = [
        FoundEvent("收购", None, (FoundArgument(TEXT[a:b], a, b, "收购方", 0.9),), 0.9) for a, b in ((0, 3), (5, 8))
    ]
    line = json.loads(labels.written_found(RECORD, Extracted(RECORD, tuple(found))))
    assert [[a["argument"] for a in event["arguments"]] for event in line["event_list"]] == [["甲公司"], ["乙公司"]]


def test_what_else_an_event_has_is_kept(labels: EventLabels, tmp_path: Path) -> None:
    record = json.loads(labels.written(RECORD, labels.gold(RECORD)))
    for told in record["event_list"]:
        told["class"] = f"class of {told['event_type']}"
    source = tmp_path / "train.json"
    source.write_text(json.dumps(record, ensure_ascii=False) + "\n", encoding="utf-8")
    added = [Part("收购", 3, 5, "收购方", 9, 12), Part("裁员", 3, 5, TRIGGER, 3, 5)]
    (line,) = labels.edited(source, {TEXT: Edits[Part](added=added)})
    bought, let_go, new = json.loads(line)["event_list"]
    assert bought["class"] == "class of 收购" and let_go == record["event_list"][1] and "class" not in new


def test_a_line_that_is_no_utf8_is_left_out_and_told(labels: EventLabels, tmp_path: Path) -> None:
    check_left_out(labels, tmp_path / "train.json", [labels.written(e, labels.gold(e)) for e in examples(3)])


def test_single_parts_of_a_file_are_changed(labels: EventLabels, tmp_path: Path) -> None:
    source = write_json(tmp_path / "train.json", [RECORD, *examples(3)])
    before = source.read_text(encoding="utf-8").splitlines(keepends=True)

    def edited(**parts: Any) -> tuple[list[str], Edits[Part]]:
        edit = Edits[Part](**parts)
        return list(labels.edited(source, {TEXT: edit})), edit

    lines, edit = edited(without=[BUYER], added=[Part("收购", 3, 5, "收购方", 0, 2)])
    assert lines[1:] == before[1:] and edit.seen == 1
    first = json.loads(lines[0])["event_list"]
    assert [(a["role"], a["argument"]) for a in first[0]["arguments"]] == [("收购方", "甲公"), ("被收购方", "乙公司")]
    lines, _ = edited(without=[BUY])  # its arguments go along
    assert [e["event_type"] for e in json.loads(lines[0])["event_list"]] == ["裁员"]
    # One that is moved keeps them, also those that come with it or go at the same time.
    moved = Part("收购", 3, 4, TRIGGER, 3, 4)
    now = Part("收购", 3, 4, "被收购方", 5, 7)
    edit_ = {"without": [BUY, BUYER], "added": [moved, now], "moved": [(BUY, moved)]}
    lines, _ = edited(**edit_)
    (bought, _) = json.loads(lines[0])["event_list"]
    assert (bought["trigger"], [a["argument"] for a in bought["arguments"]]) == ("收", ["乙公", "乙公司"])
    lines, _ = edited(**{**edit_, "added": [moved, Part("收购", 3, 5, "收购方", 9, 11)]})  # of the trigger that was
    assert [a["argument"] for a in json.loads(lines[0])["event_list"][0]["arguments"]] == ["乙公司", "丙公"]
    other = Part("裁员", 3, 5, TRIGGER, 3, 5)  # another type has other roles
    lines, _ = edited(without=[BUY], added=[other], moved=[(BUY, other)])
    assert not json.loads(lines[0])["event_list"][-1]["arguments"]
    assert labels.along(RECORD, BUY, other) == labels.along(RECORD, BUY, None) == [BUYER, BOUGHT]
    assert not labels.along(RECORD, BUY, moved) and not labels.along(RECORD, BUYER, None)
    new = Part("上市", 9, 10, TRIGGER, 9, 10)
    lines, _ = edited(added=[Part("上市", 9, 10, "公司", 0, 1), new, Part("破产", 1, 2, "公司", 0, 1)])
    told = json.loads(lines[0])["event_list"]
    assert [e["event_type"] for e in told] == ["收购", "裁员", "上市"] and len(told[2]["arguments"]) == 1
    assert json.loads(lines[0])["id"] == "7"


def test_what_goes_along_with_a_trigger_stands_in_the_log(labels: EventLabels, tmp_path: Path) -> None:
    """Once, also where a row of its own drops it."""
    train = tmp_path / "train.jsonl"
    train.write_text("{}\n", encoding="utf-8")
    kept = SimpleNamespace(read=lambda path, rows: [RECORD])
    source: Any = SimpleNamespace(
        labels=labels, train=train, prepared=tmp_path, task=SimpleNamespace(kept=lambda _: kept)
    )

    def row(item: Part, proposed: Part | None = None) -> ReviewRow:
        plain = [None if one is None else labels.plain(RECORD, one) for one in (item, proposed)]
        return ReviewRow(2, True, 0, "doubtful part", plain[0], plain[1], ("", ""), "", mark_of(TEXT))

    def told(*rows: ReviewRow) -> list[tuple[str, str]]:
        _, log = _edits(source, tmp_path / "review.tsv", rows)
        return [(entry["change"], entry["gold"].get("argument", entry["gold"]["trigger"])) for entry in log]

    assert told(row(BUY)) == [("dropped", "收购"), ("dropped", "甲公司"), ("dropped", "乙公司")]
    assert told(row(BUYER), row(BUY)) == [("dropped", "甲公司"), ("dropped", "收购"), ("dropped", "乙公司")]
    assert told(row(BUY), row(BUYER)) == [("dropped", "收购"), ("dropped", "乙公司"), ("dropped", "甲公司")]
    assert told(row(BUY, Part("收购", 3, 4, TRIGGER, 3, 4))) == [("replaced", "收购")]
