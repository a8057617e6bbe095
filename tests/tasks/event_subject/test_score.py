"""The scorer against literal loops over the rules, and how files are paired and checked."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ietool.core.checking import Check
from ietool.errors import UserError
from ietool.tasks.event_subject.data.example import Example
from ietool.tasks.event_subject.score.checking import check
from ietool.tasks.event_subject.score.scorer import METRICS, Judged, score, score_paths
from tests.tasks.event_subject.made import examples, write_csv

NAMES = st.sampled_from(["", "甲", "乙", "甲乙"])
SOME = st.lists(st.tuples(st.sampled_from("xyz"), NAMES, NAMES), max_size=30)


def judged_of(rows: list[tuple[str, str, str]]) -> list[Judged]:
    return [Judged(Example("甲乙丙", kind, gold, str(n)), found) for n, (kind, gold, found) in enumerate(rows)]


def literal(rows: list[tuple[str, str, str]]) -> dict[str, float]:
    """As the rules say: each record has its type, so a pair of type and subject is right if the subject is."""
    right = predicted = wanted = same = 0
    for number, (kind, gold, found) in enumerate(rows):
        answers = {(number, kind, found)} if found else set()
        truth = {(number, kind, gold)} if gold else set()
        right += len(answers & truth)
        predicted += len(answers)
        wanted += len(truth)
        if gold == found:
            same += 1
    p = right / predicted if predicted else 0.0
    r = right / wanted if wanted else 0.0
    f = 2 * p * r / (p + r) if p + r else 0.0
    return {"precision": p, "recall": r, "f1": f, "accuracy": same / len(rows) if rows else 0.0}


@settings(max_examples=50)
@given(SOME, st.sampled_from(METRICS))
def test_scores_are_those_of_the_rules(rows: list[tuple[str, str, str]], metric: str) -> None:
    report = score(judged_of(rows), metric=metric, explain=True, resamples=0)
    wanted = literal(rows)
    assert {name: report.values[name] for name in wanted} == pytest.approx(wanted)
    assert report.primary == {"ccks2019": "f1", "accuracy": "accuracy"}[metric]
    assert report.counts is not None and report.measures is not None
    sums = report.measures(np.asarray(report.counts).sum(0))
    assert float(sums[report.primary]) == pytest.approx(wanted[report.primary])
    verdicts = Counter(outcome.verdict for outcome in report.outcomes)
    right = report.values["right"]
    assert verdicts["right"] == right
    assert verdicts["spurious"] == report.values["predicted"] - right
    assert verdicts["missed"] == report.values["gold"] - right


def test_verdicts_say_why() -> None:
    rows = [("x", "甲", "甲乙"), ("y", "", "甲"), ("x", "甲", ""), ("z", "甲", "丙")]
    told = [(o.verdict, o.kind) for o in score(judged_of(rows), metric="ccks2019", explain=True).outcomes]
    assert told == [
        ("spurious", "x: boundary differs: gold has 甲"), ("missed", "x: the prediction has 甲乙"),
        ("spurious", "y: gold has none"), ("missed", "x: the prediction has none"),
        ("spurious", "z: another company: gold has 甲"), ("missed", "z: the prediction has 丙"),
    ]  # fmt: skip


def test_files_are_paired_by_id(tmp_path: Path) -> None:
    gold = [Example("甲乙", "x", "甲", "1"), Example("甲乙", "y", "乙", "2"), Example("丙", "x", "", "2")]
    path = write_csv(tmp_path / "gold.csv", gold)
    result = tmp_path / "result.csv"
    result.write_text('"2","乙"\n"1","甲"\n"2","NaN"\n"9","丁"\n', encoding="utf-8")
    report = score_paths(path, result)
    assert (report.values["f1"], report.values["accuracy"], report.values["predicted"]) == (1.0, 1.0, 2)
    assert list(report.notes) == ["1 predicted ids are not in gold and cost nothing"]
    result.write_text('{"id": 2, "subject": "乙"}\n', encoding="utf-8")
    report = score_paths(path, result, metric="accuracy")
    assert report.values["accuracy"] == pytest.approx(2 / 3)
    assert list(report.notes) == ["2 of 3 gold records have no prediction and count as NaN"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('"1","甲","x"\n', "r:1: has 3 cells, 2 are needed"),
        ('"","甲"\n', "r:1: id: is empty"),
        ('{"subject": "甲"}\n', "r:1: id: is missing"),
        ('{"id": "1", "subject": 3}\n', "r:1: subject: is a number"),
        ('"77","甲"\n', "r: has predictions on 1 ids, gold has 1 ids, and none is in both"),
    ],
)
def test_bad_submissions_are_told(tmp_path: Path, text: str, message: str) -> None:
    gold = write_csv(tmp_path / "gold.csv", [Example("甲乙", "x", "甲", "1")])
    result = tmp_path / "r"
    result.write_text(text, encoding="utf-8")
    with pytest.raises(UserError) as caught:
        score_paths(gold, result)
    assert str(caught.value).replace(str(result), "r").startswith(message)
    with pytest.raises(UserError, match="no scoring variant is called 'f2'"):
        score([], metric="f2")


def checked(folder: Path, text: str) -> list[str]:
    """The faults of a submission for six records."""
    source = write_csv(folder / "in.csv", examples(6), gold=False)
    result = folder / "r"
    result.write_text(text, encoding="utf-8")
    faults: list[str] = []
    with TemporaryDirectory(dir=folder) as scratch:
        one = Check("ccks2019-subject", source, result, lambda error: faults.append(str(error)), Path(scratch))
        check(one)
    assert one.counts["texts"] == 6
    return faults


def test_submissions_are_checked(tmp_path: Path) -> None:
    some = examples(6)
    lines = [f'"{e.id}","{e.subject or "NaN"}"\n' for e in some]
    assert checked(tmp_path, "".join(lines)) == []
    for wrong, message in (
        (['"1","丁"\n', *lines[1:]], "does not stand in the text"),
        (lines[:5], "is not answered"),
        ([*lines, lines[0]], "is answered again"),
        (lines[::-1], "stands behind what comes later"),
        ([*lines[:2], '"3"\n', *lines[3:]], "has 1 cells, 2 are needed"),
        ([*lines[:2], '"3","甲\x07"\n', *lines[3:]], "has a control character"),
    ):
        (fault,) = checked(tmp_path, "".join(wrong))
        assert message in fault
