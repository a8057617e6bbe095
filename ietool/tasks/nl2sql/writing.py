"""Predictions in the form that TableQA's organisers took: a query a line, in the order of the questions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ietool.core.view import Mark, View
from ietool.files.plain_json import dump_json
from ietool.tables import Table
from ietool.tasks.nl2sql.data.example import AGGREGATES, CONNECTORS, OPERATORS, Query
from ietool.tasks.nl2sql.data.example import Table as Asked

if TYPE_CHECKING:
    from ietool.tasks.nl2sql.heads.sketch.decode import Answered


def format_prediction(prediction: Answered) -> str:
    """A line of a submission, without its end: ``{"sel", "agg", "cond_conn_op", "conds"}``, before them the ``id`` of
    the question, where it has one."""
    example = prediction.example
    record: dict[str, Any] = {} if example.id is None else {"id": example.id}
    return dump_json({**record, **prediction.query.plain})


def record(prediction: Answered) -> dict[str, Any]:
    """A prediction as plain data, without its table; ``passed`` are queries that ranked higher, by why not chosen."""
    example = prediction.example
    return {
        "id": example.id,
        "question": example.question,
        "table_id": example.table.id,
        "sql": prediction.query.plain,
        "spoken": spoken(prediction.query, example.table),
        "probability": prediction.probability,
        "passed": dict(prediction.passed),
    }


def show(prediction: Answered) -> Table:
    """A prediction for the screen: the query and those ranked behind it."""
    table = prediction.example.table
    rows = [(spoken(one.query, table), one.probability) for one in prediction.queries]
    rows.insert(0, rows.pop(prediction.chosen))
    return Table(prediction.example.question, ("query", "probability"), rows)


def view(prediction: Answered) -> View:
    """A prediction as a page draws it: the values of its conditions where the question says them as they stand."""
    question, header = prediction.example.question, prediction.example.table.header
    marks = []
    for condition in prediction.query.conditions:
        value = str(condition.value)
        at = question.find(value) if value else -1
        if at >= 0:
            marks.append(Mark(at, at + len(value), f"{header[condition.column]} {OPERATORS[condition.operator]}"))
    return View([("", question)], marks)


def spoken(query: Query, table: Asked) -> str:
    """A query with the names of its columns, for people: never to be run."""
    header = table.header
    chosen = [
        f"{AGGREGATES[aggregate]}({header[n]})" if aggregate else header[n]
        for n, aggregate in zip(query.select, query.aggregates, strict=True)
    ]
    conditions = [f"{header[c.column]} {OPERATORS[c.operator]} {c.value!r}" for c in query.conditions]
    where = f" {CONNECTORS[query.connector] or ','} ".join(conditions)
    return f"SELECT {', '.join(chosen)}" + (f" WHERE {where}" if where else "")
