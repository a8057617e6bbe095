"""Prepare: what is kept and counted, what perfect labels give back, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from ietool.core.sources import Sources
from ietool.errors import UserError
from ietool.paths import shipped_data
from ietool.tasks.events.data.example import Example
from ietool.tasks.events.features.featurizer import Labels
from tests.tasks.events.made import (
    NAMES,
    TASK,
    event,
    examples,
    prepare_examples,
    prepare_files,
    row,
    small_recipe,
    write_json,
)


@pytest.mark.parametrize("name", NAMES)
def test_perfect_labels_give_gold_back(tmp_path: Path, name: str) -> None:
    """Also where texts are several windows; what no window holds is told."""
    prepared = prepare_examples(
        small_recipe(name, "data.window=48", "data.overlap=24"), tmp_path, examples(150), examples(40, "dev")
    )
    for split in ("train", "dev"):
        told = prepared.report.statistics[split]
        oracle = told["oracle"]
        assert told["texts_longer_than_window"] > 0
        assert oracle["recall"] > 0.96 and oracle["f1"] > 0.96
        lost = {reason for reason, count in oracle["lost"].items() if count}
        assert lost <= {"in no single window with its trigger", "events joined otherwise"}
    whole = prepare_examples(
        small_recipe(name, "data.window=128", "data.overlap=64"), tmp_path / "w", examples(150), examples(40, "dev")
    )
    oracle = whole.report.statistics["train"]["oracle"]
    assert oracle["recall"] == oracle["f1"] == 1.0 and oracle["spurious"] == 0
    # Two events of one type and trigger are one in two stages, and two sub-graphs of linked spans.
    twins = [len({(e.type, e.start) for e in x.events}) < len(x.events) for x in examples(150)]
    assert any(twins) and (oracle["events"]["whole"] == oracle["events"]["gold"]) == (name == "events")


def test_the_schema_of_a_file_and_that_of_train(tmp_path: Path) -> None:
    train, dev = (
        write_json(tmp_path / "train.json", examples(10)),
        write_json(tmp_path / "dev.json", examples(5, "dev")),
    )
    schema = shipped_data("events") / "schema.jsonl"
    recipe = small_recipe()
    own = Labels.load(prepare_files(recipe, tmp_path / "a", train=train, dev=dev).folder)
    given = Labels.load(prepare_files(recipe, tmp_path / "b", train=train, dev=dev, schema=schema).folder)
    assert set(own.names) < set(given.names) and len(given.types) == 8
    assert given.names[:5] == (
        ("收购", ""),
        ("收购", "时间"),
        ("收购", "收购方"),
        ("收购", "被收购方"),
        ("收购", "金额"),
    )
    # Numbers of a run that is gone on from are kept.
    out = tmp_path / "c"
    out.mkdir()
    TASK.prepare(recipe, Sources({"train": train, "dev": dev}, like=tmp_path / "b" / "prepared"), out, rejects=None,
                 progress=lambda *_: None)  # fmt: skip
    assert Labels.load(out).names == given.names
    assert TASK.label_names(out)[:2] == ["收购", "收购: 时间"]


def test_types_that_only_dev_has_are_lost(tmp_path: Path) -> None:
    text = "甲公司昨天破产"
    dev = [Example(text, (event(text, "破产", "破产", 公司="甲公司"),))]
    oracle = prepare_examples(small_recipe(), tmp_path, examples(20), dev).report.statistics["dev"]["oracle"]
    assert oracle["lost"]["train has no such type or role"] == 2 and oracle["recall"] == 0


def test_events_without_trigger(tmp_path: Path) -> None:
    text = "甲公司没有了"
    some = [*examples(20), Example(text, (event(text, "破产", "", 公司="甲公司"),))]
    for needs, lost in (("true", 2), ("false", 0)):
        recipe = small_recipe("events", f"decode.needs_trigger={needs}")
        report = prepare_examples(recipe, tmp_path / needs, some, examples(5, "dev")).report
        assert report.statistics["train"]["oracle"]["lost"]["the event has no trigger"] == lost
        assert any("1 events have no trigger" in note for note in report.notes)


def test_records_are_kept_as_they_are(tmp_path: Path) -> None:
    some = examples(30)
    prepared = prepare_examples(small_recipe(), tmp_path, [*some, some[0]], examples(5, "dev"))
    kept = TASK.gold(prepared.folder, "train")
    assert [(e.text, e.events, e.id, e.form) for e in kept] == [(e.text, e.events, e.id, "duee") for e in some]
    assert prepared.report.statistics["train"]["duplicates"] == 1
    data = TASK.training_set(small_recipe(), prepared.folder)
    labels = Labels.load(prepared.folder)
    rows = np.concatenate([data[n]["rows"] for n in range(len(data))])
    assert rows[:, 3].max() < len(labels.names) and (rows[:, 1] < rows[:, 2]).all()


def test_what_is_refused(tmp_path: Path) -> None:
    recipe = small_recipe()
    none = write_json(tmp_path / "none.json", [Example("甲乙丙"), Example("丁戊己")])
    dev = write_json(tmp_path / "dev.json", examples(5, "dev"))
    with pytest.raises(UserError, match="has no event to learn from"):
        prepare_files(recipe, tmp_path / "a", train=none, dev=dev)
    bad = tmp_path / "bad.json"
    wrong = row(examples(1)[0]) | {"event_list": [{"event_type": 3}]}
    lines = [*map(row, examples(10)), wrong]
    bad.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8")
    with pytest.raises(UserError, match=r"bad.json:11: event_list\[0\].event_type: is a number"):
        prepare_files(recipe, tmp_path / "b", train=bad, dev=dev)
    prepared = prepare_files(recipe, tmp_path / "c", rejects=True, train=bad, dev=dev)
    assert prepared.report.rejected == 1
    (told,) = (prepared.folder / "rejects.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(told)["line"] == 11


def test_damaged_labels(tmp_path: Path) -> None:
    for text, what in (("{", "is no list"), ('[["收购", "时间"]]', "has no trigger"), ("[]", "is no string")):
        (tmp_path / "labels.json").write_text(text, encoding="utf-8")
        with pytest.raises(UserError, match=what):
            Labels.load(tmp_path)
    with pytest.raises(UserError, match="is missing"):
        Labels.load(tmp_path / "nowhere")


def test_dev_is_held_out_where_there_is_none(tmp_path: Path) -> None:
    train = write_json(tmp_path / "train.json", examples(60))
    report = prepare_files(small_recipe("events", "data.held_out=0.2"), tmp_path / "a", train=train).report
    held = report.statistics["dev"]["texts"]
    assert 0 < held < 30 and report.statistics["train"]["texts"] == 60 - held
    assert any("held out" in note for note in report.notes)
