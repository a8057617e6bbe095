"""Queries on SQLite: what they give, what they may not, and what of them is nothing."""

from __future__ import annotations

import gc
import random
import sqlite3
import threading
import weakref
from collections.abc import Sequence
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ietool.errors import UserError
from ietool.tasks.nl2sql.data.example import Cell, Condition, Query, Table
from ietool.tasks.nl2sql.data.holding import Holding
from ietool.tasks.nl2sql.score.scorer import score
from ietool.tasks.nl2sql.sql import database
from ietool.tasks.nl2sql.sql.choosing import first_that_returns
from ietool.tasks.nl2sql.sql.database import Database, database_of
from ietool.tasks.nl2sql.sql.execution import Failure, Rows, execute, returns_something
from tests.tasks.nl2sql.invented import FILMS, query, table


@pytest.mark.parametrize(
    ("asked", "rows"),
    [
        (query((1, 2, "喜剧")), [("晚风记",), ("长河之恋",)]),
        (query((1, 3, "喜剧")), [("雪路",)]),  # NULL is neither
        (query((2, 0, "1200"), select={0: 0}), [("雪路",), ("海信传",)]),
        (query((2, 2, "1200")), [("晚风记",)]),  # a number written as text is a number there
        (query((2, 2, "1200.0")), [("晚风记",)]),
        (query((2, 2, "一千二")), []),
        (query((3, 1, "30"), (0, 2, "雪路"), connector=2, select={0: 4}), [(2,)]),
        (query((3, 1, "30"), (0, 2, "雪路"), connector=1, select={0: 4}), [(0,)]),
        (query((1, 2, "喜剧"), select={2: 5, 3: 2}), [(2000.0, 35.0)]),
        (query((1, 2, "喜剧"), connector=1, select={2: 1}), [(1000.0,)]),  # one condition with a connector runs
        (query((0, 2, "晚风记"), select={4: 0, 0: 0, 2: 0}), [(1200.0, "2019年3月5日", "晚风记")]),  # sorted by string
        (query((1, 2, "没有"), select={2: 2}), [(None,)]),
        (query((0, 2, "雪路"), (0, 2, "晚风记"), connector=2), [("晚风记",), ("雪路",)]),  # in the table's order
    ],
)
def test_rows(asked: Query, rows: Rows) -> None:
    assert execute(asked, FILMS) == rows


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        (query((1, 2, "喜剧"), (0, 2, "雪路")), "connector"),
        (query(), "empty"),
        (Query((), (), 0, (Condition(0, 2, "x"),)), "empty"),
        (query((9, 2, "x")), "error"),
        (query((0, 7, "x")), "error"),
        (query((0, 2, "x"), select={-1: 0}), "error"),
        (query((0, 2, "x"), select={0: 9}), "error"),
        (query((0, 2, "x"), (1, 2, "y"), connector=5), "error"),
        (query((0, 2, ["x"])), "error"),
        (query((0, 2, 10**30)), "error"),
        (query((0, 2, "\ud800")), "error"),
        (Query(("0; DROP TABLE cells",), (0,), 0, (Condition(0, 2, "x"),)), "error"),  # type: ignore[arg-type]
    ],
)
def test_what_does_not_run_says_why(asked: Query, reason: str) -> None:
    assert execute(asked, FILMS) == Failure(reason)


def test_a_table_that_cannot_be_held_is_not_the_fault_of_the_query() -> None:
    """Else the wrong query would fail as gold does, and be right."""
    wide = table([], ["a"] * 2001)
    with pytest.raises(UserError, match=r"SQLite cannot hold the table 't' \(too many columns on cells\)"):
        execute(query((1, 2, "v1")), wide)
    with pytest.raises(UserError, match="cannot hold"):
        score([query((1, 2, "v1"))], [query((0, 2, "x"))], tables=[wide], resamples=0)


def test_a_column_that_is_selected_twice_comes_once() -> None:
    asked = Query((0, 0), (0, 0), 0, (Condition(0, 2, "雪路"),))
    assert execute(asked, FILMS) == [("雪路",)]


HOSTILE = ('"; DROP TABLE cells; --', "' OR 1=1 --", 'a"b', "a'b", "col_0", "%", "?", "\\", "x\0y", "ATTACH 'f' AS g")


@pytest.mark.parametrize("value", HOSTILE)
def test_sql_in_cells_and_values_is_text(value: str) -> None:
    hostile = table([(value, 1.0), ("harmless", 2.0)], (value, "数"), ("text", "real"))
    assert execute(query((0, 2, value), select={1: 0}), hostile) == [(1.0,)]
    assert execute(query((0, 2, "nothing of it"), select={1: 0}), hostile) == []
    assert execute(query((0, 3, value)), hostile) == [("harmless",)]


