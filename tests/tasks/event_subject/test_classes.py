"""Classes of errors of subjects."""

from __future__ import annotations

import pytest

from ietool.scoring.classes import UNANSWERED
from ietool.tasks.event_subject.data.example import Example
from ietool.tasks.event_subject.score import classes as c
from ietool.tasks.event_subject.score.scorer import Judged, score


@pytest.mark.parametrize(
    ("gold", "found", "answered", "names"),
    [
        ("甲公司", "甲公司", True, [""]),
        ("甲公司", "甲公", True, [c.BOUNDARY] * 2),
        ("甲公司", "乙", True, [c.ANOTHER] * 2),
        ("", "乙", True, [c.NONE]),
        ("甲公司", "", True, [c.EMPTY]),
        ("甲公司", "", False, [UNANSWERED]),
        ("", "", True, []),
    ],
)
def test_a_record_is_classed_by_its_two_subjects(gold: str, found: str, answered: bool, names: list[str]) -> None:
    example = Example(id="1", text="甲公司与乙", type="重组", subject=gold)
    outcomes = score([Judged(example, found, answered)], metric="ccks2019", explain=True, resamples=0).outcomes
    assert c.SubjectClasses().of(outcomes) == names
