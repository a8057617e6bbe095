"""Queries that several models have decided on, as one."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace

from ietool.tasks.nl2sql.heads.sketch.decode import Answered, Ranked, key_of


def items(prediction: Answered) -> dict[Hashable, float]:
    """The query that is predicted: alike in predictions that say the same."""
    return {key_of(prediction.query): prediction.probability}


def joined(predictions: Sequence[Answered], chosen: Mapping[Hashable, float]) -> Answered:
    """As :meth:`ietool.core.contract.Task.joined` has it: a question has one query, the most probable one that is
    chosen. Where none is, that of the model that is surest of its own, since a query is wanted of each question."""
    best = max(chosen, key=lambda item: chosen[item], default=None)
    having = [p for p in predictions if best is not None and key_of(p.query) == best]
    first = max(having or predictions, key=lambda p: p.probability)
    probability = first.probability if best is None or not having else chosen[best]
    return replace(first, queries=(Ranked(first.query, probability),), chosen=0, passed={})
