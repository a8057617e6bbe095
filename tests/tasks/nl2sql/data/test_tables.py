"""Files of tables, as they come and as they should not, and tables on disk."""

from __future__ import annotations

import gc
import sqlite3
import weakref
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ietool.errors import UserError
from ietool.tasks.nl2sql.data import tables as tables_room
from ietool.tasks.nl2sql.data.example import Table
from ietool.tasks.nl2sql.data.reading import load_examples
from ietool.tasks.nl2sql.data.table_files import MOST_COLUMNS, read_tables
from ietool.tasks.nl2sql.data.tables import Tables, TableWriter, dump_table, load_table
from ietool.tasks.nl2sql.sql.execution import execute
from tests.tasks.nl2sql.invented import FILMS, query, record_of, same, table, write_corpus, write_lines

# -- bad tables


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"id": ...}, "id: is missing"), ({"id": ""}, "id: is empty"), ({"id": None}, "id: is null"),
        ({"id": True}, "id: is true or false"),
        ({"header": ...}, "header: is missing"), ({"header": []}, "header: is empty, a list of names is needed"),
        ({"header": "x"}, "header: is a string"),
        ({"header": ["a", 1, "c", "d", "e"]}, "header: holds what is no string"),
        ({"header": ["a"] * 2001, "rows": []}, "header: has 2,001 columns, and SQLite holds no"),
        ({"types": ["text"]}, "types: has 1 entries, and the header 5 columns"),
        ({"types": "text"}, "types: is a string"),
        ({"types": ["text", "text", "real", "number", "text"]}, "types[3]: is none of text, real"),
        ({"rows": ...}, "rows: is missing"), ({"rows": {}}, "rows: is an object"),
        ({"rows": [["a"]]}, "rows[0]: has 1 cells, and the header 5 columns"),
        ({"rows": [["a", "b", 1, 2, "c"], None]}, "rows[1]: is null, a list of cells is needed"),
        ({"rows": [["a", "b", True, 2, "c"]]}, "rows[0][2]: is true or false"),
        ({"rows": [["a", ["b"], 1, 2, "c"]]}, "rows[0][1]: is a list"),
        ({"rows": [["a", "b", 10**400, 2, "c"]]}, "rows[0][2]: is a number too large"),
    ],
)  # fmt: skip
def test_a_bad_table_is_told(tmp_path: Path, change: dict[str, Any], told: str) -> None:
    record = {key: value for key, value in (record_of(FILMS) | change).items() if value is not ...}
    path = write_lines(tmp_path / "t.json", [record_of(table([], ("a",), id="first")), record])
    with pytest.raises(UserError) as error:
        read_tables(path)
    assert str(error.value).startswith(f"{path}:2: {told}"), str(error.value)


def test_two_tables_of_one_id(tmp_path: Path) -> None:
    twice = write_lines(tmp_path / "twice.json", [record_of(FILMS)] * 2)
    assert len(read_tables(twice)) == 1
    other = write_lines(tmp_path / "other.json", [record_of(FILMS), record_of(table([], ("a",), id="films"))])
    with pytest.raises(UserError, match="'films' is that of another table above"):
        read_tables(other)


def test_files_that_hold_no_tables(tmp_path: Path) -> None:
    empty = tmp_path / "empty.json"
    empty.write_bytes(b"")
    with pytest.raises(UserError, match="holds no table"):
        read_tables(empty)
    with pytest.raises(UserError, match="no such file"):
        read_tables(tmp_path / "missing.json")
    with pytest.raises(UserError, match=r"id: is missing.*is it a file of questions\?"):
        read_tables(write_corpus(tmp_path / "data"))
    infinite = tmp_path / "infinite.json"
    infinite.write_text('{"id": "t", "header": ["a"], "types": ["real"], "rows": [[NaN]]}\n', encoding="utf-8")
    with pytest.raises(UserError, match="NaN"):
        read_tables(infinite)


def test_what_tables_may_have(tmp_path: Path) -> None:
    rows = [["a'b\"", "x; DROP TABLE t", 1], [None, "\u2028", 10**30], ["", "名", -2.5]]
    record = {"id": "t", "header": ["名", "名", "数"], "rows": rows, "title": None, "common": "…"}
    found = read_tables(write_lines(tmp_path / "t.json", [record])).find("t")
    assert found is not None and found.types == ("text", "text", "real") and found.title == ""
    assert found.rows == (("a'b\"", "x; DROP TABLE t", 1), (None, "\u2028", 1e30), ("", "名", -2.5))
    assert found.width == 3 and found.column(2) == [1, 1e30, -2.5]
    nothing = read_tables(write_lines(tmp_path / "e.json", [record | {"rows": []}])).find("t")
    assert nothing is not None and nothing.rows == () and nothing.types == ("text", "text", "text")


