"""Events through the real commands: both heads, both forms of files, with runs that were trained before."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ietool.paths import shipped_data
from tests.cli.conftest import Ietool, Printed, complaint
from tests.recorded.flows import copy_run, make_data

NAMES = ("events", "events-staged")


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """For each recipe its recorded run and its data."""
    folder = tmp_path_factory.mktemp("events")
    for name in NAMES:
        make_data(name, folder / name)
        copy_run(name, folder / name / "run")
    return folder


@pytest.fixture(autouse=True)
def home(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IETOOL_HOME", str(work / "home"))


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("name", NAMES)
def test_predict_score_and_explain(name: str, work: Path, tmp_path: Path, printed: Printed) -> None:
    gold, out, why = work / name / "data" / "test.json", tmp_path / "out.json", tmp_path / "why.jsonl"
    printed("predict", "--run", work / name / "run", gold, "--output", out, "--device", "cpu")
    assert [r["id"] for r in lines(out)] == [r["id"] for r in lines(gold)]
    assert set(lines(out)[0]) == ({"id", "event_list"} if name == "events" else {"id", "content", "events"})
    told = json.loads(printed("score", "--recipe", name, gold, out, "--json", "--explain", why))
    assert told["metric"] == "duee1" and told["f1"] > 0.2 and told["trigger_f1"] > 0.2
    assert told["interval"][0] < told["f1"] < told["interval"][1]
    verdicts = lines(why)
    assert {"type", "role", "argument", "score"} <= set(verdicts[0])
    assert sum(v["score"] for v in verdicts) == pytest.approx(told["right"], abs=1e-3)
    exact = json.loads(printed("score", "--recipe", name, gold, out, "--json", "--metric", "exact"))
    assert exact["f1"] <= told["f1"]


def test_a_text_of_ones_own(work: Path, printed: Printed) -> None:
    text = next(r["text"] for r in lines(shipped_data("events") / "train.jsonl") if len(r["event_list"]) == 1)
    shown = printed("predict", "--run", work / "events" / "run", "--text", text, "--device", "cpu")
    assert text in shown and ("trigger" in shown or "no event found" in shown)


def test_what_is_predicted_is_submitted(work: Path, tmp_path: Path, printed: Printed) -> None:
    gold, out = work / "events" / "data" / "test.json", tmp_path / "out.json"
    printed("predict", "--run", work / "events" / "run", gold, "--output", out, "--device", "cpu")
    told = json.loads(printed("submit", out, "--input", gold, "-o", tmp_path / "handed.zip", "--json"))
    assert told["competition"] == "duee1" and (tmp_path / "handed.zip").is_file()
    assert any("types and roles" in rule for rule in told["checked"])


def test_thresholds_are_found_on_kept_scores(work: Path, tmp_path: Path, printed: Printed) -> None:
    run, gold = work / "events" / "run", work / "events" / "data" / "dev.json"
    out, scores = tmp_path / "out.json", tmp_path / "scores"
    printed("predict", "--run", run, gold, "--output", out, "--scores", scores, "--device", "cpu")
    told = printed("tune", run, "--scores", scores, "--gold", gold, "--dry-run", "--json", "--parts", "2")
    assert all(key in told for key in ("decode.threshold", "decode.link"))


@pytest.mark.parametrize("join", ["mean", "union", "intersection"])
def test_two_heads_together(join: str, work: Path, tmp_path: Path, printed: Printed) -> None:
    """Of two heads events are triggers with what both tie to them; joined afterwards, what they decided."""
    runs = [work / name / "run" for name in NAMES]
    gold = work / "events" / "data" / "test.json"
    printed("ensemble", *runs, "--output", tmp_path / "team", "--join", join, "--weights", "1,1")
    out = tmp_path / "out.json"
    printed("predict", "--run", tmp_path / "team", gold, "--output", out, "--device", "cpu")
    told = json.loads(printed("score", "--recipe", "events", gold, out, "--json"))
    assert told["predicted"] > 0 and told["f1"] > 0.1
    if join in ("union", "intersection"):
        found = []
        for run in runs:
            one = tmp_path / "one.json"
            printed("predict", "--run", run, gold, "--output", one, "--device", "cpu")
            found.append([_items(r) for r in lines(one)])
        both = [_items(r) for r in lines(out)]
        for a, b, c in zip(*found, both, strict=True):
            assert c == a | b if join == "union" else c <= a & b


def _items(record: dict[str, Any]) -> set[tuple[str, str, str]]:
    return {
        (event["event_type"], a["role"], a["argument"]) for event in record["event_list"] for a in event["arguments"]
    }


def test_labels_for_texts_that_have_none(
    work: Path, tmp_path: Path, printed: Printed, capsys: pytest.CaptureFixture[str]
) -> None:
    """What a run believes is written as gold, and can be prepared beside train."""
    texts, data = tmp_path / "texts.json", work / "events" / "data"
    some = [{"text": r["text"]} for r in lines(shipped_data("events") / "test.jsonl")[60:100]]
    texts.write_text("".join(json.dumps(r, ensure_ascii=False) + "\n" for r in some), encoding="utf-8")
    extra = tmp_path / "extra"
    printed(
        "distil", work / "events" / "run", "--texts", texts, "--output", extra, "--doubt", "1000", "--device", "cpu"
    )
    made = lines(extra / "extra.jsonl")
    assert len(made) == 40 and any(r["event_list"] for r in made)
    for record in made:
        for event in record["event_list"]:
            at = event["trigger_start_index"]
            assert record["text"][at : at + len(event["trigger"])] == event["trigger"]
    told = json.loads(
        printed("prepare", "--recipe", "events", "--data", data, "--extra", extra / "extra.jsonl", "--json")
    )
    assert told["statistics"]["extra"]["texts"] > 0
    said = complaint(capsys, "distil", work / "events" / "run", "--texts", texts, "--output", tmp_path / "s", "--soft")
    assert "labels of the task events are hard" in said


TINY = ("model.encoder.hidden_size=16", "model.encoder.dilations=[1]", "model.head.size=8", "training.epochs=1",
        "training.batch_size=16", "training.warmup_epochs=0", "training.precision=fp32", "data.window=64",
        "data.overlap=16")  # fmt: skip


def test_folds_are_trained_thresholds_found_and_labels_looked_at(work: Path, tmp_path: Path, printed: Printed) -> None:
    sets = [part for setting in TINY for part in ("--set", setting)]
    data = work / "events" / "data"
    arguments = ("-r", "events-staged", "--data", data, "--folds", "2", "--output", tmp_path / "folds")
    printed("train", *arguments, "--device", "cpu", "--set", "model.encoder=characters", *sets)
    assert (tmp_path / "folds" / "oof").is_dir()
    printed("tune", tmp_path / "folds", "--dry-run", "--json", "--parts", "2")
    printed("clean", tmp_path / "folds", "--output", tmp_path / "clean", "--drop", "1", "--device", "cpu")
    review = tmp_path / "clean" / "review.tsv"
    assert "part of an event" in review.read_text(encoding="utf-8-sig")
    printed("clean", tmp_path / "folds", "--output", tmp_path / "clean", "--apply", review)
    before, after = lines(data / "train.json"), lines(tmp_path / "clean" / "train.jsonl")
    assert [r["text"] for r in after] == [r["text"] for r in before] and after != before


def test_refusals_in_one_line(work: Path, ietool: Ietool, capsys: pytest.CaptureFixture[str]) -> None:
    data, run = work / "events" / "data", work / "events" / "run"
    said = complaint(capsys, "prepare", "--recipe", "events", "--data", data, "--set", "model.head=linkd")
    assert "linked" in said
    said = complaint(capsys, "predict", "--run", run, data / "test.json", "--output", work / "x.json", "--set",
                     "decode.by_label={收够: 0.5}")  # fmt: skip
    assert "no type of event is called '收够'" in said
    other = shipped_data("ner") / "train.jsonl"
    said = complaint(capsys, "prepare", "--recipe", "events", "--train", other, "--dev", other)
    assert "looks like named entities" in said and "--recipe ner" in said
    said = complaint(capsys, "train", "--recipe", "ske", "--train", data / "train.json", "--dev", data / "dev.json")
    assert "looks like events with their arguments" in said and "--recipe events" in said
    said = complaint(capsys, "score", "--recipe", "events", data / "test.json", other)
    assert "looks like named entities" in said


def test_a_schema_that_does_not_fit(work: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, schema = work / "events" / "data", tmp_path / "schema.json"
    schema.write_text('{"event_type": "收购", "role_list": [{"role": "时间"}]}\n', encoding="utf-8")
    said = complaint(capsys, "prepare", "--recipe", "events", "--data", data, "--schema", schema)
    assert "in " + str(schema) in said or "of " + str(schema) in said
