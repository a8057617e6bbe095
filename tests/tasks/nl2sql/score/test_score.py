"""The scores of TableQA, held to literal twins of the official scripts, and to what their users see."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ietool.errors import UserError
from ietool.tasks.nl2sql.data.example import Query, Table
from ietool.tasks.nl2sql.data.reading import parse_query
from ietool.tasks.nl2sql.score.logical import agreement
from ietool.tasks.nl2sql.score.scorer import PARTS, score
from tests.tasks.nl2sql.invented import FILMS, query

# -- literal twins


def official_logical(gold: dict[str, Any], given: dict[str, Any]) -> bool:
    """The check of the organisers' script, retold step by step."""
    good = True
    if gold["cond_conn_op"] != given["cond_conn_op"]:
        good = False
    if len(gold["sel"]) != len(given["sel"]):
        good = False
    first = {column: aggregate for column, aggregate in zip(given["sel"], given["agg"])}  # noqa: B905, C416
    second = {column: aggregate for column, aggregate in zip(gold["sel"], gold["agg"])}  # noqa: B905, C416
    if set(gold["sel"]) != set(given["sel"]):
        good = False
    if [first[column] for column in sorted(first)] != [second[column] for column in sorted(second)]:
        good = False
    if len(gold["conds"]) != len(given["conds"]):
        return False
    operators: tuple[dict[int, Any], dict[int, Any]] = ({}, {})
    values: tuple[dict[int, Any], dict[int, Any]] = ({}, {})
    for one, other in zip(given["conds"], gold["conds"], strict=True):
        operators[0][one[0]], values[0][one[0]] = one[1], one[2]
        operators[1][other[0]], values[1][other[0]] = other[1], other[2]
    if set(operators[0]) != set(operators[1]):
        good = False
    for mine, theirs in (operators, values):
        if [mine[column] for column in sorted(mine)] != [theirs[column] for column in sorted(theirs)]:
            good = False
    return good


def official_execution(sql: dict[str, Any], table: Table) -> Any:
    """The organisers' engine: a statement as text, its values in double quotes. For values that hold no quote and are
    no name of a column."""
    db = sqlite3.connect(":memory:")
    db.row_factory = sqlite3.Row
    kinds = ", ".join(f"col_{n + 1} {kind}" for n, kind in enumerate(table.types))
    db.execute(f"CREATE TABLE Table_x ({kinds})")
    db.executemany(f"INSERT INTO Table_x VALUES ({', '.join('?' * table.width)})", table.rows)
    if sql["cond_conn_op"] == 0 and len(sql["conds"]) > 1:
        return "Error1"
    if not sql["sel"] or not sql["agg"] or not sql["conds"]:
        return "Error2"
    aggregates = {0: "", 1: "AVG", 2: "MAX", 3: "MIN", 4: "COUNT", 5: "SUM"}
    operators = {0: ">", 1: "<", 2: "==", 3: "!="}
    connectors = {0: "", 1: " and ", 2: " or "}
    parts = [f"{aggregates[a]}(col_{n + 1})" for n, a in zip(sql["sel"], sql["agg"])]  # noqa: B905
    where = connectors[sql["cond_conn_op"]].join(f'col_{n + 1} {operators[o]} "{v}"' for n, o, v in sql["conds"])
    try:
        rows = db.execute(f"SELECT {','.join(parts)} FROM Table_x WHERE {where}").fetchall()
    except sqlite3.Error:
        return "Error3"
    return [tuple(sorted(dict(row).values(), key=str)) for row in rows]


_values = st.sampled_from(["喜剧", "雪路", "20", "20.0", "1200", "", "x", 20, 20.0])
_conditions = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 3), _values).map(list), max_size=3)


@st.composite
def _queries(draw: Any) -> dict[str, Any]:
    select = draw(st.lists(st.integers(0, 3), min_size=1, max_size=3))
    aggregates = draw(st.lists(st.sampled_from([0, 0, 2, 4, 5]), min_size=len(select), max_size=len(select)))
    return {
        "sel": select, "agg": aggregates, "cond_conn_op": draw(st.integers(0, 2)), "conds": draw(_conditions)
    }  # fmt: skip


