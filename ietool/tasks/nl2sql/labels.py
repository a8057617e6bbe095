"""Queries as labels: looked at one by one, changed, and written again."""

from __future__ import annotations

import tempfile
from collections.abc import Hashable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ietool.core.candidates import Candidates, Layout
from ietool.core.labelled import TYPE, Edits, Labels, changed, leave
from ietool.errors import UserError
from ietool.files.documents import Place, read_documents
from ietool.files.lines import OnBad
from ietool.files.plain_json import dump_json
from ietool.tasks.nl2sql.data.example import Example, Query
from ietool.tasks.nl2sql.data.reading import parse_query
from ietool.tasks.nl2sql.data.tables import TableWriter
from ietool.tasks.nl2sql.features.alignment import align
from ietool.tasks.nl2sql.heads.sketch.beam import probability_of
from ietool.tasks.nl2sql.heads.sketch.decode import COMPARE, SELECT, Answered, key_of, parted


class QueryLabels(Labels[Example, Query]):
    """In TableQA's form: a question has one query."""

    item = "query"

    def __init__(self, folder: Path, layout: Layout) -> None:
        super().__init__(folder, layout)
        self._tables: tuple[TableWriter, Any] | None = None

    def identity(self, record: Example) -> str:
        return f"{record.table.id}\t{record.question}"

    def text(self, record: Example) -> str:
        return record.question

    def gold(self, record: Example) -> Sequence[Query]:
        return [] if record.query is None else [record.query]

    def found(self, prediction: Answered) -> Sequence[tuple[Query, float]]:
        return [(prediction.query, prediction.probability)]

    def key(self, item: Query) -> Hashable:
        return key_of(item)

    def scores(self, record: Example, found: Candidates, items: Sequence[Query]) -> Sequence[float]:
        parts = parted(record, found)
        return [probability_of(item, parts) for item in items]

    def rows(self, record: Example) -> Any:
        if record.query is None:
            return super().rows(record)
        selects = zip(record.query.select, record.query.aggregates, strict=True)
        rows = [(SELECT, 0, 0, column, kind, 0) for column, kind in selects]
        return rows + [(COMPARE, *a.span, a.column, a.operator, a.form) for a in align(record).found]

    def differs(self, gold: Query, other: Query) -> str:
        return TYPE  # a question has one query: the other one is in its place

    def plain(self, record: Example, item: Query) -> dict[str, Any]:
        return item.plain

    def item_of(self, record: Example, plain: Mapping[str, Any]) -> Query:
        try:
            return parse_query(dict(plain), Place(""), record.table.width)
        except UserError as error:
            raise ValueError(f"{error.field}: {error.message}") from None

    def places(self, record: Example, item: Query) -> Sequence[tuple[int, int]]:
        wanted = Example(record.number, record.question, record.table, item)
        return [one.span for one in align(wanted).found]

    def written(self, record: Example, items: Sequence[Query]) -> str:
        """Without a query there is nothing to learn of a question: it is left out."""
        if not items:
            return ""
        if self._tables is None:
            file = tempfile.NamedTemporaryFile(prefix="ietool-", suffix=".jsonl")  # noqa: SIM115
            self._tables = TableWriter(Path(file.name)), file
        self._tables[0].add(record.table)
        line = {"table_id": record.table.id, "question": record.question, "sql": items[0].plain}
        return dump_json(line if record.id is None else {"id": record.id, **line}) + "\n"

    def companions(self) -> Iterator[tuple[str, Path]]:
        """The tables of the questions that were written."""
        if self._tables is not None:
            self._tables[0].flush()
            yield ".tables.jsonl", Path(self._tables[1].name)

    def edited(self, source: Path, edits: Mapping[str, Edits[Query]], on_bad: OnBad = leave) -> Iterator[str]:
        """A record a line; what a changed one has besides is kept. One whose query goes is left out: there is nothing
        to learn of it."""
        for place, record in read_documents(source, on_bad):
            now = self._edited(record, place, edits)
            if now is not None:
                yield dump_json(now) + "\n"

    def _edited(self, record: Any, place: Place, edits: Mapping[str, Edits[Query]]) -> Any:
        if not isinstance(record, dict):
            return record
        edit = edits.get(f"{record.get('table_id')}\t{record.get('question')}")
        if edit is None:
            return record
        edit.seen += 1
        try:
            now = [parse_query(record.get("sql"), place, None)]
        except UserError:  # which preparing told of or left out
            return record
        kept, old = changed(now, edit, self.key), {self.key(query) for query in now}
        # A question has one query: what comes goes before what stays.
        first = next((query for query in kept if self.key(query) not in old), kept[0] if kept else None)
        return None if first is None else {**record, "sql": first.plain}

    def doubt(self, found: Candidates) -> float:
        """What the likeliest query lacks to certainty, part by part: of every column and every stretch what its options
        leave open, and of the connector."""
        open_ = 1.0 - float(found.whole.max(initial=0.0))
        best: dict[tuple[int, ...], float] = {}
        probability = self.layout.probability(found.parts)
        for row, p in zip(found.rows.tolist(), probability.tolist(), strict=True):
            part, start, end, column, *_ = row
            key = (part, column) if part == SELECT else (part, start, end)
            best[key] = max(best.get(key, 0.0), p)
        return open_ + sum(min(p, 1.0 - p) for p in best.values())
