"""Subjects as labels: written and read again, changed row by row with all else as it stands."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from ietool.core.candidates import Candidates
from ietool.core.labelled import BOUNDARY, ENTITY, Edits
from ietool.tasks.event_subject.data.example import Example
from ietool.tasks.event_subject.data.reading import load_examples
from ietool.tasks.event_subject.features.featurizer import save_types
from ietool.tasks.event_subject.heads.decoder import LAYOUT
from ietool.tasks.event_subject.labels import SubjectLabels
from tests.tasks.event_subject.made import examples, write_csv

TEXT = "甲科技，甲亏损，乙减持"
RECORD = Example(TEXT, "亏损", "甲", "7")


@pytest.fixture
def labels(tmp_path: Path) -> SubjectLabels:
    save_types(["减持", "亏损"], tmp_path)
    return SubjectLabels(tmp_path, LAYOUT)


def test_what_is_written_is_read_as_the_same_gold(labels: SubjectLabels, tmp_path: Path) -> None:
    some = examples(12)
    path = tmp_path / f"extra{labels.suffix}"
    path.write_text("".join(labels.written(e, labels.gold(e)) for e in some), encoding="utf-8")
    assert [(e.id, e.text, e.type, e.subject) for e in load_examples(path)] == [
        (e.id, e.text, e.type, e.subject) for e in some
    ]


def test_scores_are_those_of_all_places(labels: SubjectLabels) -> None:
    rows = np.array([(0, 1, 1), (4, 5, 1), (8, 9, 1)], np.int32)
    found = Candidates(rows, np.array([[0.2], [0.3], [0.1]], np.float32), np.zeros(0, np.float32))
    assert labels.scores(RECORD, found, ["甲", "乙", "丙"]) == pytest.approx([0.5, 0.1, 0.0])
    assert labels.rows(RECORD) == [(0, 1, 1), (4, 5, 1)]
    assert labels.rows(Example(TEXT, "召回", "甲")) == []
    assert labels.places(RECORD, "甲") == [(0, 1), (4, 5)]
    assert labels.doubt(found) == pytest.approx(0.3)
    assert (labels.differs("甲", "甲科技"), labels.differs("甲", "乙")) == (BOUNDARY, ENTITY)


@pytest.mark.parametrize(
    ("plain", "message"),
    [
        ({}, "subject: is missing"),
        ({"subject": "丁"}, "does not stand"),
        ({"subject": "乙", "type": "减持"}, "is of 亏损"),
    ],
)
def test_items_that_are_none(labels: SubjectLabels, plain: dict[str, str], message: str) -> None:
    assert labels.item_of(RECORD, labels.plain(RECORD, "乙")) == "乙"
    with pytest.raises(ValueError, match=message):
        labels.item_of(RECORD, plain)


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_changed_records_alone_change(labels: SubjectLabels, tmp_path: Path, form: str) -> None:
    """What is bad stays as it stands, and so do other fields and other ways to quote."""
    other = Example(TEXT, "减持", "乙", "8")
    if form == "csv":
        rows = [
            '7,"甲科技，甲亏损，乙减持",亏损,甲',
            "bad,row",
            f'"8","{TEXT}","减持","乙"',
            f'"9","{TEXT}","亏损","乙"',
            '"10"x,"甲","亏损","乙"',  # is no row of CSV
        ]
        wanted = [
            f'"7","{TEXT}","亏损","甲科技"',
            rows[1],
            f'"8","{TEXT}","减持","NaN"',
            f'"9","{TEXT}","亏损","甲科技"',
            rows[4],
        ]
    else:
        lines = [{"id": 7, "text": TEXT, "type": "亏损", "subject": "甲", "more": 1}, {"bad": 1},
                 {"id": 8, "text": TEXT, "type": "减持", "subject": "乙"}]  # fmt: skip
        rows = [json.dumps(line, ensure_ascii=False) for line in lines]
        wanted = [json.dumps({**lines[0], "subject": "甲科技"}, ensure_ascii=False), rows[1],
                  json.dumps({**lines[2], "subject": "NaN"}, ensure_ascii=False)]  # fmt: skip
    path = tmp_path / f"train.{form}"
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    edits = {
        labels.identity(RECORD): Edits(without=["甲"], added=["甲科技"]),
        labels.identity(other): Edits(without=["乙"]),
    }
    assert "".join(labels.edited(path, edits)).splitlines() == wanted
    assert [edit.seen for edit in edits.values()] == [2 if form == "csv" else 1, 1]
    untouched = "".join(labels.edited(write_csv(tmp_path / "same.csv", examples(8)), {}))
    assert untouched == (tmp_path / "same.csv").read_text(encoding="utf-8")
