"""Classes of errors of queries: their parts."""

from __future__ import annotations

import pytest

from ietool.scoring.classes import UNANSWERED
from ietool.tasks.nl2sql.data.example import Condition, Query
from ietool.tasks.nl2sql.score import classes as c
from ietool.tasks.nl2sql.score.scorer import score

GOLD = Query((0,), (0,), 0, (Condition(1, 2, "甲"),))
CASES = {
    "right": (GOLD, set()),
    "aggregate": (Query((0,), (1,), 0, GOLD.conditions), {"wrong aggregate"}),
    "connector": (Query((0,), (0,), 1, GOLD.conditions), {"wrong connector"}),
    "column": (Query((2,), (0,), 0, GOLD.conditions), {"wrong selected column"}),
    "value": (Query((0,), (0,), 0, (Condition(1, 2, "乙"),)), {"wrong value"}),
    "operator": (Query((0,), (0,), 0, (Condition(1, 0, "甲"),)), {"wrong operator"}),
    "condition": (Query((0,), (0,), 0, (Condition(2, 2, "甲"),)), {c.MORE, c.LESS}),
    "nothing": (None, {UNANSWERED}),
}


@pytest.mark.parametrize(("given", "names"), CASES.values(), ids=CASES)
def test_a_query_has_the_classes_of_its_wrong_parts(given: Query | None, names: set[str]) -> None:
    report = score([GOLD], [given], tables=None, metric="logical", questions=["问"], explain=True, resamples=0)
    told = c.QueryClasses()
    assert {name for name in told.of(report.outcomes) if name} == names
    assert names - {UNANSWERED} <= set(told.meanings)
    assert all(told.words(one) for one in report.outcomes)
