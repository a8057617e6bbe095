"""Reading predictions in every form in which they are handed in. All answers are made up here."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ietool.errors import UserError
from ietool.tasks.qa.score.files import Predicted, read_predictions


def read(tmp_path: Path, text: str) -> dict[str, Predicted]:
    path = tmp_path / "result"
    path.write_text(text, encoding="utf-8", newline="\n")
    return read_predictions(path)


def refused(tmp_path: Path, text: str) -> str:
    with pytest.raises(UserError) as error:
        read(tmp_path, text)
    message = str(error.value)
    assert "\n" not in message and "→" in message
    return message


@pytest.mark.parametrize("indent", [None, 2])
def test_one_object(tmp_path: Path, indent: int | None) -> None:
    answers = {"DEV_0": "林满", "DEV_1": "", "DEV_2": None, "DEV_3": ["甲", "乙"]}
    found = read(tmp_path, json.dumps(answers, ensure_ascii=False, indent=indent))
    assert list(found) == list(answers)
    assert [p.answers for p in found.values()] == [("林满",), ("",), (), ("甲", "乙")]


def test_columns(tmp_path: Path) -> None:
    found = read(tmp_path, "\ufeff10\t林满\r\n11\t\n\n12\t甲\t乙\n")
    assert {key: p.answers for key, p in found.items()} == {"10": ("林满",), "11": ("",), "12": ("甲\t乙",)}


def test_dureader_lines(tmp_path: Path) -> None:
    one = {"question_id": 5, "question_type": "YES_NO", "answers": ["可以"], "yesno_answers": ["Yes"]}
    two = {"question_id": "6", "answers": [], "entity_answers": [["壶", "杯"]], "yesno_answers": []}
    found = read(tmp_path, json.dumps(one) + "\n" + json.dumps(two) + "\n")
    assert found == {"5": Predicted(("可以",), ("Yes",)), "6": Predicted((), (), (("壶", "杯"),))}
    assert read(tmp_path, json.dumps(one)) == read(tmp_path, json.dumps(one, indent=2)) == {"5": found["5"]}


@pytest.mark.parametrize("key", ["id", "question_id"])
def test_records_with_an_id_and_an_answer(tmp_path: Path, key: str) -> None:
    records = [{key: 1, "answer": "甲"}, {key: "x", "answer": "乙", "candidates": [{"answer": "乙", "score": 0.5}]}]
    expected = {"1": Predicted(("甲",)), "x": Predicted(("乙",))}
    assert read(tmp_path, json.dumps(records)) == expected
    assert read(tmp_path, json.dumps(records, indent=1)) == expected
    assert read(tmp_path, "\n".join(map(json.dumps, records))) == expected


def test_packed(tmp_path: Path) -> None:
    path = tmp_path / "result.json.gz"
    path.write_bytes(gzip.compress(b'{"1": "a"}'))
    assert read_predictions(path) == {"1": Predicted(("a",))}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "holds no prediction"),
        ("{}", "holds no prediction"),
        ("[]", "holds no prediction"),
        ("10\t甲\n林满\n", ":2: has no tab"),
        ("10\t甲\n10\t乙\n", ":2: answers the question 10 again"),
        ("\t甲\n", ":1: has no id"),
        ('{"a": "x", "a": "y"}', "answers the question a again"),
        ('{"a": 5}', "a: is a number, a string is needed"),
        ('{"a": {"b": 1}}', "a: is an object, a string is needed"),
        ('{"a": ["x", 1]}', "a[1]: is a number, a string is needed"),
        ('{"a": "x",\n"b": "y"', "is not JSON, perhaps cut off"),
        ('[{"id": 1, "answer": "x"}, 7]', "[1]: is a number, an object is needed"),
        ('[{"id": 1}]', "[0].answers: is missing"),
        ('[{"answer": "x"}]', "[0].question_id: is missing"),
        ('{"question_id": 1, "answers": ["x"]}\n{"question_id": 2}', ":2: answers: is missing"),
        ('{"question_id": 1, "answers": ["x"]}\n{"answers": ["x"]}', ":2: question_id: is missing"),
        ('{"question_id": 1, "answers": ["x"]}\n{"question_id": 1, "answers": ["x"]}', ":2: answers the question 1"),
        ('{"question_id": 1, "answers": ["x"], "yesno_answers": 3}', ":1: yesno_answers: is a number"),
        ('{"question_id": 1, "answers": ["x"], "entity_answers": [3]}', ":1: entity_answers[0]: is a number"),
        ('{"question_id": 1, "answers": ["x"]}\n{"question_id": 2, "ans', ":2: is not JSON"),
        ('{"question_id": true, "answers": ["x"]}', "an id is needed"),
        ('{"a": "\\ud800"}', "surrogate"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, said: str) -> None:
    assert said in refused(tmp_path, text)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file"):
        read_predictions(tmp_path / "none")


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=15)
IDS = st.text("abc012_", min_size=1, max_size=8).filter(lambda key: key not in ("id", "question_id"))


@settings(max_examples=80, deadline=None)
@given(
    st.dictionaries(IDS, TEXT, min_size=1, max_size=5), st.sampled_from(["object", "pretty", "lines", "list", "tsv"])
)
def test_round_trip(tmp_path_factory: pytest.TempPathFactory, answers: dict[str, str], how: str) -> None:
    records: list[dict[str, Any]] = [{"question_id": key, "answers": [text]} for key, text in answers.items()]
    if how == "tsv":
        # Lines hold neither breaks nor zero bytes, which JSON writes as escapes.
        answers = {key: " ".join(text.replace("\0", "").split()) for key, text in answers.items()}
        text = "\n".join(f"{key}\t{answer}" for key, answer in answers.items())
    elif how == "lines":
        text = "\n".join(json.dumps(record, ensure_ascii=False) for record in records)
    else:
        value: Any = records if how == "list" else answers
        text = json.dumps(value, ensure_ascii=False, indent=1 if how == "pretty" else None)
    found = read(tmp_path_factory.mktemp("r"), text)
    assert {key: predicted.answers for key, predicted in found.items()} == {k: (v,) for k, v in answers.items()}