def test_a_database_can_only_be_read(tmp_path: Path) -> None:
    opened = Database(FILMS)
    for statement in (
        "DELETE FROM cells", "DROP TABLE cells", "UPDATE cells SET col_0 = 'x'", "INSERT INTO cells (col_0) VALUES (1)",
        f"ATTACH '{tmp_path / 'other.db'}' AS other", "PRAGMA query_only = 0", "CREATE TABLE t (x)", "BEGIN",
        "SELECT load_extension('x')", "SELECT hex(col_0) FROM cells", f"VACUUM INTO '{tmp_path / 'copy.db'}'",
        "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n",
    ):  # fmt: skip
        with pytest.raises(sqlite3.Error):
            opened.run(statement, ())
    assert opened.run("SELECT COUNT(*) FROM cells", ()) == [(4,)]
    assert not list(tmp_path.iterdir())


def test_a_query_that_runs_too_long_is_ended() -> None:
    many = table([(str(n),) for n in range(3000)], ("a",))
    asked = query((0, 0, "1"), select={0: 4})
    assert execute(asked, many) == [(2998,)]  # all but 0 and 1
    with mock.patch.object(database, "STEPS", 1000), mock.patch.object(database, "_EVERY", 100):
        assert execute(asked, table(many.rows, ("a",))) == Failure("error")


def test_ten_thousand_rows() -> None:
    many = table([(f"n{n}", float(n)) for n in range(10_000)], ("名", "数"), ("text", "real"))
    assert execute(query((1, 0, "9998")), many) == [("n9999",)]
    assert execute(query((1, 1, "10"), select={1: 5}), many) == [(45.0,)]


def test_an_empty_table_gives_nothing() -> None:
    empty = table([], ("a", "b"), ("text", "real"))
    asked = query((0, 2, "x"), select={1: 2})
    assert execute(query((0, 2, "x")), empty) == []
    assert execute(asked, empty) == [(None,)] and not returns_something(execute(asked, empty), asked)


def test_a_database_that_is_no_longer_held_gives_its_memory_back() -> None:
    gc.disable()  # at once, not when rubbish is collected
    try:
        kept = Holding(Database, 250)
        tables = [table([("x",)] * 100, ("a",), id=str(n)) for n in range(4)]
        first = weakref.ref(kept.of(tables[0]))
        assert first() is kept.of(tables[0])
        for one in tables[1:]:
            kept.of(one)
        assert len(kept) == 2 and first() is None
    finally:
        gc.enable()


def test_answers_are_kept_and_told_apart_by_the_kind_of_their_values(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "KEPT", 3)
    one = Database(Table("t", ("a",), ("text",), (("1",), ("1.0",), ("x",))))
    asked: list[Cell] = ["1", 1, 1.0, "x", 1.0, "1", 1]
    statement = "SELECT col_0 FROM cells WHERE col_0 == ?"
    assert [one.run(statement, [value]) for value in asked] == [
        [("1",)], [("1",)], [("1.0",)], [("x",)], [("1.0",)], [("1",)], [("1",)],
    ]  # fmt: skip
    assert len(one._answers) == 3
    with mock.patch.object(one, "_db") as closed:
        assert one.run(statement, [1]) == [("1",)]  # not asked again
    closed.execute.assert_not_called()


def test_each_thread_has_databases_of_its_own() -> None:
    here, there = database_of(FILMS), []
    thread = threading.Thread(target=lambda: there.append(database_of(FILMS)))
    thread.start()
    thread.join()
    assert there[0] is not here and there[0].run("SELECT COUNT(*) FROM cells", ()) == [(4,)]


# -- what is nothing


@pytest.mark.parametrize(
    ("asked", "something"),
    [
        (query((1, 2, "喜剧")), True),
        (query((1, 2, "动画")), False),
        (query((1, 2, "动画"), select={0: 4}), False),  # a count of 0
        (query((1, 2, "喜剧"), select={0: 4}), True),
        (query((1, 2, "动画"), select={2: 5}), False),  # NULL
        (query((1, 2, "动画"), select={2: 5, 0: 4}), False),
        (query((1, 2, "动画"), select={0: 0, 2: 2}), False),  # a bare column beside it is NULL too
        (query((0, 2, "海信传"), select={3: 0}), True),  # a row, though its cell is empty
        (query((0, 2, "海信传"), select={3: 1}), False),
        (query(), False),
    ],
)
def test_an_aggregate_over_nothing_is_nothing(asked: Query, something: bool) -> None:
    assert returns_something(execute(asked, FILMS), asked) == something


