"""Mistakes with files of entities, told in one line by the real commands."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ietool.cli.app import run as ietool
from tests.cli.conftest import Printed, complaint
from tests.cli.test_ner import lines
from tests.tasks.ner.made import examples, write_json, write_tags


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IETOOL_HOME", str(tmp_path / "home"))


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ('{"text": "林满", "label": {"人物": {"林": [[1, 1]]}}}', "label.人物.林: the span [1, 1] holds '满'"),
        ('{"text": "林满", "label": {"人物": {"林满": [[0, 5]]}}}', "lies outside the text, which has 2 characters"),
        ('{"text": "林满", "label": {', "is not JSON"),
        ('{"text": "", "label": {}}', "text: is empty"),
        ('{"text": "林满"}', "label: is missing"),
    ],
)
def test_a_bad_record_is_told_or_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str, told: str
) -> None:
    train = write_json(tmp_path / "train.json", examples(12))
    with train.open("a", encoding="utf-8") as out:
        out.write(content + "\n")
    dev = write_json(tmp_path / "dev.json", examples(5, seed=2))
    arguments = ["prepare", "-r", "ner-crf", "--train", train, "--dev", dev]
    error = complaint(capsys, *arguments)
    assert "train.json:13: " in error and told in error
    out_folder = tmp_path / "out"
    assert ietool([*map(str, arguments), "--skip-bad", "--output", str(out_folder)]) == 0
    (reject,) = lines(out_folder / "rejects.jsonl")
    assert reject["line"] == 13


def test_the_form_can_be_said(tmp_path: Path, printed: Printed, capsys: pytest.CaptureFixture[str]) -> None:
    # Nothing but I-: IOB1 by the looks of it, which BIO is not.
    train = tmp_path / "train.txt"
    train.write_text("林 I-人物\n满 I-人物\n在 O\n\n云 I-地点\n州 I-地点\n\n" * 3, encoding="utf-8")
    arguments = ["prepare", "-r", "ner-crf", "--train", train, "--dev", train, "--json"]
    assert json.loads(printed(*arguments))["statistics"]["train"]["forms"] == {"iob1": 2}
    error = complaint(capsys, *arguments, "--set", "data.form=bio")
    assert "has no entity to learn from" in error
    error = complaint(capsys, *arguments, "--set", "data.form=bmes")
    assert "train.txt:1: the tag 'I-人物' is not of the scheme BMES" in error
    assert "data.form" in complaint(capsys, *arguments, "--set", "data.form=conll")


def test_a_missing_encoder_and_folder_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "data").mkdir()
    write_json(tmp_path / "data" / "train.json", examples(20))
    error = complaint(capsys, "train", "-r", "ner-crf", "--data", tmp_path / "data", "--output", tmp_path / "run",
                      "--set", f"model.encoder={tmp_path}")  # fmt: skip
    assert "model.encoder" in error and not (tmp_path / "run").exists()
    (tmp_path / "empty").mkdir()
    error = complaint(capsys, "train", "-r", "ner-crf", "--data", tmp_path / "empty")
    assert "has no train file" in error and "msra_train.bio" in error


def test_a_score_against_the_wrong_form_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gold, tags = write_json(tmp_path / "gold", examples(4)), write_tags(tmp_path / "tags", examples(4))
    error = complaint(capsys, "score", "-r", "ner-crf", gold, tags)
    assert "holds tokens and tags, but gold JSON lines → predict on the gold file itself" in error
    error = complaint(capsys, "score", "-r", "ner-crf", gold, gold,
                      "--metric", "duie2")  # fmt: skip
    assert "duie2" in error and "seqeval" in error
