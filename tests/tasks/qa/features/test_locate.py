"""Where answers stand, with and without a position."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ietool.tasks.qa.data.question import Passage, Question
from ietool.tasks.qa.features.locate import annotated, best_of, locate
from ietool.text.characters import fold

TEXT = "林满在云州写了《青砖巷》，林满后来离开云州。"


@pytest.mark.parametrize(
    "answer, start, spans, repaired",
    [
        ("林满", 0, [(0, 2)], 0),
        ("林满", 13, [(13, 15)], 0),
        ("林满", -1, [(0, 2), (13, 15)], 0),  # unknown: wherever it stands
        ("林满", 12, [(13, 15)], 1),  # wrong: the nearest one
        ("林满", 3, [(0, 2)], 1),
        ("林满", 99_999, [(13, 15)], 1),  # behind the passage
        (" 林满 ", -1, [(0, 2), (13, 15)], 0),
        ("何舟", 4, [], 0),
        ("何舟", -1, [], 0),
        ("", 0, [], 0),
        (" \n", 3, [], 0),
        (TEXT, 0, [(0, len(TEXT))], 0),
        (TEXT + "完", -1, [], 0),
    ],
)
def test_one_answer(answer: str, start: int, spans: list[tuple[int, int]], repaired: int) -> None:
    assert locate(Passage(TEXT, (answer,), (start,))) == (spans, repaired)


def test_several_answers_are_located_together_and_once() -> None:
    passage = Passage(TEXT, ("云州", "林满", "云州写", "林满"), (-1, 0, 3, 0))
    assert locate(passage) == ([(0, 2), (3, 5), (3, 6), (19, 21)], 0)
    assert locate(Passage(TEXT)) == ([], 0)


def test_letters_are_found_in_either_case() -> None:
    passage = Passage("iPhone与IPHONE", ("iphone", "Iphone"), (-1, 7))
    assert locate(passage)[0] == [(0, 6), (7, 13)]


def test_a_position_that_counts_blanks_of_the_answer_is_right() -> None:
    assert locate(Passage("写了 青砖巷 ，", (" 青砖巷 ",), (2,))) == ([(3, 6)], 0)
    assert locate(Passage("青砖巷，写了 青砖巷 ，", (" 青砖巷 ",), (6,))) == ([(7, 10)], 0)


def test_overlapping_places_all_count() -> None:
    assert locate(Passage("哈哈哈哈", ("哈哈",), (-1,)))[0] == [(0, 2), (1, 3), (2, 4)]


@given(st.text("ab 青A", max_size=30), st.text("ab 青A", min_size=1, max_size=3), st.integers(-1, 40))
def test_spans_are_the_answer(text: str, answer: str, start: int) -> None:
    spans, repaired = locate(Passage(text, (answer,), (start,)))
    wanted = fold(answer.strip())
    assert all(fold(text[a:b]) == wanted for a, b in spans)
    everywhere = [a for a in range(len(text)) if wanted and fold(text).startswith(wanted, a)]
    assert {a for a, _ in spans} <= set(everywhere)
    assert bool(spans) == bool(everywhere)
    if start < 0:
        assert [a for a, _ in spans] == everywhere and not repaired
    elif answer.strip() and text.startswith(answer, start):
        assert len(spans) == 1 and not repaired
        assert start <= spans[0][0] <= start + len(answer)


def test_references_count_wherever_they_stand_if_no_passage_is_marked() -> None:
    bare = (Passage("云州的林满"), Passage("何舟"), Passage("林满林满"))
    found = annotated(Question("1", "谁？", bare, ("林满", "无此人")))
    assert [locate(passage)[0] for passage in found] == [[(3, 5)], [], [(0, 2), (2, 4)]]
    marked = (*bare[:2], Passage("林满林满", ("林满",), (2,)))
    assert annotated(Question("1", "谁？", marked, ("林满",))) == marked
    assert annotated(Question("1", "谁？", bare, ("林满",), is_impossible=True)) == bare


def test_best_of_keeps_what_an_answer_can_be() -> None:
    assert best_of([(0, 2), (3, 9), (5, 8)], 3) == [(0, 2), (5, 8)]