def test_a_sum_of_zero_is_something() -> None:
    zeros = table([("a", 0.0)], ("名", "数"), ("text", "real"))
    asked = query((0, 2, "a"), select={1: 5})
    assert execute(asked, zeros) == [(0.0,)] and returns_something(execute(asked, zeros), asked)


# -- the choice


def test_the_first_query_that_returns_is_chosen() -> None:
    failing, empty, good, later = (
        query((9, 2, "x")), query((1, 2, "动画")), query((1, 2, "喜剧")), query((0, 2, "雪路"))
    )  # fmt: skip
    assert first_that_returns([failing, empty, good, later], FILMS) == (2, {"failed": 1, "nothing": 1})
    assert first_that_returns([good, failing], FILMS) == (0, {})
    assert first_that_returns([empty, failing], FILMS) == (0, {"nothing": 1, "failed": 1, "none": 1})
    assert first_that_returns([empty, good], FILMS, most=1) == (0, {"nothing": 1, "none": 1})
    assert first_that_returns([], FILMS) == (0, {"none": 1})


def test_no_more_queries_are_looked_at_than_needed() -> None:
    def ranked() -> object:
        yield query((1, 2, "喜剧"))
        raise AssertionError("looked at")

    assert first_that_returns(ranked(), FILMS)[0] == 0  # type: ignore[arg-type]


# -- a literal twin: every row, every condition, in Python


def twin(asked: Query, asked_of: Table) -> Rows:
    """What a query gives, read off the rows one by one; for columns of whole numbers and of letters."""

    def number(text: str) -> float | None:
        try:
            return float(text)
        except ValueError:
            return None

    def fulfils(row: Sequence[Cell], one: Condition) -> bool:
        cell, value = row[one.column], one.value
        if cell is None:
            return False
        real = asked_of.types[one.column] == "real"
        if real:
            wanted: Cell = number(value)
            if wanted is None:  # SQLite puts every text behind every number
                return one.operator in (1, 3)
        else:
            wanted = value
        assert wanted is not None
        return [cell > wanted, cell < wanted, cell == wanted, cell != wanted][one.operator]  # type: ignore[operator]

    joint = any if asked.connector == 2 else all
    rows = [row for row in asked_of.rows if joint(fulfils(row, one) for one in asked.conditions)]
    if not any(asked.aggregates):
        chosen = list(dict.fromkeys(asked.select))
        return [tuple(sorted((row[n] for n in chosen), key=str)) for row in rows]
    found: list[Cell] = []
    for n, aggregate in dict.fromkeys(zip(asked.select, asked.aggregates, strict=True)):
        cells = [cell for row in rows if (cell := row[n]) is not None]
        numbers = [float(cell) for cell in cells] if asked_of.types[n] == "real" else []
        if aggregate == 4:
            found.append(len(cells))
        elif not cells:
            found.append(None)
        elif aggregate in (2, 3):
            found.append((max if aggregate == 2 else min)(cells))  # type: ignore[type-var]
        else:
            found.append(sum(numbers) / (len(numbers) if aggregate == 1 else 1))
    return [tuple(sorted(found, key=str))]


_rows = st.lists(
    st.tuples(st.sampled_from(["a", "b", "B", "", None]), st.sampled_from([0.0, 1.0, 2.0, -3.0, None])), max_size=6
)
_conditions = st.lists(
    st.one_of(
        st.builds(Condition, st.just(0), st.integers(0, 3), st.sampled_from(["a", "b", "", "é"])),
        st.builds(Condition, st.just(1), st.integers(0, 3), st.sampled_from(["1", "2.0", "-3", "x", "0"])),
    ),
    min_size=1, max_size=3,
)  # fmt: skip


@settings(max_examples=80, deadline=None)
@given(rows=_rows, conditions=_conditions, connector=st.integers(1, 2), seed=st.integers(0, 999))
def test_execution_is_that_of_a_literal_twin(
    rows: list[tuple[Cell, ...]], conditions: list[Condition], connector: int, seed: int
) -> None:
    dice = random.Random(seed)
    asked_of = table(rows, ("文", "数"), ("text", "real"))
    choices = [{0: 0}, {0: 0, 1: 0}, {0: 4}, {1: dice.choice([1, 2, 3, 5])}, {1: 5, 0: 2}, {1: 4, 0: 3}]
    select = dice.choice(choices)
    asked = Query(tuple(select), tuple(select.values()), connector, tuple(conditions))
    assert execute(asked, asked_of) == twin(asked, asked_of)
