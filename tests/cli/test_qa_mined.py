"""Passages of other questions, from the commands' side."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Printed, complaint
from tests.tasks.qa.heads.test_mined import asked
from tests.tasks.qa.made import dump

SMALL = ("model.encoder.hidden_size=16", "model.encoder.passage_dilations=[1]", "training.epochs=2",
         "training.batch_size=8", "training.precision=fp32")  # fmt: skip


def files_of(folder: Path) -> tuple[str, ...]:
    train = dump(folder / "train.json", [asked(n) for n in range(24)])
    dev = dump(folder / "dev.json", [asked(n) for n in range(24, 28)])
    return "--train", str(train), "--dev", str(dev)


def test_lists_of_passages_that_all_answer_get_others(tmp_path: Path, printed: Printed) -> None:
    files = files_of(tmp_path)
    settings = [part for one in SMALL for part in ("--set", one)]
    report = json.loads(printed("prepare", "--recipe", "qa", *files, "--json", *settings))
    assert 24 <= report["statistics"]["mined"] <= 4 * 24
    assert any("(sampling.mined)" in note for note in report["notes"])
    none = json.loads(printed("prepare", "--recipe", "qa", *files, "--json", *settings, "--set", "sampling.mined=0"))
    assert "mined" not in none["statistics"] and none["folder"] != report["folder"]
    run = tmp_path / "run"
    printed("train", "--recipe", "qa", *files, "--output", run, "--device", "cpu", *settings)
    answers = tmp_path / "answers.json"
    printed("predict", "--run", run, tmp_path / "dev.json", "--output", answers, "--device", "cpu")
    assert list(json.loads(answers.read_text(encoding="utf-8"))) == [f"m{n}" for n in range(24, 28)]


def test_so_many_cannot_be_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    error = complaint(capsys, "prepare", "--recipe", "qa", *files_of(tmp_path), "--set", "sampling.mined=65")
    assert "sampling.mined" in error and "64" in error
