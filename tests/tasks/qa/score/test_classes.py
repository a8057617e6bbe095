"""Classes of errors of answers, by where they stand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ietool.scoring.classes import UNANSWERED
from ietool.tasks.qa.data.question import Passage, Question
from ietool.tasks.qa.score import classes as c
from ietool.tasks.qa.score.files import Predicted
from ietool.tasks.qa.score.scorer import score

PASSAGES = ("远行是王小明的歌，发行于北海。作曲的是李雷。", "海风是韩梅梅的歌。")
CASES = {
    "boundary: one holds the other": ("王小", c.BOUNDARY),
    "boundary: they overlap": ("小明的", c.BOUNDARY),
    "words": ("北海", c.WORDS),
    "sentence": ("李雷", c.SENTENCE),
    "passage": ("韩梅梅", c.PASSAGE),
    "nowhere": ("张三", c.NOWHERE),
    "empty": ("", c.EMPTY),
}


@pytest.mark.parametrize(("answer", "name"), CASES.values(), ids=CASES)
def test_an_answer_is_classed_by_where_it_stands(answer: str, name: str) -> None:
    assert c.where(answer, ["王小明"], PASSAGES) == name


def test_without_passages_only_the_answers_are_compared() -> None:
    assert c.where("李雷", ["王小明"], ()) == c.ANOTHER
    assert c.where("王小", ["王小明"], ()) == c.BOUNDARY
    assert c.where("李雷", [], PASSAGES) == c.TOO_MUCH
    assert c.where("no answer", ["王小明"], PASSAGES) == c.EMPTY


def test_any_accepted_answer_and_the_nearest_place_count() -> None:
    assert c.where("李雷", ["王小明", "作曲的是"], PASSAGES) == c.WORDS
    assert c.where("北海", ["王小明"], ["北海", *PASSAGES]) == c.WORDS


def asked(number: int) -> Question:
    passages = tuple(Passage(text) for text in PASSAGES)
    return Question(str(number), f"第{number}问", passages, ("王小明",), form="webqa")


def test_the_outcomes_of_a_report_get_the_stretches_of_their_passages(tmp_path: Path) -> None:
    questions = [asked(n) for n in range(4)]
    given = {"0": Predicted(("王小明",)), "1": Predicted(("韩梅梅",)), "2": Predicted(("",))}
    report = score(questions, given, metric="sogouqa", explain=True, resamples=0)
    told = c.AnswerClasses(lambda: questions)
    told.study(report.outcomes)
    assert told.of(report.outcomes) == ["", c.PASSAGE, c.EMPTY, UNANSWERED]
    text = told.text(report.outcomes[1:2])
    assert text == "\n".join(PASSAGES)
    (gold, wanted), (found, judged) = (
        told.gold_spans(report.outcomes[1:2], text)[0],
        told.found_spans(report.outcomes[1:2], text)[0],
    )
    assert (text[gold[1] : gold[2]], wanted) == ("王小明", "missed")
    assert (text[found[1] : found[2]], judged) == ("韩梅梅", "spurious")
    huge = {"id": 3, "answer": "甲", "candidates": [{"answer": "甲", "probability": 10**400}]}
    lines = [{"id": 1, "answer": "韩梅梅", "candidates": [{"answer": "韩梅梅 ", "probability": 0.7}]}, huge, {"id": 2}]
    (tmp_path / "nbest").write_text("\n".join(map(json.dumps, lines)), "utf-8")
    assert told.chances_in(tmp_path / "nbest", report.outcomes) == {("1", "第1问"): {"韩梅梅": 0.7}}
    assert told.item(report.outcomes[1]) == "韩梅梅"


def test_stretches_are_cut_out_of_long_passages() -> None:
    passage = "长" * 500 + "王小明" + "文" * 500
    text = c.excerpt(["王小明", "无"], [passage])
    assert len(text) < 250 and text.startswith("…长") and text.endswith("文…") and "王小明" in text
