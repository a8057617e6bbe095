"""What of a query was right, spurious or missed, part by part."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import Any

from ietool.scoring.report import Outcome
from ietool.tasks.nl2sql.data.example import AGGREGATES, CONNECTORS, OPERATORS, Query, Table
from ietool.tasks.nl2sql.score.logical import Agreement, by_column

QUERY, SELECT, AGGREGATE, CONNECTOR, COLUMN, OPERATOR, VALUE = (
    "query", "sel", "agg", "connector", "column", "operator", "value"
)  # fmt: skip

RIGHT, SPURIOUS, MISSED = "right", "spurious", "missed"


def explain_query(
    key: Hashable,
    question: str,
    gold: Query,
    given: Query | None,
    parts: Agreement,
    same: bool | None,
    table: Table | None,
) -> Iterator[Outcome]:
    """The verdicts on one question: first the query as a whole, then what it selects, its connector and, for each
    compared column, column, operator and value.

    What a prediction says otherwise is ``spurious``, with gold beside it; what it lacks is ``missed``.

    Args:
        given: the prediction; None: there is none.
        parts: what of it agrees.
        same: whether both give the same rows; None: not run.
        table: for the names of columns.
    """

    def outcome(part: str, verdict: str, kind: str, item: Any, other: Any = None) -> Outcome:
        beside = None if other is None else {part: other}
        return Outcome(key, question, verdict, kind, {"part": part, part: item}, beside)

    def name(column: int) -> str:
        inside = table is not None and 0 <= column < table.width
        return table.header[column] if inside and table is not None else str(column)

    if given is None:
        yield outcome(QUERY, MISSED, "the question has no prediction", gold.plain)
        return
    wrong = [part for part, right in parts._asdict().items() if not right]
    ran = "" if same is None else ", execution right" if same else ", execution wrong"
    form = "logical form right" if not wrong else f"logical form wrong: {', '.join(wrong)}"
    other = None if not wrong else gold.plain
    yield outcome(QUERY, SPURIOUS if wrong else RIGHT, form + ran, given.plain, other)
    yield from _selected(gold, given, name, outcome)
    right = gold.connector == given.connector
    yield outcome(
        CONNECTOR, RIGHT if right else SPURIOUS, "exact" if right else "another connector",
        _named(CONNECTORS, given.connector), None if right else _named(CONNECTORS, gold.connector),
    )  # fmt: skip
    wanted, found = by_column(gold), by_column(given)
    for column, (operator, value) in found.items():
        there = wanted.get(column)
        if there is None:
            yield outcome(COLUMN, SPURIOUS, "gold does not compare it", name(column))
            continue
        yield outcome(COLUMN, RIGHT, "exact", name(column))
        for part, mine, theirs in (
            (OPERATOR, _named(OPERATORS, operator), _named(OPERATORS, there[0])),
            (VALUE, value, there[1]),
        ):
            fits = mine == theirs
            kind = "exact" if fits else f"another {part} of {name(column)}"
            yield outcome(part, RIGHT if fits else SPURIOUS, kind, mine, None if fits else theirs)
    for column in wanted.keys() - found.keys():
        yield outcome(COLUMN, MISSED, "no condition on it", name(column))
    for side, query, verdict in (("the prediction", given, SPURIOUS), ("gold", gold, MISSED)):
        for column in sorted({c.column for c in query.conditions}):
            several = [c for c in query.conditions if c.column == column]
            if len(gold.conditions) != len(given.conditions) and len(several) > 1:
                kind = f"{side} has {len(several)} conditions on it, of which the last counts"
                yield outcome(COLUMN, verdict, kind, name(column))


def _selected(gold: Query, given: Query, name: Any, outcome: Any) -> Iterator[Outcome]:
    wanted = dict(zip(gold.select, gold.aggregates, strict=False))
    for column, aggregate in dict(zip(given.select, given.aggregates, strict=False)).items():
        if column not in wanted:
            yield outcome(SELECT, SPURIOUS, "gold does not select it", name(column))
            continue
        yield outcome(SELECT, RIGHT, "exact", name(column))
        mine, other = _named(AGGREGATES, aggregate), _named(AGGREGATES, wanted[column])
        fits = aggregate == wanted[column]
        kind = "exact" if fits else f"another aggregate of {name(column)}"
        yield outcome(AGGREGATE, RIGHT if fits else SPURIOUS, kind, mine, None if fits else other)
    for column in wanted.keys() - set(given.select):
        yield outcome(SELECT, MISSED, "not selected", name(column))


def _named(names: tuple[str, ...], number: int) -> str:
    """The name of a number; itself where it is out of bounds."""
    return (names[number] or "none") if 0 <= number < len(names) else str(number)
