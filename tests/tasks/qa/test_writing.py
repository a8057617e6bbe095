"""Answers as the competitions want them, and whether the reader of predictions takes them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from ietool.tasks.qa.heads.voting import AnswerCandidate, Answered
from ietool.tasks.qa.score.files import read_predictions
from ietool.tasks.qa.writing import candidates_line, write

CANDIDATES = (
    AnswerCandidate("青砖巷", 0.4000004, 0.7, 1, 3, 6),
    AnswerCandidate("《云州》\t书\n", 0.2, 0.5, 0, 0, 7),
    AnswerCandidate("何舟", 0.1, 0.3, 0, 9, 11),
)


def answered(question_id: str, answer: str = "青砖巷", **more: Any) -> Answered:
    return Answered(question_id, "林满写了什么？", CANDIDATES, answer, **more)


def text(*answers: Answered, output: str = "result.json") -> str:
    return "".join(write(answers, output))


def read(tmp_path: Path, content: str, name: str = "result.json") -> dict[str, tuple[str, ...]]:
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")
    return {key: found.answers for key, found in read_predictions(path).items()}


@pytest.mark.parametrize("form", ["squad", "webqa", ""])
def test_one_json_object_of_answers_by_id(tmp_path: Path, form: str) -> None:
    content = text(answered("DEV_0", form=form), answered("7", 'a"\n书', form=form), answered("8", "", form=form))
    assert json.loads(content) == {"DEV_0": "青砖巷", "7": 'a"\n书', "8": ""}
    assert content.endswith("}\n") and "青砖巷" in content  # not \u9752
    found = read(tmp_path, content)
    assert list(found) == ["DEV_0", "7", "8"]
    assert found["DEV_0"] == ("青砖巷",) and not any(found["8"])


def test_one_line_of_tsv_an_answer(tmp_path: Path) -> None:
    content = text(answered("1"), answered("Q2", " 青砖\t巷\r\n外 "), answered("3", ""), output="out/result.tsv")
    assert content == "1\t青砖巷\nQ2\t青砖 巷 外\n3\t\n"
    found = read(tmp_path, content, "result.tsv")
    assert found["Q2"] == ("青砖 巷 外",) and not any(found["3"])


def test_lines_of_dureader(tmp_path: Path) -> None:
    content = text(
        answered("500001", "青砖巷外", form="dureader2", kind="DESCRIPTION"),
        answered("2", form="dureader2", kind="ENTITY"),
        answered("q3", form="dureader2", kind="YES_NO", label="Depends"),
        answered("4", "", form="dureader2", kind="ENTITY"),
    )
    assert [json.loads(line) for line in content.splitlines()] == [
        {"question_id": 500001, "question_type": "DESCRIPTION", "answers": ["青砖巷外"], "yesno_answers": [],
         "entity_answers": [[]]},
        {"question_id": 2, "question_type": "ENTITY", "answers": ["青砖巷"], "yesno_answers": [],
         "entity_answers": [["青砖巷"]]},
        {"question_id": "q3", "question_type": "YES_NO", "answers": ["青砖巷"], "yesno_answers": ["Depends"],
         "entity_answers": [[]]},
        {"question_id": 4, "question_type": "ENTITY", "answers": [], "yesno_answers": [], "entity_answers": [[]]},
    ]  # fmt: skip
    path = tmp_path / "result.json"
    path.write_text(content, encoding="utf-8")
    found = read_predictions(path)
    assert found["500001"].answers == ("青砖巷外",) and found["q3"].labels == ("Depends",)
    assert found["2"].entities == (("青砖巷",),) and not any(found["4"].answers)


@pytest.mark.parametrize("question_id", ["007", "１２", "0", "-3", "九"])
def test_an_id_of_dureader_comes_back_as_it_was(tmp_path: Path, question_id: str) -> None:
    assert list(read(tmp_path, text(answered(question_id, form="dureader2", kind="ENTITY")))) == [question_id]


@pytest.mark.parametrize("form", ["squad", "webqa", "dureader2"])
@pytest.mark.parametrize("output", ["result.json", "-", "result.tsv"])
def test_the_best_candidates_a_line(form: str, output: str) -> None:
    content = text(answered("7", form=form, nbest=2), answered("8", "", form=form, nbest=2), output=output)
    first, second = map(json.loads, content.splitlines())
    assert first == {
        "id": "7", "answer": "青砖巷",
        "candidates": [
            {"answer": "青砖巷", "score": 0.4, "probability": 0.7, "passage": 1, "start": 3, "end": 6},
            {"answer": "《云州》\t书\n", "score": 0.2, "probability": 0.5, "passage": 0, "start": 0, "end": 7},
        ],
    }  # fmt: skip
    assert second["answer"] == "" and content.count("\n") == 2
    assert candidates_line(answered("7", nbest=9)).count('"score"') == 3


def test_candidates_are_predictions_too(tmp_path: Path) -> None:
    found = read(tmp_path, text(answered("7", nbest=2), answered("8", "何舟", nbest=2)), "nbest.json")
    assert found == {"7": ("青砖巷",), "8": ("何舟",)}


def test_nothing_is_written_of_nothing() -> None:
    assert text() == text(output="result.tsv") == ""


@given(st.dictionaries(st.text("ab1九-", min_size=1, max_size=4), st.text(max_size=9), min_size=1, max_size=5))
@examples(max_examples=40)
def test_every_answer_comes_back(given_: dict[str, str]) -> None:
    content = text(*(answered(key, answer, form="squad") for key, answer in given_.items()))
    assert json.loads(content) == given_
    lines = text(*(answered(key, answer) for key, answer in given_.items()), output="x.tsv")
    assert [line.split("\t") for line in lines[:-1].split("\n")] == [
        [key, " ".join(answer.split())] for key, answer in given_.items()
    ]
