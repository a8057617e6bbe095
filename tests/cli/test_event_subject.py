"""Subjects of events through the commands: from CSV to a checked submission, and the contest layer behind it."""

from __future__ import annotations

import csv
import io
import json
import shutil
from pathlib import Path

import pytest

from ietool.cli.app import run as command
from tests.cli.conftest import complaint, output_of
from tests.tasks.event_subject.made import SMALL, examples, write_csv

LEARNING = ("training.epochs=6", "training.head_learning_rate=0.02", "training.warmup_epochs=0",
            "training.ema_decay=0.8", "training.schedule=constant_with_warmup", "training.patience=0")  # fmt: skip
SETTINGS = [word for one in (*SMALL, *LEARNING) for word in ("--set", one)]
FEW = [word for one in (*SMALL, *LEARNING[1:]) for word in ("--set", one)]

Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with files of the competition and a run."""
    folder = tmp_path_factory.mktemp("event-subject")
    (folder / "data").mkdir()
    write_csv(folder / "data" / "event_type_entity_extract_train.csv", examples(100))
    write_csv(folder / "data" / "dev.csv", examples(30, seed=2))
    write_csv(folder / "data" / "event_type_entity_extract_eval.csv", examples(30, seed=3), gold=False)
    write_csv(folder / "gold.csv", examples(30, seed=3))
    patch = pytest.MonkeyPatch()
    patch.setenv("IETOOL_HOME", str(folder))
    arguments = ["train", "-r", "event-subject", "--data", folder / "data", "--output", folder / "run", *SETTINGS]
    assert command([str(one) for one in (*arguments, "--device", "cpu")]) == 0
    patch.undo()
    return folder


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IETOOL_HOME", str(tmp_path))


def rows(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text)))


def test_from_the_test_file_to_a_checked_submission(work: Path, tmp_path: Path, capsys: Capture) -> None:
    source, result = work / "data" / "event_type_entity_extract_eval.csv", tmp_path / "result.csv"
    output_of(capsys, "predict", "--run", work / "run", source, "--output", result, "--device", "cpu")
    found = rows(result.read_text(encoding="utf-8"))
    some = examples(30, seed=3)
    assert [row[0] for row in found] == [e.id for e in some]
    assert all(subject == "NaN" or subject in e.text for (_, subject), e in zip(found, some, strict=True))
    told = json.loads(output_of(capsys, "score", "-r", "event-subject", work / "gold.csv", result, "--json"))
    right = [subject == (e.subject or "NaN") for (_, subject), e in zip(found, some, strict=True)]
    assert told["accuracy"] == pytest.approx(sum(right) / 30)
    assert told["f1"] > 0.5  # the type decides who it was, and it has learnt that
    scoring = ("score", "-r", "event-subject", work / "gold.csv", result, "--json", "--metric", "accuracy")
    assert json.loads(output_of(capsys, *scoring))["metric"] == "accuracy"
    shown = output_of(capsys, "submit", result, "--input", source, "--output", tmp_path / "out.csv")
    assert "CCKS 2019 event subjects" in shown
    assert (tmp_path / "out.csv").read_bytes() == result.read_bytes()
    # The same records as JSON lines get the same rows.
    lines = tmp_path / "in.jsonl"
    lines.write_text("".join(json.dumps({"id": e.id, "text": e.text, "type": e.type}) + "\n" for e in some))
    again = output_of(capsys, "predict", "--run", work / "run", lines, "--output", "-", "--device", "cpu")
    assert rows(again) == found


def test_a_type_and_a_text_are_asked_with_a_tab(work: Path, capsys: Capture) -> None:
    shown = output_of(capsys, "predict", "--run", work / "run", "--text", "减持\t云州食品大股东减持", "--device", "cpu")
    assert "减持: 云州食品大股东减持" in shown
    told = complaint(capsys, "predict", "--run", work / "run", "--text", "云州食品大股东减持", "--device", "cpu")
    assert "an event type and a text are needed → write the event type, a tab and the text" in told


def test_prepare_tells_what_must_be_beaten(work: Path, capsys: Capture) -> None:
    shown = output_of(capsys, "prepare", "-r", "event-subject", "--data", work / "data", *FEW)
    assert "Floor on dev, without a model" in shown
    assert "the longest subject of train that stands in the text" in shown


def test_bad_rows_are_told_or_left_out(work: Path, tmp_path: Path, capsys: Capture) -> None:
    train = tmp_path / "train.csv"
    dev = work / "data" / "dev.csv"
    train.write_text(dev.read_text(encoding="utf-8") + '"x","y"\n"1","雨"停","t","NaN"\n', encoding="utf-8")
    told = complaint(capsys, "prepare", "-r", "event-subject", "--train", train, "--dev", dev, *FEW)
    assert "train.csv:31: has 2 cells, 4 are needed" in told
    shown = json.loads(
        output_of(
            capsys, "prepare", "-r", "event-subject", "--train", train, "--dev", dev, "--skip-bad", "--json", *FEW
        )
    )
    assert shown["rejected"] == 2
    asked = ("predict", "--run", work / "run", train, "--output", tmp_path / "r", "--device", "cpu")
    assert command([str(one) for one in asked]) == 2
    assert "train.csv:31: has 2 cells, 3 or 4 are needed" in capsys.readouterr().err
    assert not (tmp_path / "r").exists()


def test_thresholds_are_tuned(work: Path, tmp_path: Path, capsys: Capture) -> None:
    run = shutil.copytree(work / "run", tmp_path / "run")
    told = json.loads(output_of(capsys, "tune", run, "--force", "--parts", 3, "--json"))
    assert told["texts"] == 30
    assert told["optimistic"]["gain"] >= 0
    again = json.loads(output_of(capsys, "tune", run, "--force", "--parts", 3, "--json"))
    assert again["settings"] == {}


def test_folds_clean_and_join(work: Path, tmp_path: Path, capsys: Capture) -> None:
    """Folds never part a text; a planted error is found and mended; members answer together; texts get labels."""
    data = tmp_path / "data"
    shutil.copytree(work / "data", data)
    train = data / "event_type_entity_extract_train.csv"
    some = rows(train.read_text(encoding="utf-8"))
    wrong = next(n for n, row in enumerate(some) if row[3] != "NaN" and "，" in row[1])
    right, some[wrong][3] = some[wrong][3], "NaN"
    out = io.StringIO()
    csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(some)
    train.write_text(out.getvalue(), encoding="utf-8")
    arguments = ("train", "-r", "event-subject", "--data", data, "--folds", 2, "--output", tmp_path / "folds")
    output_of(capsys, *arguments, *SETTINGS, "--device", "cpu")
    output_of(capsys, "clean", tmp_path / "folds", "--output", tmp_path / "cleaned", "--add", "0.2", "--drop", "0.1")
    review = tmp_path / "cleaned" / "review.tsv"
    found = list(csv.DictReader(io.StringIO(review.read_text("utf-8-sig"), newline=""), dialect=csv.excel_tab))
    (planted,) = [row for row in found if row["kind"] == "missing subject" and row["record"] == str(wrong + 1)]
    assert json.loads(planted["proposed"])["subject"] == right
    for row in found:
        row["accept"] = "x" if row is planted else ""
    changed = io.StringIO(newline="")
    writer = csv.DictWriter(changed, found[0], dialect=csv.excel_tab)
    writer.writeheader()
    writer.writerows(found)
    review.write_text(changed.getvalue(), encoding="utf-8", newline="")
    output_of(capsys, "clean", tmp_path / "folds", "--output", tmp_path / "cleaned", "--apply", review)
    cleaned = rows((tmp_path / "cleaned" / "train.csv").read_text(encoding="utf-8"))
    some[wrong][3] = right
    assert cleaned == some

    team = tmp_path / "team"
    output_of(capsys, "ensemble", tmp_path / "folds", work / "run", "--output", team, "--device", "cpu")
    source = data / "event_type_entity_extract_eval.csv"
    output_of(capsys, "predict", "--run", team, source, "--output", tmp_path / "r.csv", "--device", "cpu")
    scoring = ("score", "-r", "event-subject", work / "gold.csv", tmp_path / "r.csv", "--json")
    told = json.loads(output_of(capsys, *scoring))
    assert told["f1"] > 0.5
    done = json.loads(output_of(capsys, "distil", team, "--texts", source, "--output", tmp_path / "extra", "--json"))
    extra = tmp_path / "extra" / "extra.csv"
    assert len(rows(extra.read_text(encoding="utf-8"))) == done["kept"] > 0
    shown = json.loads(
        output_of(capsys, "prepare", "-r", "event-subject", "--data", work / "data", "--extra", extra, "--json", *FEW)
    )
    assert shown["statistics"]["extra"]["records"] == done["kept"]
