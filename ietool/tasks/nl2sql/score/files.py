"""Reading what is scored: questions with gold, and the queries of a submission."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, overload

from ietool.errors import UserError
from ietool.files.documents import Place, read_documents
from ietool.files.lines import SKIP
from ietool.files.plain_json import json_kind
from ietool.scoring.coverage import check_shared
from ietool.scoring.occurrences import numbered, numbered_as
from ietool.scoring.report import Report
from ietool.tasks.nl2sql.data.example import Query, Table
from ietool.tasks.nl2sql.data.holding import by_table
from ietool.tasks.nl2sql.data.reading import parse_query
from ietool.tasks.nl2sql.data.sources import tables_beside
from ietool.tasks.nl2sql.data.table_files import read_tables, table_id
from ietool.tasks.nl2sql.data.tables import TableBook
from ietool.tasks.nl2sql.score.scorer import METRICS, NO_TABLES, score

_FORMAT = 'write {"sel": […], "agg": […], "cond_conn_op": …, "conds": […]} a line, one for every question'


@dataclass(frozen=True, slots=True)
class Asked:
    """A record of gold.

    Attributes:
        question: empty where it has none.
        id: what it has under ``id``, as text; None without.
        table: the id of its table; None where it names none.
    """

    place: Place
    query: Query
    question: str
    id: str | None
    table: str | None


def read_gold(path: str | Path) -> Iterator[Asked]:
    """The questions of a gold file.

    Raises:
        UserError: naming file, line and field of what is not of the form.
    """
    for place, record in read_documents(path, None):
        query, record = read_query(record, place)
        question = record.get("question")
        table = None if record.get("table_id") is None else table_id(record["table_id"], place, "table_id")
        yield Asked(place, query, question if isinstance(question, str) else "", identity(record, place), table)


def read_query(record: Any, place: Place) -> tuple[Query, dict[str, Any]]:
    """(query, record): of a record that is a query, or has one under ``sql``.

    Raises:
        UserError: it is neither.
    """
    if not isinstance(record, dict):
        raise place.error("", f"is {json_kind(record)}, an object is needed", _FORMAT)
    if "sql" in record:
        return parse_query(record["sql"], place, None, "sql.", loose=True), record
    if "sel" not in record:
        raise place.error("sql", "is missing", "is this a test file? " * ("question" in record) + _FORMAT)
    return parse_query(record, place, None, loose=True), record


def identity(record: dict[str, Any], place: Place) -> str | None:
    """What a record has under ``id``, as text."""
    found = record.get("id")
    if isinstance(found, dict | list | bool):
        raise place.error("id", f"is {json_kind(found)}, a number or a string is needed", SKIP)
    return None if found is None else str(found)


def score_paths(
    gold: str | Path,
    predictions: str | Path,
    *,
    metric: str | None = None,
    tables: str | Path | None = None,
    explain: bool = False,
) -> Report:
    """The score of a submission file: as :func:`ietool.tasks.nl2sql.score.scorer.score`, on files plain or packed.

    Questions and queries are held against one another by ``id`` where all have one (of one that stands several times
    the first with the first), else line by line.

    Args:
        tables: the file of tables; default: the one beside gold, if there is one.

    Raises:
        UserError: a file cannot be read or is not of the form, gold holds no question, there are not as many queries,
            or a table is missing from its file.
    """
    asked = list(read_gold(gold))
    if not asked:
        raise UserError("holds no question", file=gold, mend="bring the gold file of the questions you predicted on")
    given: list[tuple[str | None, Query]] = []
    for place, record in read_documents(predictions, None):
        query, whole = read_query(record, place)
        given.append((identity(whole, place), query))
    chosen = metric or METRICS[0]
    notes: list[str] = []
    matched = _matched(asked, given, predictions, notes)
    found, order = None, None
    if chosen == "tableqa":
        book, why = _book(gold, tables)
        if book is None:
            notes.append(f"{NO_TABLES}: {why}")
            chosen = "logical"
        else:
            found = _TablesOf([_table_of(one, book) for one in asked], book)
            order = by_table(found.ids)
    return score(
        [one.query for one in asked],
        matched,
        tables=found,
        metric=chosen,
        order=order,
        questions=[one.question for one in asked],
        explain=explain,
        notes=notes,
    )


def _book(gold: str | Path, tables: str | Path | None) -> tuple[TableBook | None, str]:
    if tables is not None:
        return read_tables(tables), ""
    try:
        beside = tables_beside(gold)
    except UserError as error:
        return None, f"{gold} {error.message}"
    return read_tables(beside), ""


def _table_of(asked: Asked, book: TableBook) -> str:
    """The id of the table of a question."""
    if asked.table is None:
        raise asked.place.error("table_id", "is missing", "score the logical form alone: --metric logical")
    if asked.table not in book:
        mend = "name its file with --file tables=FILE, or score the logical form alone: --metric logical"
        raise asked.place.error("table_id", f"{asked.table!r} is no table of {book.path}", mend)
    return asked.table


class _TablesOf(Sequence[Table]):
    """The tables of questions, read when they are asked for: all of them may be more than memory holds."""

    def __init__(self, ids: Sequence[str], book: TableBook) -> None:
        self.ids, self._book = ids, book

    def __len__(self) -> int:
        return len(self.ids)

    @overload
    def __getitem__(self, number: int) -> Table: ...
    @overload
    def __getitem__(self, number: slice) -> _TablesOf: ...
    def __getitem__(self, number: int | slice) -> Table | _TablesOf:
        if isinstance(number, slice):
            return _TablesOf(self.ids[number], self._book)
        table = self._book.find(self.ids[number])
        assert table is not None, "what is not in the book was told"
        return table


def _matched(
    asked: list[Asked], given: list[tuple[str | None, Query]], path: str | Path, notes: list[str]
) -> list[Query | None]:
    """The query of each question."""
    if not given:
        notes.append(f"{path} holds no record: every question counts as wrong")
        return [None] * len(asked)
    ids = [one.id for one in asked]
    if None not in ids and all(id is not None for id, _ in given):
        wanted, others = numbered(ids), numbered_as(ids, [id for id, _ in given])
        found = {key: query for key, (_, query) in zip(others, given, strict=True) if key[1] >= 0}
        if repeated := len(given) - len(found):
            notes.append(f"predictions: {repeated:,} lines have an id that stands again further down; the last wins")
        shared = len(found.keys() & set(wanted))
        check_shared(len(wanted), len(found), shared, file=path, what="questions")
        matched = [found.get(key) for key in wanted]
        if unanswered := sum(query is None for query in matched):
            notes.append(f"{unanswered:,} of {len(asked):,} questions have no prediction and count as wrong")
        return matched
    if len(given) != len(asked):
        what = f"has {len(given):,} queries, and gold {len(asked):,} questions"
        raise UserError(what, file=path, mend="write one query for every question, in the order of gold")
    return [query for _, query in given]
