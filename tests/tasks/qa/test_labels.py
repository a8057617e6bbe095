"""Answers as labels: of every form they are read item by item, and compared with what models say."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ietool.core.candidates import Candidates
from ietool.core.labelled import ANSWER, BOUNDARY
from ietool.errors import UserError
from ietool.recipe_io import load_recipe
from ietool.tasks.qa.data.answers import UNKNOWN, Answer, answers_of, places_of
from ietool.tasks.qa.data.question import Question
from ietool.tasks.qa.data.reading import load_questions
from ietool.tasks.qa.heads.reader.decode import open_decoder
from ietool.tasks.qa.labels import AnswerLabels
from tests.tasks.qa.made import dump

QUICK = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def labels_of(*changes: str) -> AnswerLabels:
    recipe = load_recipe("qa", list(changes))
    return AnswerLabels(Path(), recipe, open_decoder(recipe, Path()))  # type: ignore[arg-type]


LABELS = labels_of()


WEBQA: list[dict[str, Any]] = [
    {"id": "a", "question": "谁？", "extra": {"x": 1.5}, "golden_answers": ["林满", "Ada"],
     "passages": [{"passage": " ", "answer": ""}, {"passage": "林满和ADA和何舟", "answer": ["林满", "Ada"], "url": "u"},
                  {"passage": "何舟在山中", "answer": "no_answer"}]},
    {"question": "哪里？", "passages": ["云州", "雨山"], "answer": "云州"},
    {"question": "何时？", "passages": [{"passage": "昨天", "answer": "昨天"}]},
]  # fmt: skip
"""Of a passage without text, of references without marks, of a question without an id and references."""


SQUAD: dict[str, Any] = {
    "version": "v1", "data": [
        {"title": "t", "id": 7, "paragraphs": [
            {"context": "云州在云州的北边", "qas": [
                {"id": 1, "question": "哪里？", "tip": None,
                 "answers": [{"text": "云州", "answer_start": 3, "id": "x"}]},
                {"id": "2", "question": "哪里？", "is_impossible": True, "answers": [{"text": "", "answer_start": -1}]},
                {"id": "3", "question": "哪边？", "is_impossible": False,
                 "answers": {"text": ["北边", "北边"], "answer_start": [6, 6]}}]},
            {"context": "空", "qas": []}]},
        {"title": "u", "paragraphs": []}],
    "more": [1, {"a": "b"}]}  # fmt: skip
"""The same question twice; an answer that stands twice, whose place is told; a hub's columns."""


def rows_of(question: Question, value: float = 0.5) -> Candidates:
    """Gold as it was asked, all places alike."""
    rows = np.array(LABELS.rows(question), np.int32).reshape(-1, 3)
    return Candidates(rows, np.full((len(rows), 2), value, np.float32), np.zeros(3, np.float32))


TEXTS = st.text("云州山aA，", min_size=1, max_size=8)


@QUICK
@given(st.lists(TEXTS, min_size=1, max_size=3), st.data())
def test_gold_is_asked_at_every_place(tmp_path: Path, texts: list[str], data: st.DataObject) -> None:
    """Held against a literal search, whatever the form."""
    answers = [data.draw(st.one_of(st.just(""), TEXTS), label="answer") for _ in texts]
    passages = [{"passage": text, "answer": answer} for text, answer in zip(texts, answers, strict=True)]
    file = dump(tmp_path / "x.json", [{"id": "1", "question": "？", "passages": passages}])
    (question,) = load_questions(file)
    wanted = {
        (n, at, at + len(answer.strip()))
        for n, (text, answer) in enumerate(zip(texts, answers, strict=True))
        for at in range(len(text))
        if answer.strip() and text.lower().startswith(answer.strip().lower(), at)
    }
    assert set(map(tuple, LABELS.rows(question))) == wanted
    gold = LABELS.gold(question)
    stands = [any(n == a.passage for n, _, _ in wanted) for a in gold]
    assert LABELS.asked(question, rows_of(question), gold) == stands
    # Starts share one choice, and ends do: of a string that stands twice they are added up.
    counts = [sum(n == a.passage for n, _, _ in wanted) for a in gold]
    scores = [min(1.0, 0.5 * count) ** 2 for count in counts]
    assert LABELS.scores(question, rows_of(question), gold) == scores
    focal = labels_of("model.head.loss=focal")
    assert focal.scores(question, rows_of(question), gold) == [0.25 if one else 0.0 for one in stands]
    for answer, one in zip(gold, stands, strict=True):
        assert LABELS.item_of(question, LABELS.plain(question, answer)) == answer
        shown, places = LABELS.shown(question, [answer])
        assert shown == f"？\n{texts[answer.passage]}"
        assert [shown[a:b].lower() == answer.text.lower() for a, b in places] == [True] * len(places)
        assert bool(places) == one


