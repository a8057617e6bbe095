"""The reading corpus: made by its generator, sound, and not to be had by looking up or by position."""

from __future__ import annotations

import json
import subprocess
import sys
import unicodedata
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import pytest

DATA = Path(__file__).resolve().parents[2] / "data"
FILES = ["train.json", "dev.json", "test.json", "squad.json", "dureader2.jsonl"]
SPLITS = ["train", "dev", "test"]

Row = dict[str, Any]


@cache
def split(name: str) -> list[Row]:
    return json.loads((DATA / "qa" / f"{name}.json").read_text(encoding="utf-8"))  # type: ignore[no-any-return]


def texts(name: str) -> list[str]:
    return [passage["passage"] for row in split(name) for passage in row["passages"]]


@cache
def subjects() -> dict[str, list[str]]:
    """What each question is about: the generator knows."""
    code = "import sys, json; sys.path.insert(0, sys.argv[1]); import generate; print(json.dumps(generate.subjects()))"
    run = subprocess.run([sys.executable, "-c", code, DATA / "qa"], check=True, capture_output=True, text=True)
    return json.loads(run.stdout)  # type: ignore[no-any-return]


@cache
def squad() -> Row:
    return json.loads((DATA / "qa" / "squad.json").read_text(encoding="utf-8"))  # type: ignore[no-any-return]


@cache
def dureader() -> list[Row]:
    return [json.loads(line) for line in (DATA / "qa" / "dureader2.jsonl").read_text(encoding="utf-8").splitlines()]


def right(rows: list[Row], found: list[str]) -> float:
    return sum(answer in row["golden_answers"] for row, answer in zip(rows, found, strict=True)) / len(rows)


def test_the_generator_writes_the_same_bytes(tmp_path: Path) -> None:
    """So no line of the files comes from elsewhere: what writes them reads nothing."""
    subprocess.run([sys.executable, DATA / "qa" / "generate.py", tmp_path], check=True)
    assert sorted(path.name for path in (tmp_path / "qa").iterdir()) == sorted(FILES)
    for name in FILES:
        assert (tmp_path / "qa" / name).read_bytes() == (DATA / "qa" / name).read_bytes(), name


def test_the_generator_reads_no_file() -> None:
    for path in (DATA / "qa").glob("*.py"):
        source = path.read_text(encoding="utf-8")
        assert not any(word in source for word in ("open(", "read_text", "read_bytes", "urllib", "http")), path.name


def test_size() -> None:
    assert {name: len(split(name)) for name in SPLITS} == {"train": 1100, "dev": 200, "test": 200}
    files = list((DATA / "qa").iterdir())
    assert sum(path.stat().st_size for path in files if path.is_file()) < 1_500_000
    assert all(2_000 <= path.stat().st_size <= 15_000 for path in files if path.suffix == ".py")
    for name in SPLITS:
        assert all(3 <= len(row["passages"]) <= 6 for row in split(name))
        assert all(20 <= len(text) <= 120 for text in texts(name))


def test_ids_are_unique_and_the_form_is_that_of_webqa() -> None:
    rows = [row for name in SPLITS for row in split(name)]
    assert len({row["id"] for row in rows}) == len(rows)
    for row in rows:
        assert list(row) == ["id", "question", "passages", "golden_answers"]
        assert all(list(passage) == ["passage", "answer"] for passage in row["passages"])


@pytest.mark.parametrize("name", SPLITS)
def test_answers_stand_in_the_passages_that_answer_and_in_no_other(name: str) -> None:
    for row in split(name):
        gold = row["golden_answers"]
        assert gold and len(set(gold)) == len(gold)
        assert all(1 <= len(answer) <= 12 and answer not in row["question"] for answer in gold), row
        for passage in row["passages"]:
            assert passage["answer"] in [*gold, ""]
            assert any(answer in passage["passage"] for answer in gold) == bool(passage["answer"]), row
            assert passage["answer"] in passage["passage"]
        told = [passage["passage"] for passage in row["passages"] if passage["answer"]]
        assert told and all(any(answer in text for text in told) for answer in gold), row


@pytest.mark.parametrize("name", SPLITS)
def test_some_passages_mislead_and_some_questions_have_several_answers(name: str) -> None:
    rows = split(name)
    passages = [passage for row in rows for passage in row["passages"]]
    assert 0.3 < sum(bool(passage["answer"]) for passage in passages) / len(passages) < 0.45
    assert 0.03 < sum(len(row["golden_answers"]) > 1 for row in rows) / len(rows) < 0.15
    assert {len(answer) for row in rows for answer in row["golden_answers"]} >= {2, 3, 4, 5, 6, 9, 10}
    assert any(len(answer) == 1 for row in split("train") for answer in row["golden_answers"])


