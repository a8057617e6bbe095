"""Files of questions: reading and validating them, each with its table.

The form of TableQA, a record a line or one list: ``{"table_id", "question", "sql": {"sel", "agg", "cond_conn_op",
"conds"}}``. What an example is stands in ``example.py``, files of tables in ``table_files.py``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ietool.errors import UserError
from ietool.files.documents import Place, read_documents
from ietool.files.lines import SKIP, OnBad
from ietool.files.plain_json import dump_json, json_kind
from ietool.files.records import Told, not_a
from ietool.tasks.nl2sql.data.example import AGGREGATES, CONNECTORS, OPERATORS, Condition, Example, Query, Table
from ietool.tasks.nl2sql.data.sources import tables_beside
from ietool.tasks.nl2sql.data.table_files import parse_table, read_tables, table_id
from ietool.tasks.nl2sql.data.tables import TableBook

_FORMAT = 'write {"table_id": …, "question": …, "sql": {…}} a line'
_QUERY = "sql"
_LONGEST = 10_000
"""Characters of a question."""


def load_examples(
    path: str | Path, on_bad: OnBad | None = None, *, tables: str | Path | None = None, gold: bool = True
) -> Iterator[Example]:
    """Stream the validated questions of a file, plain, gzip or zip (every member), each with its table.

    Args:
        path: the questions; ``-`` is standard input.
        on_bad: told of bad questions, which are then left out; without it the first one raises. A bad table raises in
            any case.
        tables: the file of tables; default: the one beside the questions.
        gold: whether a question without ``sql`` is bad; otherwise it is read where it is there.

    Raises:
        UserError: naming file, line and field; also when a file is missing or empty, or no question can be used.
    """
    book = read_tables(tables_beside(path) if tables is None else tables)
    told = None if on_bad is None else Told(on_bad)
    found = False
    for number, (place, record) in enumerate(read_documents(path, told)):
        try:
            example = parse_question(record, place, book, number, gold=gold)
        except UserError as error:
            if told is None:
                raise
            told(error, dump_json(record))
            continue
        found = True
        yield example
    if not found and told is not None:
        told.check()
    if not found and gold:
        raise UserError("holds no question", file=path, mend=_FORMAT)


def load_inputs(source: str, on_bad: OnBad | None = None, *, tables: str | Path | None = None) -> Iterator[Example]:
    """Stream the questions of a test file, or of one with gold, as :func:`load_examples` gives them."""
    return load_examples(source, on_bad, tables=tables, gold=False)


def parse_question(record: Any, place: Place, book: TableBook | OneTable, number: int, *, gold: bool = True) -> Example:
    """The validated question of a record.

    Raises:
        UserError: naming the field that is wrong.
    """
    if not isinstance(record, dict):
        raise place.error("", f"is {json_kind(record)}, an object is needed", _FORMAT)
    question = record.get("question")
    if not isinstance(question, str):
        raise place.error("question", not_a(record, "question", "a string"), _FORMAT)
    if not question.strip():
        raise place.error("question", "is empty", SKIP)
    if len(question) > _LONGEST:
        raise place.error("question", f"has {len(question):,} characters: is it a question?", SKIP)
    if "table_id" not in record:
        raise place.error("table_id", "is missing", _FORMAT)
    id = table_id(record["table_id"], place, "table_id")
    table = book.find(id)
    if table is None:
        raise place.error("table_id", f"{id!r} is no table of {book.path}", "name its file with --file tables=FILE")
    identity = record.get("id")
    if isinstance(identity, dict | list | bool):
        raise place.error("id", f"is {json_kind(identity)}, a number or a string is needed", SKIP)
    query = None
    if record.get(_QUERY) is not None:
        query = parse_query(record[_QUERY], place, table.width, f"{_QUERY}.")
    elif gold:
        mend = "is this a test file? training needs gold queries"
        raise place.error(_QUERY, "is null" if _QUERY in record else "is missing", mend)
    return Example(number, question, table, query, identity, place.file, place.line or 0)


@dataclass(frozen=True)
class OneTable:
    """A table that stands beside its question."""

    table: Table
    path: str = "the record"

    def find(self, id: str) -> Table | None:
        """The table of an id."""
        return self.table if id == self.table.id else None


def questions_of(record: Mapping[str, Any], place: str) -> Iterator[Example]:
    """The question of ``{"question": …, "table": {"header": […], "rows": [[…], …], "types"?: […]}}``.

    Args:
        place: stands for the file in messages.

    Raises:
        UserError: naming the field that is wrong.
    """
    asked = record.get("table")
    if not isinstance(asked, dict):
        mend = 'write {"question": …, "table": {"header": […], "rows": [[…], …]}}'
        raise Place(place).error("table", not_a(record, "table", "an object"), mend)
    table = parse_table({"id": "table", **asked}, Place(place, at="table."))
    told = {**record, "table_id": table.id, _QUERY: None}
    yield parse_question(told, Place(place), OneTable(table), 0, gold=False)


def parse_query(value: Any, place: Place, width: int | None, at: str = "", *, loose: bool = False) -> Query:
    """The validated query of an object ``sql``; a number as the value of a condition becomes a string.

    Args:
        width: columns of the table; None: not known.
        at: before the names of its fields in messages.
        loose: for scorers: only the form must be right. Numbers may be out of bounds and lists empty, which is merely
            wrong, and values stay what they are.

    Raises:
        UserError: naming the field that is wrong.
    """

    def whole(number: Any, most: int | None, field: str, what: str) -> int:
        if type(number) is not int:
            raise place.error(at + field, f"is {json_kind(number)}, a whole number is needed", SKIP)
        if not loose and (number < 0 or (most is not None and number >= most)):
            raise place.error(at + field, f"is {number}, {what}", SKIP)
        return number

    def listed(key: str) -> list[Any]:
        if not isinstance(value.get(key), list):
            raise place.error(at + key, not_a(value, key, "a list"), SKIP)
        found: list[Any] = value[key]
        return found

    if not isinstance(value, dict):
        raise place.error(at.rstrip("."), f"is {json_kind(value)}, an object is needed", SKIP)
    column = "no column of the table" if width is None else f"and the table has columns 0 to {width - 1}"
    select = [whole(n, width, f"sel[{i}]", column) for i, n in enumerate(listed("sel"))]
    most = len(AGGREGATES)
    aggregates = [whole(n, most, f"agg[{i}]", f"none of 0 to {most - 1}") for i, n in enumerate(listed("agg"))]
    if not loose and not select:
        raise place.error(at + "sel", "is empty", SKIP)
    if not loose and len(select) != len(aggregates):
        raise place.error(at + "agg", f"has {len(aggregates)} entries, and sel {len(select)}", SKIP)
    if "cond_conn_op" not in value:
        raise place.error(at + "cond_conn_op", "is missing", SKIP)
    connector = whole(value["cond_conn_op"], len(CONNECTORS), "cond_conn_op", f"none of 0 to {len(CONNECTORS) - 1}")
    conditions = []
    for i, condition in enumerate(listed("conds")):
        name = f"conds[{i}]"
        if not isinstance(condition, list) or len(condition) != 3:
            raise place.error(at + name, "is no list of column, operator and value", SKIP)
        where = whole(condition[0], width, f"{name}[0]", column)
        operator = whole(condition[1], len(OPERATORS), f"{name}[1]", f"none of 0 to {len(OPERATORS) - 1}")
        wanted = condition[2]
        if not loose and (isinstance(wanted, bool) or not isinstance(wanted, str | int | float)):
            raise place.error(f"{at}{name}[2]", f"is {json_kind(wanted)}, a string is needed", SKIP)
        conditions.append(Condition(where, operator, wanted if loose else str(wanted)))
    return Query(tuple(select), tuple(aggregates), connector, tuple(conditions))


def input_of(text: str) -> Example:
    """The question in ``question<TAB>FILE of tables``, and behind one more tab the id of the table where there are
    several.

    Raises:
        UserError: a part is missing, or there is no such table.
    """
    question, *rest = (part.strip() for part in text.split("\t"))
    mend = "write the question, a tab and a file of tables; where it has several, one more tab and the id of the table"
    if not question or not rest or not rest[0]:
        what = "has no question" if not question else "has a question, but no file of tables"
        raise UserError(what, file="--text", mend=mend)
    book = read_tables(rest[0])
    id = rest[1] if len(rest) > 1 else book.only
    if id is None:
        raise UserError(f"{rest[0]} has {len(book):,} tables: which one is asked?", file="--text", mend=mend)
    return parse_question({"question": question, "table_id": id}, Place("--text"), book, 0, gold=False)
