"""Gold and predictions that are not about the same texts, or stand in each other's place. All sentences are made up."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ietool.errors import UserError
from ietool.scoring.coverage import check_shared
from tests.cli.conftest import complaint, output_of

TASKS = ("ske", "el", "qa", "ner-crf")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("IETOOL_HOME", str(tmp_path / "home"))


def gold_of(recipe: str, names: list[str]) -> str:
    """A gold file on some texts (or questions)."""
    records: list[Any] = []
    for name in names:
        text = f"{name}写了书"
        if recipe == "ske":
            spo = {"subject": "书", "predicate": "作者", "object": name}
            records.append({"text": text, "spo_list": [spo], "postag": []})
        elif recipe == "el":
            mention = {"kb_id": "7", "mention": "书", "offset": str(len(name) + 2)}
            records.append({"text_id": name, "text": text, "mention_data": [mention]})
        elif recipe == "qa":
            passages = [{"passage": text, "answer": "书"}]
            records.append({"id": name, "question": "写了什么？", "passages": passages, "golden_answers": ["书"]})
        else:
            last = len(text) - 1
            records.append({"text": text, "label": {"物": {"书": [[last, last]]}}})
    return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)


def result_of(recipe: str, names: list[str]) -> str:
    """A submission on them."""
    if recipe == "qa":
        return "".join(f"{name}\t书\n" for name in names)
    records = [json.loads(line) for line in gold_of(recipe, names).splitlines()]
    for record in records:
        record.pop("postag", None)
    return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)


def scored(capsys: pytest.CaptureFixture[str], recipe: str, gold: str, result: str) -> dict[str, Any]:
    Path("gold").write_text(gold, encoding="utf-8")
    Path("result").write_text(result, encoding="utf-8")
    value: dict[str, Any] = json.loads(output_of(capsys, "score", "-r", recipe, "gold", "result", "--json"))
    return value


def refused(capsys: pytest.CaptureFixture[str], recipe: str, gold: str, result: str) -> str:
    Path("gold").write_text(gold, encoding="utf-8")
    Path("result").write_text(result, encoding="utf-8")
    return complaint(capsys, "score", "-r", recipe, "gold", "result")


def many(begin: int, end: int) -> list[str]:
    return [f"人{n}" for n in range(begin, end)]


@pytest.mark.parametrize("recipe", TASKS)
def test_files_must_share_texts(recipe: str, capsys: pytest.CaptureFixture[str]) -> None:
    what = "questions" if recipe == "qa" else "texts"
    error = refused(capsys, recipe, gold_of(recipe, many(0, 30)), result_of(recipe, many(30, 70)))
    assert f"result: has predictions on 40 {what}, gold has 30 {what}, and none is in both → bring" in error
    error = refused(capsys, recipe, gold_of(recipe, many(0, 30)), result_of(recipe, many(29, 60)))
    assert "and only 1 is in both" in error
    # A part of gold, more than gold, and nothing at all can be scored.
    for first, second in ((many(0, 30), many(0, 1)), (many(0, 2), many(0, 30)), (many(0, 30), many(28, 58))):
        assert scored(capsys, recipe, gold_of(recipe, first), result_of(recipe, second))["notes"]
    if recipe != "qa":
        assert scored(capsys, recipe, gold_of(recipe, many(0, 30)), "")["notes"]


def test_texts_under_other_ids(capsys: pytest.CaptureFixture[str]) -> None:
    result = result_of("el", many(0, 3)).replace('"text_id": "人', '"text_id": "x')
    error = refused(capsys, "el", gold_of("el", many(0, 3)), result)
    assert "none is in both → keep gold's text_id: 3 texts stand in gold under another one" in error


@pytest.mark.parametrize("recipe", TASKS)
def test_gold_and_predictions_in_each_others_place(recipe: str, capsys: pytest.CaptureFixture[str]) -> None:
    gold, result = gold_of(recipe, many(0, 3)), result_of(recipe, many(0, 3))
    if recipe == "qa":
        error = refused(capsys, recipe, result, gold)
        assert "looks like gold: questions with passages → name the gold file first, the predictions behind it" in error
        return
    if recipe == "ner-crf":  # as the organisers have it, submissions have an id and no text
        result = "".join(
            json.dumps({"id": n} | {"label": json.loads(line)["label"]}, ensure_ascii=False) + "\n"
            for n, line in enumerate(result.splitlines())
        )
    notes = scored(capsys, recipe, result, gold)["notes"]
    key = {"ske": "postag", "ner-crf": "text"}.get(recipe)
    if key:
        assert any(f"result has {key}, as gold files have, and gold has not: are they swapped?" in n for n in notes)
    assert not any("swapped" in note for note in scored(capsys, recipe, gold, result)["notes"])


@given(st.integers(0, 99), st.integers(0, 99), st.integers(0, 99))
def test_what_is_next_to_nothing(gold: int, predicted: int, shared: int) -> None:
    shared = min(gold, predicted, shared)
    try:
        check_shared(gold, predicted, shared, file="f")
    except UserError as error:
        assert shared * 20 < min(gold, predicted) and str(gold) in str(error) and str(predicted) in str(error)
    else:
        assert not min(gold, predicted) or shared * 20 >= min(gold, predicted)