def found(*rows: tuple[int, int, int, float]) -> Candidates:
    """Candidates of a reader: passage, start, end, and the probability of both ends."""
    places = np.array([row[:3] for row in rows], np.int32).reshape(-1, 3)
    parts = np.array([[p, p] for *_, p in rows], np.float32).reshape(-1, 2)
    return Candidates(places, parts, np.zeros(3, np.float32))


def said(question: Question, some: Candidates, labels: AnswerLabels = LABELS) -> list[Answer]:
    decode = labels.recipe.decode
    return list(labels.said(question, some, labels.decoder.decode(question, some, decode), decode))


def test_each_passage_is_answered_for_itself(tmp_path: Path) -> None:
    file = dump(tmp_path / "x.json", WEBQA)
    first, second, third = load_questions(file)
    # Of two answers of a passage either will do, and then neither is contradicted.
    assert said(first, found((0, 3, 6, 0.4), (0, 0, 2, 0.3))) == [Answer("林满", 0), Answer("Ada", 0)]
    assert said(first, found((0, 7, 9, 0.3), (0, 0, 2, 0.2))) == [Answer("何舟", 0)]
    # In a passage that does not answer a span must be sure; .7 · .7 is not.
    assert said(first, found((1, 0, 2, 0.8))) == [Answer("何舟", 1)] and not said(first, found((1, 0, 2, 0.7)))
    # Each place of a string is .4 · .4 and another is .5 · .5: but it starts and ends somewhere with .8.
    twice = next(load_questions(dump(tmp_path / "twice.json", SQUAD["data"][0]["paragraphs"])))
    some = found((0, 0, 2, 0.4), (0, 3, 5, 0.4), (0, 6, 8, 0.5))
    assert said(twice, some) == [Answer("北边", 0, 6)]  # of told places each is by itself
    untold = replace(twice, passages=(replace(twice.passages[0], starts=(-1,)),))
    assert said(untold, some) == [Answer("云州", 0)]
    # Where the file tells no passage, the question has one answer.
    assert said(second, found((0, 0, 2, 0.1), (1, 0, 2, 0.4))) == [Answer("雨山")]
    # One that is less sure than decode.no_answer is none; one that is too long cannot be given.
    assert not said(third, found((0, 0, 2, 0.4)), labels_of("decode.no_answer=0.2"))
    assert said(third, found((0, 0, 2, 0.4), (0, 0, 1, 0.3)), labels_of("decode.longest=1")) == [Answer("昨", 0)]
    file = dump(tmp_path / "x.json", SQUAD)
    one, none, _ = load_questions(file)
    assert said(one, found((0, 0, 2, 0.3))) == [Answer("云州", 0, 0)] != LABELS.gold(one)
    assert said(one, found((0, 3, 5, 0.3))) == LABELS.gold(one)
    assert not said(none, found((0, 3, 5, 0.3))) and said(none, found((0, 3, 5, 0.9))) == [Answer("云州", 0, 3)]


def test_what_is_wrong_with_an_answer() -> None:
    for start in (UNKNOWN, 4):
        gold = Answer("三百米", 0, start)
        assert LABELS.differs(gold, Answer("百米", 0, UNKNOWN if start < 0 else 5)) == BOUNDARY
        assert LABELS.differs(gold, Answer("九十米", 0, UNKNOWN if start < 0 else 9)) == ANSWER
        assert LABELS.differs(gold, Answer("三百米", 1, start)) == ""
    assert LABELS.differs(Answer("三百米", 0, 4), Answer("三百米", 0, 9)) == ANSWER
    assert LABELS.differs(Answer("三百米"), Answer("约三百米")) == BOUNDARY