def loose(sql: dict[str, Any]) -> Query:
    from ietool.files.documents import Place

    return parse_query(sql, Place("x"), None, loose=True)


@st.composite
def _pairs(draw: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Gold, and mostly something near it."""
    gold = draw(_queries())
    if draw(st.booleans()):
        return gold, draw(_queries())
    near = json.loads(json.dumps(gold))
    near["conds"] = draw(st.permutations(near["conds"]))
    if near["conds"] and draw(st.booleans()):
        near["conds"][0][draw(st.integers(0, 1))] = draw(st.integers(0, 2))
    if draw(st.booleans()):
        near["sel"].reverse()
        near["agg"].reverse()
    return gold, near


@settings(max_examples=150, deadline=None)
@given(_pairs())
def test_the_logical_form_is_that_of_the_official_script(pair: tuple[dict[str, Any], dict[str, Any]]) -> None:
    gold, given_ = pair
    assert agreement(loose(gold), loose(given_)).whole == official_logical(gold, given_)


@settings(max_examples=60, deadline=None)
@given(_pairs())
def test_execution_is_that_of_the_official_engine(pair: tuple[dict[str, Any], dict[str, Any]]) -> None:
    gold, given_ = pair
    same = official_execution(gold, FILMS) == official_execution(given_, FILMS)
    found = score([loose(gold)], [loose(given_)], tables=[FILMS], resamples=0)
    assert found.values["execution"] == float(same)


# -- the quirks, one by one


@pytest.mark.parametrize(
    ("gold", "given_", "logical", "execution"),
    [
        # The order of conditions and of columns counts for nothing.
        (query((0, 2, "雪路"), (1, 2, "喜剧"), connector=2), query((1, 2, "喜剧"), (0, 2, "雪路"), connector=2), 1, 1),
        (query((0, 2, "雪路"), select={0: 0, 2: 0}), query((0, 2, "雪路"), select={2: 0, 0: 0}), 1, 1),
        # Values are strings: what is the same number is another value, and gives the same rows.
        (query((2, 0, "1200")), query((2, 0, "1200.0")), 0, 1),
        (query((2, 0, "1200")), query((2, 0, 1200)), 0, 1),
        # Of two conditions on one column the last counts, whatever the first is.
        (query((2, 0, "1000"), (2, 1, "9999"), connector=1), query((2, 2, "7"), (2, 1, "9999"), connector=1), 1, 0),
        (
            query((0, 2, "雪路"), (0, 2, "晚风记"), connector=2),
            query((0, 2, "晚风记"), (0, 2, "雪路"), connector=2),
            0,
            1,
        ),
        (query((0, 2, "雪路")), query((0, 2, "雪路"), (0, 2, "雪路"), connector=1), 0, 1),
        # One condition with a connector runs, and is another form.
        (query((0, 2, "雪路")), query((0, 2, "雪路"), connector=1), 0, 1),
        # Two that fail alike are alike.
        (query((0, 2, "雪路"), (1, 2, "喜剧")), query((0, 2, "x"), (1, 2, "y")), 0, 1),
        (query((0, 2, "雪路")), query((0, 2, "雪路"), (1, 2, "喜剧")), 0, 0),
        (query(), query(select={9: 0}), 0, 1),
        (query((0, 2, "雪路")), query((99, 2, "雪路")), 0, 0),
        (query((0, 2, "雪路")), query((0, 2, "雪路"), select={0: 4}), 0, 0),
    ],
)
def test_quirks(gold: Query, given_: Query, logical: int, execution: int) -> None:
    found = score([gold], [given_], tables=[FILMS], resamples=0)
    assert (found.values["logical"], found.values["execution"]) == (logical, execution)
    assert found.values["mean"] == (logical + execution) / 2 and found.primary == "mean"


def test_values_and_interval() -> None:
    gold = [query((0, 2, name)) for name in ("雪路", "晚风记", "海信传", "长河之恋")] * 10
    given_ = [query((0, 2, "雪路"))] * 40
    report = score(gold, given_, tables=[FILMS] * 40)
    assert report.values["logical"] == report.values["execution"] == report.values["mean"] == 0.25
    assert report.values["value"] == 0.25 and report.values["column"] == 1.0 and report.values["questions"] == 40
    assert report.interval is not None and 0.1 < report.interval[0] < 0.25 < report.interval[1] < 0.45
    assert report.counts is not None and report.measures is not None
    assert report.measures(report.counts.sum(0))["mean"] == pytest.approx(0.25)
    parts = {row[0]: row[1:] for row in report.tables[0].rows}
    assert set(parts) == {"logical", "execution", "mean", *PARTS} and parts["mean"][1:] == report.interval
    assert np.isnan(report.counts).sum() == 0


def test_without_a_prediction_a_question_is_wrong() -> None:
    report = score([query()], [None], tables=[FILMS], resamples=0, explain=True, questions=["问"])
    assert report.values["mean"] == 0.0  # though gold fails as nothing does
    assert [(one.verdict, one.item["part"]) for one in report.outcomes] == [("missed", "query")]


def test_without_tables_the_logical_form_alone_is_scored() -> None:
    report = score([query((0, 2, "雪路"))], [query((0, 2, "雪路"))], tables=None)
    assert report.primary == "logical" and "execution" not in report.values and report.metric == "logical"
    assert any("nothing is executed" in note for note in report.notes)


def test_an_unknown_metric_is_refused() -> None:
    with pytest.raises(UserError, match="no scoring variant"):
        score([], [], tables=None, metric="exact")


# -- verdicts


def verdicts(gold: Query, given_: Query) -> Iterator[tuple[str, str, Any, Any]]:
    report = score([gold], [given_], tables=[FILMS], explain=True, questions=["问"], resamples=0)
    for one in report.outcomes:
        part = one.item["part"]
        yield part, one.verdict, one.item[part], (one.other or {}).get(part)


def test_each_part_has_a_verdict() -> None:
    gold = query((1, 2, "喜剧"), (2, 0, "1200"), connector=1, select={0: 0, 3: 1})
    near = query((2, 1, "1300"), (4, 2, "x"), connector=2, select={0: 4, 2: 0})
    found = [one for one in verdicts(gold, near) if one[0] != "query"]
    assert found == [
        ("sel", "right", "影片", None),
        ("agg", "spurious", "COUNT", "none"),
        ("sel", "spurious", "票房（万元）", None),
        ("sel", "missed", "上座率(%)", None),
        ("connector", "spurious", "or", "and"),
        ("column", "right", "票房（万元）", None),
        ("operator", "spurious", "<", ">"),
        ("value", "spurious", "1300", "1200"),
        ("column", "spurious", "上映日期", None),
        ("column", "missed", "类型", None),
    ]


def test_the_whole_query_has_one_too() -> None:
    gold = query((1, 2, "喜剧"))
    assert next(verdicts(gold, gold))[:2] == ("query", "right")
    part, verdict, item, other = next(verdicts(gold, query((1, 2, "悬疑"))))
    assert (part, verdict) == ("query", "spurious") and item["conds"] == [[1, 2, "悬疑"]] and other == gold.plain
    lost = list(verdicts(query((1, 2, "喜剧"), (1, 2, "悬疑"), connector=2), query((1, 2, "悬疑"), connector=2)))
    assert ("column", "missed", "类型", None) in lost


@settings(max_examples=50, deadline=None)
@given(_pairs())
def test_a_right_logical_form_has_right_verdicts_alone(pair: tuple[dict[str, Any], dict[str, Any]]) -> None:
    gold, given_ = (loose(one) for one in pair)
    found = list(verdicts(gold, given_))
    assert all(one[1] == "right" for one in found) == (found[0][1] == "right") == agreement(gold, given_).whole
