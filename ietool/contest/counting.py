"""The official measure of many texts, as a stream: only what adds up is kept of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import islice
from typing import Any

import numpy as np

from ietool.core.contract import Task
from ietool.errors import NothingCounts
from ietool.recipe import Recipe
from ietool.recipe_io import change_recipe
from ietool.scoring.report import Counts, Report

CHUNK = 512
"""Texts that are judged at once."""


def judged(
    task: Task[Any],
    recipe: Recipe,
    pairs: Iterable[tuple[Any, Any]],
    told: Callable[[int], None] = lambda done: None,
) -> Report:
    """What :meth:`ietool.core.contract.Task.evaluate` says of texts, without tables, keys and interval.

    Memory grows by the counts of a text alone, unless the columns of counts follow from the labels of gold
    (:meth:`ietool.core.contract.Task.counts_by_label`): then all texts are held until the last has come.

    Args:
        recipe: by whose variant; where it names none, by that which the first texts have.
        pairs: (gold, prediction) of each text; one at least.
        told: how many are judged.

    Raises:
        ValueError: there is no text, or the variant gives no counts by text.
        NothingCounts: none of them counts.
    """
    stream, parts, report = iter(pairs), list[Counts](), None
    done, none = 0, None
    while chunk := list(islice(stream, CHUNK)):
        gold, said = zip(*chunk, strict=True)
        try:
            report = task.evaluate(recipe, gold, said)
            metric = report.metric
            if not parts and task.counts_by_label(metric):
                gold, said = zip(*chunk, *stream, strict=True)
                report = task.evaluate(change_recipe(recipe, [f"score.metric={metric}"]), gold, said)
            if report.counts is None or report.measures is None:
                raise ValueError(f"{metric} gives no counts by text")
            parts.append(report.counts)
        except NothingCounts as error:  # what has no references may stand together
            none, metric = error, error.metric
        # One variant for all, whatever the first text of a later chunk would choose.
        recipe = change_recipe(recipe, [f"score.metric={metric}"])
        done += len(gold)
        told(done)
    if report is None or report.measures is None:
        raise none or ValueError("there is no text to judge")
    counts = np.concatenate(parts)
    values = {name: float(value) for name, value in report.measures(counts.sum(0)).items()}
    return replace(report, values=values, counts=counts, keys=(), tables=(), notes=(), interval=None)
