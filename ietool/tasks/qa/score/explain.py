"""What was credited in an answer, in words: the rows of ``--explain``."""

from __future__ import annotations

from ietool.scoring.report import Verdict
from ietool.tasks.qa.data.question import Question
from ietool.tasks.qa.score.judged import UNANSWERED, Judged, Metric


def explain(question: Question, judged: Judged, metric: Metric, *, predicted: bool) -> Verdict:
    """The verdict on one answer: id, question, prediction, the reference that it was credited by, and what of it.

    ``verdict`` is one of ``judged.OUTCOMES``, ``text`` the question.
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
        **{name: round(value, 6) for name, value in judged.measures},
    }
    if judged.group:
        item["kind"] = judged.group
    return Verdict(question.text, judged.outcome, item, rule)
