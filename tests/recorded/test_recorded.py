"""What was recorded still holds: batches and losses, trainings, old run folders, submissions, scores."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.recorded import flows
from tests.recorded.plain import INTERVAL, differences
from tests.recorded.record import expected_of
from tests.recorded.settings import OTHER_MODELS

SHOWN = 12
"""Differences that a failing test tells of."""


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """``work("ske")``: the working folder of a recipe with its files, made once."""
    made: dict[str, Path] = {}

    def folder(name: str) -> Path:
        if name not in made:
            made[name] = tmp_path_factory.mktemp(name)
            flows.make_data(name, made[name])
        return made[name]

    return folder


def same(name: str, station: str, found: Any) -> None:
    """Fail with the first differences from what was recorded."""
    recorded = json.loads(expected_of(name).read_text(encoding="utf-8"))[station]
    lines = [line for line in differences(recorded, flows.recorded(found), station) if not drawn_anew(name, line)]
    more = f"\n… and {len(lines) - SHOWN} more" if len(lines) > SHOWN else ""
    assert not lines, "\n".join(["", *lines[:SHOWN]]) + more


def drawn_anew(name: str, line: str) -> bool:
    """Whether a line tells of an interval that was drawn in a way of its own when this was recorded: answers and means
    over types are now drawn as all others are. What they are drawn from is compared."""
    at = line.partition(": ")[0]
    return bool(INTERVAL.search(at)) and (flows.FLOWS[name].task == "qa" or "cluener" in at)


recipes = pytest.mark.parametrize("name", list(flows.FLOWS))


@recipes
def test_preparation_and_the_first_steps(name: str, work: Callable[[str], Path]) -> None:
    same(name, "first_steps", flows.first_steps(name, work(name)))


@pytest.mark.parametrize("name", sorted({flow for flow, _ in OTHER_MODELS.values()}))
def test_the_first_steps_of_other_models(name: str, work: Callable[[str], Path]) -> None:
    same(name, "other_models", flows.other_models(name, work(name)))


@recipes
def test_a_short_training(name: str, work: Callable[[str], Path]) -> None:
    same(name, "short_training", flows.short_training(name, work(name)))


@recipes
def test_an_old_run_finds_the_same(name: str, work: Callable[[str], Path]) -> None:
    same(name, "predictions", flows.predictions(name, work(name)))


@recipes
def test_an_old_run_writes_the_same_and_scores_the_same(name: str, work: Callable[[str], Path]) -> None:
    same(name, "submissions", flows.digests(flows.submissions(name, work(name))))
    same(name, "scores", flows.scores(name, work(name)))
