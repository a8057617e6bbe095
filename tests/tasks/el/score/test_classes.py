"""Classes of errors of mentions: the scorer's own kinds."""

from __future__ import annotations

from ietool.scoring.classes import UNANSWERED
from ietool.tasks.el.data.example import Mention
from ietool.tasks.el.score import judge as j
from ietool.tasks.el.score.classes import MentionClasses
from ietool.tasks.el.score.scorer import score

KEY = ("1", "甲乙丙丁戊己")


def test_classes_are_the_kinds_of_the_scorer() -> None:
    gold = [Mention("甲", 0, "1"), Mention("丙丁", 2, "2"), Mention("己", 5, "NIL"), Mention("戊", 4, "3")]
    found = [Mention("甲", 0, "9"), Mention("丙", 2, "2"), Mention("己", 5, "4"), Mention("乙", 1, "5")]
    outcomes = score({KEY: gold}, {KEY: found}, metric="ccks2019", explain=True, resamples=0).outcomes
    told = MentionClasses()
    names = told.of(outcomes)
    assert [(one.item["mention"], name) for one, name in zip(outcomes, names, strict=True)] == [
        ("甲", j.ENTITY), ("丙", j.BOUNDARY), ("己", j.NIL_IN_GOLD), ("乙", j.NOT_ANNOTATED),
        ("甲", j.ENTITY), ("丙丁", j.BOUNDARY), ("戊", j.NOT_PROPOSED),
    ]  # fmt: skip
    assert {*names} <= set(told.meanings) and told.title(outcomes) == "1"
    unanswered = score({KEY: gold}, {}, metric="ccks2019", explain=True, resamples=0).outcomes
    assert set(told.of(unanswered)) == {UNANSWERED}
