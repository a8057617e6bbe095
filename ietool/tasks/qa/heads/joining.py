"""Answers that several models have decided on, as one."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace

from ietool.tasks.qa.heads.voting import Answered
from ietool.text.characters import fold


def items(prediction: Answered) -> dict[Hashable, float]:
    """The answer that is submitted, alike whatever its case and width; nothing where there is none."""
    if not prediction.candidates or prediction.answer != prediction.candidates[0].answer.strip():
        return {}
    return {fold(prediction.answer).strip(): prediction.candidates[0].probability}


def joined(predictions: Sequence[Answered], chosen: Mapping[Hashable, float]) -> Answered:
    """As :meth:`ietool.core.contract.Task.joined` has it: a question has one answer, the most probable one that is
    chosen, in the prediction that is surest of it; where none is, that of a model that has none, or none."""
    best = max(chosen, key=lambda item: chosen[item], default=None)
    having = [p for p in predictions if best is not None and best in items(p)]
    if not having:
        none = next((p for p in predictions if not items(p)), None)
        return replace(predictions[0], candidates=(), answer="", label="") if none is None else none
    return max(having, key=lambda p: p.candidates[0].probability)