def test_no_question_and_no_passage_is_in_two_splits() -> None:
    """A few short passages come twice within a split, when two questions are about one thing."""
    asked = [{row["question"] for row in split(name)} for name in SPLITS]
    told = [set(texts(name)) for name in SPLITS]
    for first in range(3):
        for second in range(first):
            assert not asked[first] & asked[second]
            assert not told[first] & told[second]


@pytest.mark.parametrize("name", ["dev", "test"])
def test_names_are_new(name: str) -> None:
    train = "\n".join([*texts("train"), *(row["question"] for row in split("train"))])
    assert sum(subject not in train for subject in subjects()[name]) / len(split(name)) > 0.8
    answers = [row["golden_answers"][0] for row in split(name)]
    people = [
        answer for answer in answers if not any(unicodedata.category(c)[0] == "N" for c in answer) and len(answer) > 2
    ]
    assert sum(answer not in train for answer in people) / len(people) > 0.7


def test_some_phrasings_are_only_in_the_test_file() -> None:
    for phrase in ("由谁执导", "个子多高", "何时成立", "师从谁", "由谁任"):
        assert not any(phrase in row["question"] for name in ("train", "dev") for row in split(name)), phrase
    assert any("何时" in row["question"] or "由谁" in row["question"] for row in split("test"))


@pytest.mark.parametrize("name", ["dev", "test"])
def test_neither_place_nor_known_answers_tell(name: str) -> None:
    rows = split(name)
    first = sum(bool(row["passages"][0]["answer"]) for row in rows) / len(rows)
    assert 0.3 < first < 0.5
    quarters = Counter(
        4 * passage["passage"].find(passage["answer"]) // len(passage["passage"])
        for row in rows
        for passage in row["passages"]
        if passage["answer"]
    )
    assert min(quarters[n] for n in range(4)) > 0.15 * quarters.total()
    known = Counter(answer for row in split("train") for answer in row["golden_answers"])

    def guess(row: Row) -> str:
        text = "\n".join(passage["passage"] for passage in row["passages"])
        return max((answer for answer in known if answer in text), key=lambda a: (known[a], len(a)), default="")

    assert right(rows, [guess(row) for row in rows]) < 0.12


@pytest.mark.parametrize("name", ["dev", "test"])
def test_what_follows_the_words_of_the_question_is_mostly_not_the_answer(name: str) -> None:
    def guess(row: Row) -> str:
        pairs = {row["question"][i : i + 2] for i in range(len(row["question"]) - 1)}
        best = max((p["passage"] for p in row["passages"]), key=lambda t: sum(pair in t for pair in pairs))
        ends = [i + 2 for i in range(len(best) - 1) if best[i : i + 2] in pairs]
        rest = best[max(ends, default=0) :].lstrip("是为在由于：《》的叫 ")
        return rest[: next((i for i, c in enumerate(rest) if c in "，。；：、《》 ？…"), len(rest))]

    assert right(split(name), [guess(row) for row in split(name)]) < 0.25


def test_the_squad_file() -> None:
    contexts = [paragraph for article in squad()["data"] for paragraph in article["paragraphs"]]
    asked = [(paragraph["context"], qa) for paragraph in contexts for qa in paragraph["qas"]]
    assert len(asked) == 30 == len({qa["id"] for _, qa in asked})
    assert sum(qa["is_impossible"] for _, qa in asked) == 7
    assert any(len(qa["answers"]) > 1 for _, qa in asked)
    for context, qa in asked:
        assert qa["is_impossible"] != bool(qa["answers"])
        for answer in qa["answers"]:
            assert context[answer["answer_start"] :].startswith(answer["text"]) and answer["text"]


def test_the_dureader_file() -> None:
    rows = dureader()
    assert Counter(row["question_type"] for row in rows) == {"DESCRIPTION": 8, "ENTITY": 7, "YES_NO": 5}
    assert len({row["question_id"] for row in rows}) == 20
    assert {label for row in rows for label in row.get("yesno_answers", [])} == {"Yes", "No", "Depends"}
    assert sum(len(row["answers"]) > 1 for row in rows) >= 15
    pages = [page for row in rows for page in row["documents"]]
    assert {page["is_selected"] for page in pages} == {True, False}
    html = "".join(paragraph for page in pages for paragraph in page["paragraphs"])
    assert all(tag in html for tag in ("<p>", "<br />", "<li>", "&nbsp;"))
    for row in rows:
        assert ("yesno_answers" in row) == (row["question_type"] == "YES_NO")
        assert ("entity_answers" in row) == (row["question_type"] == "ENTITY")
        assert all(
            len(row.get(key, row["answers"])) == len(row["answers"]) for key in ("yesno_answers", "entity_answers")
        )
        told = "".join(p for page in row["documents"] for p in page["paragraphs"]).replace("<br />", "")
        assert all(answer in told.replace("<li>", "").replace("</li>", "") for answer in row["answers"]), row
