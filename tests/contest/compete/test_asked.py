"""What is predicted: the test file, all its parts, or dev in its place."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from ietool.contest.compete.account import ACCOUNT
from ietool.contest.compete.competing import ASKED, compete
from ietool.contest.compete.ground import look
from ietool.errors import UserError
from ietool.paths import shipped_data
from ietool.tasks.qa.data.reading import load_questions
from tests.contest.compete.conftest import Compete
from tests.tasks.qa import made as qa


def write_linking(folder: Path) -> Path:
    """A competition of CCKS 2020, whose test file gives the mentions."""
    shutil.copytree(shipped_data("el").parent / "el2020", folder)
    test = folder / "test.json"
    records = [json.loads(line) for line in test.read_text(encoding="utf-8").splitlines()]
    for record in records:
        record["mention_data"] = [{key: m[key] for key in ("mention", "offset")} for m in record["mention_data"]]
    test.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return folder


def test_mentions_that_are_given_are_linked(tmp_path: Path) -> None:
    data = write_linking(tmp_path / "data")
    ground = look(data)
    (recipe,) = ground.recipes
    assert recipe.decode.given_mentions and recipe.data.nil == "keep"  # type: ignore[attr-defined]
    assert ground.notes == ["test.json gives a part of what is asked for: data.nil=keep, decode.given_mentions=true"]
    # Who says otherwise is obeyed, then and when it goes on.
    (own,) = look(data, settings=["decode.given_mentions=false"]).recipes
    assert not own.decode.given_mentions and own.data.nil == "keep"  # type: ignore[attr-defined]
    assert not look(data, fitted=True).recipes[0].decode.given_mentions  # type: ignore[attr-defined]
    # Gold, with ids, gives nothing.
    shutil.copyfile(data / "dev.json", data / "test.json")
    assert not look(data).recipes[0].decode.given_mentions  # type: ignore[attr-defined]


def test_both_halves_of_dureader_are_one_submission(work: Path, competed: Compete) -> None:
    def write(name: str, records: list[dict[str, Any]]) -> None:
        lines = (json.dumps(record, ensure_ascii=False) + "\n" for record in records)
        (work / "data" / name).write_text("".join(lines), encoding="utf-8")

    (work / "data").mkdir()
    records = qa.documents(24)
    for at, half in enumerate(("search", "zhidao")):
        write(f"{half}.train.json", records[at:16:2])
        write(f"{half}.dev.json", records[16 + at : 20 : 2])
        bare = [{key: v for key, v in record.items() if "answer" not in key} for record in records[20 + at :: 2]]
        write(f"{half}.test.json", bare)
    notes: list[str] = []
    done = competed(["qa-dureader"], task="qa", hours=0.03, on_note=notes.append)
    assert not notes
    assert done.submission is not None
    asked = [question.question_id for question in load_questions(work / "mine" / ASKED, needs_answers=False)]
    assert asked == ["20", "22", "21", "23"]
    told = [json.loads(line)["question_id"] for line in done.submission.read_text(encoding="utf-8").splitlines()]
    assert list(map(str, told)) == asked
    assert "of `search.test.json` and `zhidao.test.json`" in (work / "mine" / ACCOUNT).read_text(encoding="utf-8")
    # Another second half is predicted as it is now.
    write("zhidao.test.json", bare[:1])
    compete(None, work / "mine", hours=0, resume=True, on_note=notes.append)
    assert [note.partition(" is not")[0] for note in notes] == ["search.test.json and zhidao.test.json"]


def test_dev_in_place_of_a_test_file_is_told(work: Path, competed: Compete) -> None:
    notes: list[str] = []
    competed(["ner-crf"], hours=0.03, on_note=notes.append)
    assert [note.partition(" in ")[0] for note in notes] == ["no test file was found"]
    assert "dev.jsonl is predicted" in notes[0]
    account = (work / "mine" / ACCOUNT).read_text(encoding="utf-8")
    assert "of `dev.jsonl`, since no test file was found" in account


def test_nothing_to_predict_is_told_before_anything_is_trained(tmp_path: Path) -> None:
    shutil.copytree(shipped_data("ner"), tmp_path / "data")
    for name in ("dev.jsonl", "test.jsonl"):
        (tmp_path / "data" / name).unlink()
    with pytest.raises(UserError, match="holds no test file to predict on"):
        look(tmp_path / "data")
