"""Triples as labels: what is mended by hand stands in the file as it was written, and what rules make is believed."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from ietool.core.candidates import Candidates
from ietool.core.labelled import Edits
from ietool.tasks.ske.data.example import VALUE, Example, Triple
from ietool.tasks.ske.labels import TripleLabels
from ietool.tasks.ske.score.judge import Matching

TEXT = "《Moon》的作者是林满"


def triple(subject: str, predicate: str, value: str) -> Triple:
    return Triple(subject, predicate, ((VALUE, value),))


def labels() -> TripleLabels:
    made = object.__new__(TripleLabels)
    vars(made).update(schema=SimpleNamespace(competition="duie2", labels=[("作者", VALUE)], types={}),
                      _key=Matching("duie2"))  # fmt: skip
    return made


def test_a_name_that_is_mended_in_case_alone_is_written(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr("ietool.tasks.ske.labels.format_triple", lambda t, schema: {"subject": t.subject, "new": True})
    old = {"subject": "moon", "predicate": "作者", "object": {"@value": "林满"}, "object_type": {"@value": "人物"}}
    (tmp_path / "x").write_text(json.dumps({"text": TEXT, "spo_list": [old], "id": 3}), encoding="utf-8")
    edit = Edits([triple("moon", "作者", "林满")], [triple("《Moon》", "作者", "林满")])
    (line,) = labels().edited(tmp_path / "x", {TEXT: edit})
    assert json.loads(line) == {"text": TEXT, "spo_list": [{"subject": "《Moon》", "new": True}], "id": 3}
    assert edit.seen == 1
    (line,) = labels().edited(tmp_path / "x", {TEXT: Edits()})
    assert json.loads(line)["spo_list"] == [old]


def test_what_rules_made_is_as_probable_as_it_was_told() -> None:
    made = labels()
    found = [SimpleNamespace(triple=triple("林满", "丈夫", "何舟"), probability=0.9)]
    none = Candidates(np.zeros((0, 6), np.int32), np.zeros((0, 1), np.float32), np.zeros(0, np.float32))
    made.layout = SimpleNamespace(probability=lambda parts: parts[:, 0])  # type: ignore[assignment]
    made.scores = lambda record, found, items: [0.0] * len(items)  # type: ignore[method-assign, assignment]
    soft = made.soft(Example(TEXT, ()), none, SimpleNamespace(triples=found), 0.05)  # type: ignore[arg-type]
    assert soft == [(triple("林满", "丈夫", "何舟"), 0.9)]
