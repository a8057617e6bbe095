"""How a prepared folder keeps questions: a line each, with the number of its table, and every table once."""

from __future__ import annotations

import json
from pathlib import Path

from ietool.core.intake import Kept, bare
from ietool.files.plain_json import dump_json
from ietool.tasks.nl2sql.data.example import Condition, Example, Query
from ietool.tasks.nl2sql.data.tables import TABLES_FILE, Tables, TableWriter


class Keeping:
    """Writes and reads the questions of a prepared folder.

    Args:
        folder: where the tables lie.
        new: whether they are written first; else they are there.
    """

    def __init__(self, folder: Path, *, new: bool = False) -> None:
        self._folder = folder
        self._writer = TableWriter(folder / TABLES_FILE) if new else None
        self._tables: Tables | None = None
        self.kept: Kept[Example] = Kept(self._dump, self._load, identity, _gold, kin)

    @property
    def tables(self) -> int:
        """How many tables were written."""
        return 0 if self._writer is None else len(self._writer)

    def close(self) -> None:
        """Finish the file of tables."""
        if self._writer is not None:
            self._writer.close()

    def _dump(self, example: Example) -> str:
        assert self._writer is not None
        query = None if example.query is None else example.query.plain
        number = self._writer.add(example.table)
        return dump_json([example.number, example.question, number, query, example.id, example.file, example.line])

    def _load(self, line: str) -> Example:
        place, question, number, plain, id, file, at = json.loads(line)
        if self._tables is None or number >= len(self._tables):  # written since
            if self._writer is not None:
                self._writer.flush()
            self._tables = Tables.open(self._folder)
        query = None if plain is None else query_of(plain)
        return Example(place, question, self._tables[number], query, id, file, at)


def query_of(plain: dict[str, list[int]]) -> Query:
    """The query of an object ``sql`` that :attr:`Query.plain` made."""
    conditions = tuple(Condition(*each) for each in plain["conds"])  # type: ignore[misc]
    return Query(tuple(plain["sel"]), tuple(plain["agg"]), plain["cond_conn_op"], conditions)  # type: ignore[arg-type]


def identity(example: Example) -> str:
    """What tells a question from all others: itself and its table."""
    return f"{example.table.id}\t{example.question}"


def kin(example: Example) -> list[str]:
    """What near-duplicates share: the question but for case and punctuation, or the query, on the same table."""
    found = [f"{example.table.id}\t{bare(example.question)}"]
    return found if example.query is None else [*found, f"{example.table.id}\t{_gold(example)}"]


def _gold(example: Example) -> str:
    return "" if example.query is None else dump_json(example.query.plain)
