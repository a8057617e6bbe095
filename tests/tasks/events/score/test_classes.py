"""Classes of errors of arguments."""

from __future__ import annotations

import pytest

from ietool.scoring.classes import UNANSWERED
from ietool.tasks.events.score import classes as c
from ietool.tasks.events.score.judge import Told
from ietool.tasks.events.score.scorer import score

GOLD = {("收购", "收购方"): {"甲公司": ()}, ("收购", "时间"): {"昨日": ()}}
CASES = {
    "boundary": (("收购", "收购方", "甲公"), c.BOUNDARY),
    "role": (("收购", "被收购方", "甲公司"), c.ROLE),
    "type": (("解散", "主体", "甲公司"), c.TYPE),
    "another": (("收购", "收购方", "乙"), c.ANOTHER),
    "nothing": (("收购", "地点", "北海"), c.NOTHING),
    "event": (("解散", "主体", "乙"), c.EVENT),
}


@pytest.mark.parametrize(("found", "name"), CASES.values(), ids=CASES)
def test_predictions_are_classed_by_what_gold_has(found: tuple[str, str, str], name: str) -> None:
    told = Told("甲公司昨日", {found[:2]: {found[2]: ()}})
    outcomes = score([Told("甲公司昨日", GOLD)], [told], metric="exact", explain=True, resamples=0).outcomes
    names = c.ArgumentClasses().of(outcomes)
    assert [name for one, name in zip(outcomes, names, strict=True) if one.verdict == "spurious"] == [name]


def test_missed_arguments_and_those_right_in_part() -> None:
    told = Told("甲公司昨日", {("收购", "收购方"): {"甲公": ()}})
    outcomes = score([Told("甲公司昨日", GOLD)], [told], metric="duee1", explain=True, resamples=0).outcomes
    assert c.ArgumentClasses().of(outcomes) == [c.PARTLY, c.NOTHING]
    empty = score([Told("甲公司昨日", GOLD)], [Told("")], metric="duee1", explain=True, resamples=0, unanswered={0})
    assert c.ArgumentClasses().of(empty.outcomes) == [UNANSWERED, UNANSWERED]
