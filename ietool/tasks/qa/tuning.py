"""How sure an answer must be, where some questions have none: found on dev when a training is over."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np

from ietool.scoring.choosing import middle_of_best
from ietool.tasks.qa.data.question import Question, told_apart
from ietool.tasks.qa.heads.voting import Answered
from ietool.tasks.qa.recipe import QaRecipe
from ietool.tasks.qa.score.files import Predicted
from ietool.tasks.qa.score.scorer import metric_of, score

STEPS = 20
"""Thresholds that are tried: so many quantiles of the probabilities, and as many just above those of questions without
an answer, which may be few and very small."""

NO_ANSWER = "no answer"
"""What DuReader's checklist wants where there is none."""


def is_wanted(recipe: QaRecipe, gold: Sequence[Question]) -> bool:
    """Whether there are questions without an answer, and no threshold is given."""
    return recipe.decode.no_answer == 0 and any(question.is_impossible for question in gold)


def find_threshold(recipe: QaRecipe, gold: Sequence[Question], answers: Sequence[Answered]) -> list[str]:
    """``key=value`` settings for ``decode`` that score best on dev.

    Args:
        gold: of dev, some of it without an answer.
        answers: beside it, made without a threshold.
    """
    gold = told_apart(gold)
    metric = metric_of(gold[0]) if recipe.score.metric == "auto" else recipe.score.metric
    none = recipe.decode.none or NO_ANSWER
    sure = np.array([a.candidates[0].probability if a.candidates else 0.0 for a in answers])
    impossible = sure[np.array([bool(question.is_impossible) for question in gold])]
    steps = np.linspace(0, 1, STEPS)
    above = np.nextafter(np.quantile(impossible, steps, method="higher"), 1)
    thresholds = sorted({0.0, *np.quantile(sure, steps).tolist(), *above.tolist()})

    def value(threshold: float) -> float:
        found = {
            question.question_id: Predicted((a.answer if p >= threshold and a.candidates else none,))
            for question, a, p in zip(gold, answers, sure, strict=True)
        }
        report = score(gold, found, metric=metric, resamples=0)
        return float(report.values[report.primary])

    best = middle_of_best(thresholds, [value(threshold) for threshold in thresholds])
    return [f"decode.no_answer={best!r}", f"decode.none={json.dumps(none)}"]
