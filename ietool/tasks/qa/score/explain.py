"""What was credited in an answer, in words: the rows of ``--explain``."""

from __future__ import annotations

from ietool.scoring.report import Outcome
from ietool.tasks.qa.data.question import Question
from ietool.tasks.qa.score.judged import PARTLY, RIGHT, UNANSWERED, WRONG, Judged, Metric

_VERDICTS = {RIGHT: "right", PARTLY: "spurious", WRONG: "spurious", UNANSWERED: "missed"}


def explain(question: Question, judged: Judged, metric: Metric, *, predicted: bool) -> Outcome:
    """The verdict on one answer: id, question, prediction, the reference that it was credited by, and what of it.

    ``outcome`` among its fields is one of ``judged.OUTCOMES``: an answer that was credited in part is ``spurious``, one
    that was not given ``missed``. The text is the question.
    """
    credited, rule = metric.credit(judged)
    if judged.outcome == UNANSWERED:
        rule = ("an empty answer" if predicted else "the question has no prediction") + f"; {rule}"
    item: dict[str, object] = {
        "id": question.question_id,
        "question": question.text,
        "prediction": judged.prediction,
        "reference": judged.reference,
        "credited": credited,
        "outcome": judged.outcome,
        **{name: round(value, 6) for name, value in judged.measures},
    }
    if judged.group:
        item["kind"] = judged.group
    return Outcome(key_of(question), question.text, _VERDICTS[judged.outcome], rule, item)


def key_of(question: Question) -> tuple[str, str]:
    """By what questions are told apart: id and text."""
    return question.question_id, question.text