@pytest.mark.parametrize(
    ("plain", "said"),
    [
        ({"answer": " ", "passage": 0}, "answer: is missing, empty or no string"),
        ({"answer": "云州"}, "passage: is missing"),
        ({"answer": "云州", "passage": True}, "passage: True is none of 1"),
        ({"answer": "云州", "passage": 1}, "passage: 1 is none of 1, which count from 0"),
        ({"answer": "山", "passage": 0}, "answer: '山' does not stand in passage 0"),
        ({"answer": "云州", "passage": 0}, "start: None is not where '云州' stands, which is at 0, 3"),
        ({"answer": "云州", "passage": 0, "start": 1}, "start: 1 is not where"),
    ],
)
def test_a_cell_that_is_no_answer_is_told(tmp_path: Path, plain: dict[str, Any], said: str) -> None:
    question = next(load_questions(dump(tmp_path / "x.json", SQUAD)))
    with pytest.raises(ValueError, match=said):
        LABELS.item_of(question, plain)
    assert LABELS.item_of(question, {"answer": "云州", "passage": 0, "start": 0}) == Answer("云州", 0, 0)
    assert LABELS.item_of(question, {"answer": "北边", "passage": 0}) == Answer("北边", 0, 6)


def test_halves_of_dureader_keep_their_names(tmp_path: Path) -> None:
    files = {"train": tmp_path / "search.train.json", "train+zhidao": tmp_path / "zhidao.train.json"}
    assert LABELS.outputs(files) == {"train": "search.train.json", "train+zhidao": "zhidao.train.json"}
    assert LABELS.outputs({"train": tmp_path / "x.json.gz"}) == {"train": "train.json"}
    own, other = dump(tmp_path / "own.json", WEBQA[:1]), dump(tmp_path / "more.json", WEBQA[1:])
    assert all(map(LABELS.owned([own]), load_questions(other)))
    owned = labels_of(f"data.more=[{other}]").owned([own])
    assert all(map(owned, load_questions(own))) and not any(map(owned, load_questions(other)))


def test_places_are_those_of_the_text(tmp_path: Path) -> None:
    question = next(load_questions(dump(tmp_path / "x.json", SQUAD)))
    assert list(places_of(question, Answer("云州"))) == [(0, 0, 2), (0, 3, 5)]
    assert list(places_of(question, answers_of(question)[0])) == [(0, 3, 5)]


def test_a_passage_that_holds_the_answer_is_not_said_to_have_none(tmp_path: Path) -> None:
    """It may have voted for it."""
    passages = ["何舟写了AB书", "作者何舟", "西游"]
    record = {"id": "1", "question": "？", "passages": passages, "golden_answers": ["何舟"]}
    (question,) = load_questions(dump(tmp_path / "x.json", [record]))
    for answer, told in ((Answer("何舟", 1, 2), ["何舟", "何舟", "no_answer"]),
                         (Answer("ab", 1, 2), ["AB", "ab", "no_answer"])):  # fmt: skip
        line = json.loads(LABELS.written(question, [answer]))
        assert [passage["answer"] for passage in line["passages"]] == told


def test_what_is_distilled_is_a_list_of_questions(tmp_path: Path) -> None:
    """The best span alone, as it stands; where it is not submitted, no passage answers."""
    file = dump(tmp_path / "x.json", [{"id": "1", "question": "？", "passages": ["云州", "在 雨山"], "answer": "雨山"}])
    (question,) = load_questions(file)
    decode = LABELS.recipe.decode
    some = found((1, 1, 4, 0.8), (0, 0, 2, 0.7))
    ((answer, p),) = LABELS.found(LABELS.decoder.decode(question, some, decode))
    assert p == pytest.approx(0.64) and LABELS.doubt(some) == pytest.approx(0.36)
    assert LABELS.plain(question, answer) == {"answer": " 雨山", "passage": 1, "start": 1}
    passages = [{"passage": "云州", "answer": "no_answer"}, {"passage": "在 雨山", "answer": " 雨山"}]
    line = {"id": "1", "question": "？", "golden_answers": [" 雨山"], "passages": passages}
    assert json.loads(LABELS.written(question, [answer])) == line
    strict = decode.model_copy(update={"no_answer": 0.9})
    assert LABELS.found(LABELS.decoder.decode(question, some, strict)) == []
    with pytest.raises(UserError, match="gold of answers is hard"):
        LABELS.soft(question, some, None, 0.1)
