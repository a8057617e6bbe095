"""What is told before hours of training would find nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ietool.core.learnable import check_learnable
from ietool.core.survey import OracleCounts
from ietool.errors import UserError
from tests.cli.conftest import complaint, output_of
from tests.tiny_encoder import make_encoder_folder

OTHERS = ["абвгдежзийклмнопрст", "αβγδεζηθικλμνξοπρστ"]
NAME, TEXT = "方蓝", "歌手方蓝演唱了渡口{}"


def write(folder: Path, task: str) -> list[object]:
    """Ten records of a task, and the options that name their files."""
    options: list[object] = []
    for role in ("train", "dev"):
        lines = []
        for number in range(10):
            text = TEXT.format(number)
            record: dict[str, Any] = {"text": text}
            if task == "ner":
                record |= {"id": number, "label": {"name": {NAME: [[2, 3]]}}}
            elif task == "ske":
                triple = {"subject": NAME, "predicate": "唱", "object": {"@value": "渡口"}}
                record |= {"spo_list": [triple | {"subject_type": "人", "object_type": {"@value": "歌"}}]}
            elif task == "el":
                mention = {"kb_id": "1", "mention": NAME, "offset": "2"}
                record |= {"text_id": str(number), "mention_data": [mention]}
            else:
                answers = [{"text": NAME, "answer_start": 2}]
                record = {"context": text, "qas": [{"id": str(number), "question": "谁演唱", "answers": answers}]}
            lines.append(record)
        path = folder / f"{role}.json"
        if task == "qa":
            path.write_text(json.dumps({"data": [{"title": "", "paragraphs": lines}]}), encoding="utf-8")
        else:
            path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
        options += [f"--{role}", path]
    if task == "el":
        entity = {"subject_id": "1", "subject": NAME, "alias": [], "type": ["人"], "data": []}
        (folder / "kb").write_text(json.dumps(entity) + "\n", encoding="utf-8")
        options += ["--file", f"kb={folder / 'kb'}"]
    return options


@pytest.mark.parametrize("recipe", ["ner-crf", "ske-cascade", "qa-span", "el-cross"])
def test_an_encoder_of_another_language_is_told(
    recipe: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("IETOOL_HOME", str(tmp_path / "home"))
    make_encoder_folder(tmp_path / "other", OTHERS, layers=1)
    make_encoder_folder(tmp_path / "own", [TEXT.format("0123456789"), "谁"], layers=1)
    command = ["-r", recipe, *write(tmp_path, recipe.partition("-")[0])]
    if recipe == "el-cross":
        command += ["--set", "model.head.query=16", "--set", "model.head.description=16"]
    error = complaint(capsys, "prepare", *command, "--set", f"model.encoder={tmp_path / 'other'}")
    assert "model.encoder: 100% of train is unknown to the tokenizer" in error and "BertTokenizer)" in error
    shown = output_of(capsys, "prepare", *command, "--set", f"model.encoder={tmp_path / 'own'}")
    assert "unknown" in shown and "0.00%" in shown


def counts(gold: int, **lost: int) -> OracleCounts:
    found = OracleCounts(tuple(lost), gold=gold)
    found.lost.update(lost)
    return found


def test_little_that_can_be_learnt_is_told_with_its_main_reason() -> None:
    splits = {"train": counts(100, few=20, most=60), "dev": counts(10, few=9)}
    assert check_learnable(splits, "names", {}, None) == [
        "train: of 100 names only 20 can be given back; mostly since: most (60 of 100)",
        "dev: of 10 names only 1 can be given back; mostly since: few (9 of 10)",
    ]
    assert check_learnable({"train": counts(0), "dev": counts(4, few=2)}, "names", {}, None) == []
    with pytest.raises(UserError) as caught:
        check_learnable({"train": counts(100, few=20, most=79)}, "names", {"most": "raise it"}, Path("train"))
    assert str(caught.value) == "train: of 100 names 1 can be learnt; mostly since: most (79 of 100) → raise it"


def test_names_that_no_token_borders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A tokenizer that knows the letters of whole words alone cuts none of these names out."""
    monkeypatch.setenv("IETOOL_HOME", str(tmp_path / "home"))
    make_encoder_folder(tmp_path / "encoder", ["abcdefgh"], layers=1)
    for role in ("train", "dev"):
        lines = [{"text": f"abcdefgh {n}", "label": {"name": {"bc": [[1, 2]]}}} for n in range(4)]
        (tmp_path / f"{role}.json").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    error = complaint(
        capsys, "prepare", "-r", "ner-crf", "--data", tmp_path, "--set", f"model.encoder={tmp_path / 'encoder'}"
    )
    assert "of 4 entities 0 can be learnt; mostly since: no token begins or ends there (4 of 4)" in error
    assert "train.json" in error and "model.encoder=characters" in error
