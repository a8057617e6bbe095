"""Invented tables and questions, and files of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ietool.tasks.nl2sql.data.example import Cell, Condition, Query, Table
from ietool.tasks.nl2sql.data.tables import dump_table

FILMS = Table(
    "films",
    ("影片", "类型", "票房（万元）", "上座率(%)", "上映日期"),
    ("text", "text", "real", "real", "text"),
    (
        ("晚风记", "喜剧", 1200.0, 35.0, "2019年3月5日"),
        ("雪路", "悬疑", 30500.5, 80.0, "2018年11月20日"),
        ("长河之恋", "喜剧", 800.0, 20.0, "2019年3月18日"),
        ("海信传", None, 56000.0, None, "2020年1月1日"),
    ),
    "院线影片",
)


def table(
    rows: Iterable[Sequence[Cell]], header: Sequence[str], types: Sequence[str] | None = None, id: str = "t"
) -> Table:
    kept = tuple(tuple(row) for row in rows)
    return Table(id, tuple(header), tuple(types or ["text"] * len(header)), kept)


def query(*conditions: tuple[int, int, Any], select: Mapping[int, int] | None = None, connector: int = 0) -> Query:
    """A query; by default it selects the first column."""
    chosen = dict(select or {0: 0})
    return Query(tuple(chosen), tuple(chosen.values()), connector, tuple(Condition(*one) for one in conditions))


def same(one: Table, other: Table) -> bool:
    """Whether two tables say the same: they are equal to themselves alone."""
    return dump_table(one) == dump_table(other)


def record_of(table: Table) -> dict[str, Any]:
    return {
        "id": table.id, "title": table.title, "header": list(table.header), "types": list(table.types),
        "rows": [list(row) for row in table.rows],
    }  # fmt: skip


def write_lines(path: Path, records: Iterable[Any]) -> Path:
    path.write_text("".join(json.dumps(one, ensure_ascii=False) + "\n" for one in records), encoding="utf-8")
    return path


QUESTIONS: tuple[dict[str, Any], ...] = (
    {"table_id": "films", "question": "喜剧的影片有哪些？", "sql": query((1, 2, "喜剧")).plain},
    {"table_id": "films", "question": "雪路的票房是多少", "sql": query((0, 2, "雪路"), select={2: 0}).plain},
    {
        "table_id": "films",
        "question": "票房超过三千万或者上座率低于百分之三十的影片有几部？",
        "sql": query((2, 0, "3000"), (3, 1, "30"), select={0: 4}, connector=2).plain,
    },
)


def write_corpus(folder: Path, name: str = "val", questions: Iterable[Any] = QUESTIONS) -> Path:
    """Questions, with the table of films beside them."""
    folder.mkdir(exist_ok=True)
    write_lines(folder / f"{name}.tables.json", [record_of(FILMS)])
    return write_lines(folder / f"{name}.json", questions)
