"""Scorers of queries: ``tableqa``, the mean of logical form and execution, and ``logical``, which needs no tables.

Pure: queries in, a report out; no heavy imports.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np

from ietool.errors import UserError
from ietool.scoring.intervals import bootstrap
from ietool.scoring.report import Counts, Outcome, Report
from ietool.tables import Table as Shown
from ietool.tasks.nl2sql.data.example import Example, Query, Table
from ietool.tasks.nl2sql.data.holding import by_table
from ietool.tasks.nl2sql.score.explain import explain_query
from ietool.tasks.nl2sql.score.logical import Agreement, agreement
from ietool.tasks.nl2sql.sql.execution import Failure, execute

METRICS = ("tableqa", "logical")
"""The variants there are."""

_LOGICAL = (
    "A query's logical form is right if it selects the same set of columns, has the same aggregate for each, the same "
    "connector, as many conditions, and for each compared column the same operator and the same value, character by "
    "character; of several conditions on one column the last counts."
)
_TABLEQA = (
    f"{_LOGICAL} Execution is right if both queries, run on SQLite, give the same rows in the same order, each row's "
    "values sorted; two that fail for the same reason are the same. The score is the mean of the two shares."
)

PARTS = Agreement._fields

NO_TABLES = "without tables the score is that of the logical form alone, and nothing is executed"


def score(
    gold: Sequence[Query],
    given: Sequence[Query | None],
    *,
    tables: Sequence[Table] | None,
    metric: str = "tableqa",
    order: Sequence[int] | None = None,
    questions: Sequence[str] = (),
    explain: bool = False,
    notes: Sequence[str] = (),
    resamples: int = 2000,
) -> Report:
    """The score of predicted queries.

    Args:
        gold: the queries of the questions.
        given: those predicted; None where there is none, which is wrong.
        tables: of each question, asked for once each; None: not known, and only the logical form is judged.
        metric: one of ``METRICS``.
        order: the numbers of all questions, in which they are judged; the report does not depend on it.
        questions: for verdicts.
        explain: also give a verdict on each part.
        notes: remarks to pass on in the report.
        resamples: draws of the bootstrap interval; 0: no interval.

    Returns:
        values ``logical``, with tables ``execution`` and ``mean`` (0 to 1), the parts ``select aggregate connector
        conditions column operator value``, and the counts ``questions failed``: predicted queries that do not run.

    Raises:
        UserError: unknown metric.
    """
    if metric not in METRICS:
        raise UserError(f"no scoring variant is called {metric!r}", field="metric", mend=f"use {' or '.join(METRICS)}")
    executes = tables is not None and metric == "tableqa"
    remarks = list(notes)
    if tables is None and metric == "tableqa":
        remarks.append(NO_TABLES)
    nothing = Query((), (), -1, ())
    counts = np.zeros((len(gold), 3 + len(PARTS)))
    keys: list[Hashable] = list(enumerate(questions)) if questions else list(range(len(gold)))
    outcomes: dict[int, list[Outcome]] = {}
    failed = 0
    pairs = list(zip(gold, given, strict=True))
    for n in range(len(pairs)) if order is None else order:
        (wanted, found), table = pairs[n], None if tables is None else tables[n]
        parts = Agreement(*[False] * len(PARTS)) if found is None else agreement(wanted, found)
        same: bool | None = None
        if executes and table is not None:
            rows = execute(found if found is not None else nothing, table)
            failed += isinstance(rows, Failure)
            same = found is not None and rows == execute(wanted, table)
        counts[n] = (parts.whole, bool(same), 1, *parts)
        if explain:
            question = questions[n] if questions else ""
            outcomes[n] = list(explain_query(keys[n], question, wanted, found, parts, same, table))
    names = ("logical", "execution", "mean") if executes else ("logical",)
    sums = counts.sum(0)
    measures = _measures if executes else _logical_measures
    values = {name: float(measures(sums)[name]) for name in (*names, *PARTS)}
    intervals = bootstrap(counts, measures, resamples=resamples)
    primary = names[-1]
    return Report(
        metric=METRICS[0] if executes else METRICS[1],
        definition=_TABLEQA if executes else _LOGICAL,
        values={**values, "questions": len(gold), **({"failed": failed} if executes else {})},
        primary=primary,
        tables=[_parts_table(values, names, intervals)],
        interval=intervals.get(primary),
        notes=remarks,
        keys=keys,
        counts=counts,
        measures=measures,
        outcomes=[outcome for n in sorted(outcomes) for outcome in outcomes[n]],
    )


def _logical_measures(sums: Counts) -> dict[str, Counts]:
    """The shares of (…, 3 + parts) sums: logical form, execution, questions, and each part."""
    whole = np.maximum(sums[..., 2], 1)
    found = {"logical": sums[..., 0] / whole}
    return found | {name: sums[..., 3 + n] / whole for n, name in enumerate(PARTS)}


def _measures(sums: Counts) -> dict[str, Counts]:
    """The same, with execution and the mean."""
    whole = np.maximum(sums[..., 2], 1)
    execution = sums[..., 1] / whole
    shares = _logical_measures(sums)
    return shares | {"execution": execution, "mean": (shares["logical"] + execution) / 2}


def _parts_table(values: dict[str, float], names: Sequence[str], intervals: dict[str, tuple[float, float]]) -> Shown:
    rows = []
    for name in (*names, *PARTS):
        low, high = intervals.get(name, (None, None))
        rows.append((name, values[name], low, high))
    note = "operator and value by column, where the columns differ too; low and high: 95 % interval over questions"
    return Shown("Parts", ("part", "right", "low", "high"), rows, note=note)


def evaluate(
    gold: Sequence[Example], queries: Sequence[Query], metric: str, *, explain: bool = False, resamples: int = 0
) -> Report:
    """:func:`score` of predictions made in this process; ``auto`` is ``tableqa``, since there are tables.

    Raises:
        UserError: unknown metric, or a question has no gold.
    """
    wanted = []
    for example in gold:
        if example.query is None:
            raise UserError("has no gold query", file=example.file, line=example.line, field="sql")
        wanted.append(example.query)
    tables = [example.table for example in gold]
    return score(
        wanted,
        queries,
        tables=tables,
        order=by_table(tables),
        metric="tableqa" if metric == "auto" else metric,
        questions=[example.question for example in gold],
        explain=explain,
        resamples=resamples,
    )
