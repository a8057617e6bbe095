"""Checking a submission of queries: one a question, in order, of the form, with numbers that the table has."""

from __future__ import annotations

from typing import Any

from ietool.core.answers import Answers
from ietool.core.checking import Check, control_in
from ietool.errors import UserError
from ietool.files.documents import Place
from ietool.files.lines import parse_json, read_lines
from ietool.tasks.nl2sql.data.example import Query
from ietool.tasks.nl2sql.data.reading import load_inputs, parse_query
from ietool.tasks.nl2sql.score.files import identity

_FORMAT = 'write {"sel": […], "agg": […], "cond_conn_op": …, "conds": [[column, operator, value], …]} a line'


def check(check: Check) -> None:
    """Check a submission of TableQA's form.

    Raises:
        UserError: the input or its tables cannot be read, or the submission is no text file.
    """
    answers = Answers(check)
    by_id: bool | None = None
    try:
        for number, example in enumerate(load_inputs(str(check.source), tables=check.options.get("tables")), 1):
            place = Place(example.file, example.line or None)
            by_id = example.id is not None if by_id is None else by_id
            if by_id != (example.id is not None):
                what = (
                    "is missing, and earlier records have one" if by_id else "is there, and earlier records have none"
                )
                raise place.error("id", what, "give all records an id, or none")
            key = {"id": str(example.id)} if by_id else {"line": str(number)}
            answers.ask(key, place, str(example.table.width))
        check.counts["questions"] = answers.asked
        _lines(check, answers, bool(by_id))
        answers.finish()
    finally:
        answers.close()
    check.rules += [
        f"each of {answers.asked:,} questions answered once",
        "columns are those of the table, and aggregates, operators and connectors exist",
    ]
    if not by_id:
        check.notes.append("queries have no ids: that they stand in the order of the questions cannot be seen")


def _lines(check: Check, answers: Answers, by_id: bool) -> None:
    alone = bare = number = 0
    for file, line_number, line in read_lines(check.result, answers.reject):
        number += 1
        place = Place(file, line_number)
        try:
            record = parse_json(line, file, line_number, once=True)
            if "sel" not in record:
                raise place.error("sel", "is missing", _FORMAT)
            own = identity(record, place)
            if by_id and own is None:
                raise place.error("id", "is missing, and the questions have one", "predict on the input file itself")
        except UserError as error:
            answers.reject(error, line)
            continue
        width = answers.answer({"id": str(own)} if by_id else {"line": str(number)}, place)
        try:
            query = parse_query(record, place, None if width is None else int(width))
        except UserError as error:
            check.tell(error)
            continue
        check.counts["conditions"] += len(query.conditions)
        bare += not query.conditions
        alone += len(query.conditions) < 2 and query.connector != 0
        if fault := _fault(query, record, place):
            check.tell(fault)
    if bare:
        what = f"{bare:,} queries have no condition, which no gold query lacks: TableQA's engine does not run them"
        check.notes.append(what)
    if alone:
        what = f"{alone:,} queries have a connector and at most one condition: their logical form is wrong"
        check.notes.append(what)


def _fault(query: Query, record: dict[str, Any], place: Place) -> UserError | None:
    """The first thing that is wrong with a query that is of the form."""
    if len(query.conditions) > 1 and not query.connector:
        return place.error("cond_conn_op", "is 0 with several conditions: it cannot be run", "write 1 (and) or 2 (or)")
    if len(set(query.select)) < len(query.select):
        return place.error("sel", "has a column twice", "select each column once")
    for n, condition in enumerate(query.conditions):
        if not isinstance(record["conds"][n][2], str):
            what = "is a number, values are strings"
            return place.error(f"conds[{n}][2]", what, f'write "{condition.value}"')
        if not condition.value.strip():
            return place.error(f"conds[{n}][2]", "is empty", "leave the condition out")
        if code := control_in(condition.value):
            return place.error(f"conds[{n}][2]", f"has a control character ({code})", "take it out")
    return None