def test_the_widest_table_can_be_asked(tmp_path: Path) -> None:
    record = {"id": "w", "header": ["a"] * MOST_COLUMNS, "rows": [[f"v{n}" for n in range(MOST_COLUMNS)]]}
    found = read_tables(write_lines(tmp_path / "t.json", [record])).find("w")
    assert found is not None and execute(query((1, 2, "v1"), select={1999: 0}), found) == [("v1999",)]


# -- databases


def test_a_database_alone_will_do(tmp_path: Path) -> None:
    source = write_corpus(tmp_path / "data")
    source.with_name("val.tables.json").unlink()
    path = source.with_name("val.db")
    db = sqlite3.connect(path)
    db.execute('CREATE TABLE "Table_films" (col_1 TEXT, col_2 VARCHAR(9), col_3 REAL, col_4 INTEGER, col_5 TEXT)')
    db.executemany('INSERT INTO "Table_films" VALUES (?, ?, ?, ?, ?)', FILMS.rows)
    db.execute('CREATE TABLE "odd "" name" (x BLOB)')
    db.execute('INSERT INTO "odd "" name" VALUES (?)', ("雪".encode(),))
    db.commit()
    db.close()
    before = path.read_bytes()
    found = list(load_examples(source))
    assert found[0].table.header == ("col_1", "col_2", "col_3", "col_4", "col_5")
    assert found[0].table.types == ("text", "text", "real", "real", "text") and found[0].table.rows == FILMS.rows
    odd = read_tables(path).find('odd " name')
    assert odd is not None and odd.rows == (("雪",),)
    assert path.read_bytes() == before and not list(path.parent.glob("val.db-*"))


def test_a_damaged_database_is_told(tmp_path: Path) -> None:
    path = tmp_path / "val.db"
    path.write_bytes(b"SQLite format 3\0" + b"x" * 500)
    with pytest.raises(UserError, match="cannot be read"):
        read_tables(path)


# -- tables on disk


def test_tables_are_kept_once_and_found_by_number(tmp_path: Path) -> None:
    others = [table([(str(n), float(n))] * 3, ("a", "b"), ("text", "real"), id=str(n)) for n in range(20)]
    with TableWriter(tmp_path / "tables.jsonl") as writer:
        numbers = [writer.add(one) for one in (*others, others[3], FILMS)]
        assert numbers == [*range(20), 3, 20] and len(writer) == 21
    found = Tables.open(tmp_path)
    assert len(found) == 21 and same(found[20], FILMS) and found[5] is found[5]
    assert all(same(one, other) for one, other in zip(found, others, strict=False))
    with pytest.raises(UserError, match="no table 21"):
        found[21]
    with pytest.raises(UserError, match="is missing"):
        Tables.open(tmp_path / "elsewhere")


def test_memory_holds_so_many_cells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables_room, "HELD", 100)
    with TableWriter(tmp_path / "tables.jsonl") as writer:
        for n in range(10):
            writer.add(table([("x",)] * 70, ("a",), id=str(n)))
    found = Tables.open(tmp_path)
    first, other = weakref.ref(found[0]), weakref.ref(found[9])
    gc.collect()
    assert first() is None and other() is found[9]
    assert [one.id for one in found] == [str(n) for n in range(10)]


def test_a_table_that_others_hold_is_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables_room, "HELD", 100)
    path = write_lines(tmp_path / "t.json", [record_of(table([("x",)] * 70, ("a",), id=str(n))) for n in range(5)])
    book = read_tables(path)
    held = [book.find(str(n % 5)) for n in range(20)]  # as the questions of a pool have them, one after another
    assert len(set(held)) == 5


def test_a_damaged_file_of_tables_is_told(tmp_path: Path) -> None:
    (tmp_path / "tables.jsonl").write_text('{"id": 1}\nnonsense\n', encoding="utf-8")
    found = Tables.open(tmp_path)
    for number in (0, 1):
        with pytest.raises(UserError, match=f"tables.jsonl:{number + 1}: holds no table"):
            found[number]


_texts = st.text(alphabet="a雪\"'\n\r\u2028\\ ;,\x00\x7f𠮷", max_size=6)
_cells = st.one_of(st.none(), _texts, st.floats(allow_nan=False, allow_infinity=False), st.integers(-9, 9))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(_cells, _cells), max_size=4), _texts)
def test_a_line_gives_the_table_back(rows: list[tuple[Any, ...]], name: str) -> None:
    one = table(rows, (name, "数"), ("text", "real"))
    line = dump_table(one)
    assert "\n" not in line and same(load_table(line), one)
    assert load_table(line.encode()).rows == one.rows


def test_large_tables_are_told_apart_by_a_few_letters() -> None:
    """They are, for every question, where what models say is kept on disk."""
    rows = tuple((f"名{n}", float(n)) for n in range(5000))
    one, same_, other = (
        Table("t", ("名", "数"), ("text", "real"), some) for some in (rows, tuple(rows), (*rows[:-1], ("名", 1.0)))
    )
    assert repr(one) == repr(same_) != repr(other) and len(repr(one)) < 80
    assert repr(one) != repr(Table("t", ("名", "数"), ("text", "text"), rows))
