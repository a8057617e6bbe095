"""The threshold below which there is no answer."""

from __future__ import annotations

import pytest

from ietool.recipe_io import change_recipe
from ietool.tasks.qa import QaTask
from ietool.tasks.qa.data.question import Passage, Question
from ietool.tasks.qa.heads.reader.recipe import ReaderRecipe
from ietool.tasks.qa.heads.voting import AnswerCandidate, Answered

RECIPE = ReaderRecipe(name="qa", task="qa")


def question(number: int, answer: str | None) -> Question:
    text = f"第{number}号展品是青瓷莲花尊。"
    return Question(
        str(number),
        "展品是什么？",
        (Passage(text),),
        (answer,) if answer else (),
        is_impossible=answer is None,
        form="squad",
    )


def answered(number: int, probability: float, answer: str = "青瓷莲花尊") -> Answered:
    return Answered(str(number), "展品是什么？", (AnswerCandidate(answer, probability, probability, 0, 5, 10),), answer)


GOLD = [question(1, "青瓷莲花尊"), question(2, None), question(3, "青瓷莲花尊"), question(4, None)]
ANSWERS = [answered(1, 0.9), answered(2, 0.2), answered(3, 0.6), answered(4, 0.4)]


def test_it_parts_the_answerable_from_the_others() -> None:
    settings = dict(setting.split("=") for setting in QaTask().tune(RECIPE, GOLD, ANSWERS))
    assert 0.4 < float(settings["decode.no_answer"]) <= 0.6
    assert settings["decode.none"] == '"no answer"'


def test_a_very_small_threshold_is_kept() -> None:
    """Questions without an answer may be few, and their probabilities far below what four decimals show."""
    gold = [question(n, None if n < 3 else "青瓷莲花尊") for n in range(100)]
    answers = [answered(n, 1e-7 * (n + 1) if n < 3 else 1e-5 + n / 100) for n in range(100)]
    settings = dict(setting.split("=") for setting in QaTask().tune(RECIPE, gold, answers))
    assert 3e-7 < float(settings["decode.no_answer"]) <= 0.03 + 1e-5
    changed = change_recipe(RECIPE, [f"{key}={value}" for key, value in settings.items()])
    assert QaTask().evaluate(changed, gold, QaTask().retold(changed, answers)).values["f1"] == 1.0
    # Answers are judged as they were given, whatever recipe names the variant: another model may have given them.
    assert QaTask().evaluate(changed, gold, answers).values["f1"] == pytest.approx(0.97)
    assert QaTask().evaluate(RECIPE, gold, answers).values["f1"] == pytest.approx(0.97)


def test_it_is_looked_for_where_questions_have_none_and_no_threshold_is_given() -> None:
    task = QaTask()
    assert task.tunes(RECIPE, GOLD)
    assert not task.tunes(RECIPE, GOLD[::2])
    given = RECIPE.model_copy(deep=True)
    given.decode.no_answer = 0.3
    assert not task.tunes(given, GOLD)


def test_questions_of_several_files_without_ids_are_not_mixed_up() -> None:
    """Each file numbers its own from 1."""
    gold = [Question("1", "谁？", (), (answer,), form="webqa") for answer in ("甲", "乙")]
    said = [Answered("1", "谁？", (), answer) for answer in ("甲", "丙")]
    assert QaTask().evaluate(RECIPE, gold, said).values["accuracy"] == 0.5


def test_what_is_not_answered_has_no_label() -> None:
    """Organisers refuse one."""
    candidate = AnswerCandidate("是", 0.3, 0.3, 0, 0, 1)
    said = [Answered("1", "？", (candidate,), "是", form="dureader2", kind="YES_NO", label="Yes")]
    strict = RECIPE.model_copy(deep=True)
    strict.decode.no_answer = 0.5
    ((told,), (kept,)) = (QaTask().retold(recipe, said) for recipe in (strict, RECIPE))
    assert (told.answer, told.label, kept.answer, kept.label) == ("", "", "是", "Yes")
