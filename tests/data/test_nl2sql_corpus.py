"""The corpus of questions on tables: made by its generator, sound, and as varied as it claims."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from ietool.tasks.nl2sql.data.example import Example, Query
from ietool.tasks.nl2sql.data.reading import load_examples
from ietool.tasks.nl2sql.sql.execution import execute, returns_something
from ietool.tasks.nl2sql.values.finding import find_values

DATA = Path(__file__).resolve().parents[2] / "data" / "nl2sql"
SPLITS = {"train": 1100, "val": 200, "test": 200}


@cache
def split(name: str) -> list[Example]:
    return list(load_examples(DATA / f"{name}.json"))


def queries(name: str) -> list[Query]:
    return [one.query for one in split(name) if one.query is not None]


def test_the_generator_writes_the_same_bytes(tmp_path: Path) -> None:
    subprocess.run([sys.executable, DATA / "generate.py", tmp_path], check=True)
    names = sorted(f"{name}{ending}" for name in SPLITS for ending in (".json", ".tables.json"))
    assert sorted(path.name for path in (tmp_path / "nl2sql").iterdir()) == names
    for name in names:
        assert (tmp_path / "nl2sql" / name).read_bytes() == (DATA / name).read_bytes(), name


def test_the_generator_reads_no_file() -> None:
    """So no line of the corpus comes from elsewhere."""
    for path in DATA.glob("*.py"):
        source = path.read_text(encoding="utf-8")
        assert not any(word in source for word in ("open(", "read_text", "read_bytes", "urllib", "http")), path.name


def test_size() -> None:
    assert {name: len(split(name)) for name in SPLITS} == SPLITS
    tables = {name: (DATA / f"{name}.tables.json").read_text(encoding="utf-8").count("\n") for name in SPLITS}
    assert tables == {"train": 28, "val": 6, "test": 6}
    files = [path for path in DATA.iterdir() if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 600_000
    assert all(2_000 <= path.stat().st_size <= 15_000 for path in files if path.suffix == ".py")


@pytest.mark.parametrize("name", SPLITS)
def test_the_form_is_that_of_tableqa(name: str) -> None:
    for line in (DATA / f"{name}.json").read_text(encoding="utf-8").splitlines():
        row: dict[str, Any] = json.loads(line)
        assert list(row) == ["table_id", "question", "sql"]
        assert list(row["sql"]) == ["sel", "agg", "cond_conn_op", "conds"]
        assert all(isinstance(value, str) for _, _, value in row["sql"]["conds"])
    for line in (DATA / f"{name}.tables.json").read_text(encoding="utf-8").splitlines():
        assert list(json.loads(line)) == ["id", "name", "title", "header", "types", "rows"]


@pytest.mark.parametrize("name", SPLITS)
def test_each_query_runs_and_gives_something(name: str) -> None:
    for one in split(name):
        assert one.query is not None
        assert returns_something(execute(one.query, one.table), one.query), one.question
        assert bool(one.query.connector) == (len(one.query.conditions) > 1), one.question


@pytest.mark.parametrize("name", SPLITS)
def test_all_there_is_to_a_query_is_asked_for(name: str) -> None:
    asked = queries(name)
    some = 0.01 * len(asked)
    aggregates = Counter(aggregate for one in asked for aggregate in one.aggregates)
    operators = Counter(condition.operator for one in asked for condition in one.conditions)
    connectors, counts = Counter(one.connector for one in asked), Counter(len(one.conditions) for one in asked)
    for found, keys in ((aggregates, range(6)), (operators, range(4)), (connectors, range(3)), (counts, (1, 2, 3))):
        assert set(found) == set(keys) and min(found.values()) > some, found
    several = [len(one.conditions) > len({c.column for c in one.conditions}) for one in asked]
    assert 0.1 < sum(several) / len(asked) < 0.4
    assert sum(len(one.select) > 1 for one in asked) > 10 * some


def test_no_question_and_no_table_is_there_twice() -> None:
    questions = [one.question for name in SPLITS for one in split(name)]
    assert len(set(questions)) == len(questions)
    tables = {name: {one.table.id for one in split(name)} for name in SPLITS}
    assert not tables["train"] & tables["val"] and not tables["train"] & tables["test"]
    headers = {name: {one.table.header for one in split(name)} for name in SPLITS}
    assert headers["val"] | headers["test"] <= headers["train"] and len(headers["train"]) == 10


@pytest.mark.parametrize("name", SPLITS)
def test_values_are_written_in_many_ways_and_can_be_found(name: str) -> None:
    """About half of the numbers do not stand in the question as the query has them, and nearly all can be told."""
    numbers = literal = found = total = 0
    for one in split(name):
        assert one.query is not None
        mentions = {(m.column, m.value) for m in find_values(one.question, one.table)}
        for condition in one.query.conditions:
            total += 1
            found += (condition.column, condition.value) in mentions
            if one.table.types[condition.column] == "real":
                numbers += 1
                literal += condition.value in one.question
    assert found / total > 0.99
    assert 0.3 < literal / numbers < 0.7
    questions = "".join(one.question for one in split(name))
    for sign in ("万", "亿", "%", "百分之", "成", "两", "零", "年", ",", "５", "以上", "或者", "不是"):
        assert sign in questions, sign


@pytest.mark.parametrize("name", ["val", "test"])
def test_the_cells_of_other_splits_are_new(name: str) -> None:
    known = {c.value for one in queries("train") for c in one.conditions if not c.value.replace(".", "").isdigit()}
    values = [c.value for one in queries(name) for c in one.conditions if not c.value.replace(".", "").isdigit()]
    assert sum(value not in known for value in values) / len(values) > 0.6
