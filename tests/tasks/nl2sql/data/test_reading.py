"""Files of questions and of tables, as they come and as they should not."""

from __future__ import annotations

import gzip
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ietool.core.sources import Sources
from ietool.errors import UserError
from ietool.tasks.nl2sql import Nl2sqlTask
from ietool.tasks.nl2sql.data.reading import input_of, load_examples, load_inputs
from ietool.tasks.nl2sql.data.sources import tables_beside
from tests.tasks.nl2sql.invented import FILMS, QUESTIONS, query, record_of, same, table, write_corpus, write_lines


def test_questions_have_their_table_and_query(tmp_path: Path) -> None:
    found = list(load_examples(write_corpus(tmp_path / "data")))
    assert [one.question for one in found] == [one["question"] for one in QUESTIONS]
    assert [one.query.plain for one in found if one.query] == [one["sql"] for one in QUESTIONS]
    assert all(same(one.table, FILMS) for one in found)
    assert found[0].table is found[1].table  # read once
    assert [(one.number, one.line) for one in found] == [(0, 1), (1, 2), (2, 3)] and found[
        0
    ].text == "喜剧的影片有哪些？"


def test_questions_without_queries_are_inputs(tmp_path: Path) -> None:
    bare = [{key: one[key] for key in ("table_id", "question")} for one in QUESTIONS]
    path = write_corpus(tmp_path / "data", "test", bare)
    assert [one.query for one in load_inputs(str(path))] == [None] * 3
    with pytest.raises(UserError, match="sql: is missing"):
        list(load_examples(path))
    assert [one.query is None for one in load_inputs(str(write_corpus(tmp_path / "gold")))] == [False] * 3


@pytest.mark.parametrize("form", ["lines", "list", "indented", "bom", "crlf", "gz", "zip"])
def test_forms_of_both_files(tmp_path: Path, form: str) -> None:
    folder = tmp_path / "data"
    for path in (write_corpus(folder), folder / "val.tables.json"):
        lines = path.read_text(encoding="utf-8")
        records = [json.loads(line) for line in lines.splitlines()]
        if form in ("list", "indented"):
            path.write_text(json.dumps(records, ensure_ascii=False, indent=2 if form == "indented" else None), "utf-8")
        elif form == "bom":
            path.write_bytes(b"\xef\xbb\xbf" + lines.encode())
        elif form == "crlf":
            path.write_bytes(lines.replace("\n", "\r\n\r\n").encode())
        elif form == "gz":
            path.unlink()
            path.with_name(path.name + ".gz").write_bytes(gzip.compress(lines.encode()))
        elif form == "zip":
            path.unlink()
            with zipfile.ZipFile(path.with_name(path.name + ".zip"), "w") as archive:
                archive.writestr(path.name, lines)
    source = next(path for path in folder.iterdir() if "tables" not in path.name)
    found = list(load_examples(source))
    assert [one.query.plain for one in found if one.query] == [one["sql"] for one in QUESTIONS]
    assert same(found[0].table, FILMS)


def test_tables_lie_beside_or_are_named(tmp_path: Path) -> None:
    source = write_corpus(tmp_path / "data")
    own = source.with_name("val.tables.json")
    assert tables_beside(source) == own
    common = own.rename(own.with_name("tables.json"))
    assert tables_beside(source) == common
    away = common.rename(tmp_path / "away.json")
    with pytest.raises(
        UserError, match=r"no file of tables beside it \(looked for val.tables.json, tables.json, val.db"
    ):
        tables_beside(source)
    assert len(list(load_examples(source, tables=away))) == 3
    with pytest.raises(UserError, match="standard input"):
        tables_beside("-")


def test_files_are_located(tmp_path: Path) -> None:
    for name in ("train", "val", "test"):
        write_corpus(tmp_path, name)
    found: Sources = Nl2sqlTask().locate(tmp_path, needed=("train", "dev"))
    assert {role: path.name for role, path in found.files.items()} == {
        "train": "train.json", "dev": "val.json", "test": "test.json"
    }  # fmt: skip
    (tmp_path / "val.json").unlink()
    with pytest.raises(UserError, match="has no dev file"):
        Nl2sqlTask().locate(tmp_path, needed=("train", "dev"))


# -- bad questions


def broken(**change: Any) -> dict[str, Any]:
    return {key: value for key, value in ({**QUESTIONS[1], **change}).items() if value is not ...}


def sql(**change: Any) -> dict[str, Any]:
    return broken(sql={key: value for key, value in ({**QUESTIONS[1]["sql"], **change}).items() if value is not ...})


@pytest.mark.parametrize(
    ("record", "told"),
    [
        (broken(question=...), "question: is missing"),
        (broken(question=5), "question: is a number, a string is needed"),
        (broken(question="  "), "question: is empty"),
        (broken(question="问" * 20_000), "question: has 20,000 characters"),
        (broken(table_id=...), "table_id: is missing"),
        (broken(table_id=["films"]), "table_id: is a list"),
        (broken(table_id="no"), "table_id: 'no' is no table of"),
        (broken(id={}), "id: is an object"),
        (broken(sql=...), "sql: is missing"),
        (broken(sql=None), "sql: is null"),
        (broken(sql=[]), "sql: is a list, an object is needed"),
        (sql(sel=...), "sql.sel: is missing"),
        (sql(sel=[]), "sql.sel: is empty"),
        (sql(sel=[5]), "sql.sel[0]: is 5, and the table has columns 0 to 4"),
        (sql(sel=[-1]), "sql.sel[0]: is -1"),
        (sql(sel=[1.0]), "sql.sel[0]: is a number, a whole number is needed"),
        (sql(sel=[True]), "sql.sel[0]: is true or false"),
        (sql(sel=[10**30]), "sql.sel[0]: is 1000000000"),
        (sql(agg=[6]), "sql.agg[0]: is 6, none of 0 to 5"),
        (sql(agg=[0, 0]), "sql.agg: has 2 entries, and sel 1"),
        (sql(cond_conn_op=...), "sql.cond_conn_op: is missing"),
        (sql(cond_conn_op=3), "sql.cond_conn_op: is 3, none of 0 to 2"),
        (sql(conds={}), "sql.conds: is an object, a list is needed"),
        (sql(conds=[[0, 2]]), "sql.conds[0]: is no list of column, operator and value"),
        (sql(conds=[[5, 2, "x"]]), "sql.conds[0][0]: is 5"),
        (sql(conds=[[0, 4, "x"]]), "sql.conds[0][1]: is 4"),
        (sql(conds=[[0, 2, None]]), "sql.conds[0][2]: is null"),
        ([1], "is JSON but no object"),
        ("nonsense", "is JSON but no object"),
    ],
)
def test_a_bad_question_is_told_or_left_out(tmp_path: Path, record: Any, told: str) -> None:
    path = write_corpus(tmp_path / "data", questions=[QUESTIONS[0], record, QUESTIONS[2]])
    with pytest.raises(UserError) as error:
        list(load_examples(path))
    assert told in str(error.value) and f"{path}:2" in str(error.value)
    bad: list[UserError] = []
    kept = list(load_examples(path, lambda one, line: bad.append(one)))
    assert [one.question for one in kept] == [QUESTIONS[0]["question"], QUESTIONS[2]["question"]]
    assert [str(one) for one in bad] == [str(error.value)]


def test_files_without_a_good_question(tmp_path: Path) -> None:
    empty = write_corpus(tmp_path / "a", questions=[])
    with pytest.raises(UserError, match="holds no question"):
        list(load_examples(empty))
    assert list(load_inputs(str(empty))) == []
    bad = write_corpus(tmp_path / "b", questions=[broken(sql=...)] * 3)
    with pytest.raises(UserError, match="none of the 3 records can be used"):
        list(load_examples(bad, lambda one, line: None))
    for content, told in ((b"{", "beginning of something"), (b'[{"a": ', "is cut off"), (b"\xff\xfe\n", "UTF-16")):
        bad.write_bytes(content)
        with pytest.raises(UserError, match=told):
            list(load_examples(bad))


def test_numbers_as_values_become_strings(tmp_path: Path) -> None:
    path = write_corpus(tmp_path / "data", questions=[sql(conds=[[2, 0, 1200], [3, 1, 3.5]], cond_conn_op=1)])
    (one,) = load_examples(path)
    assert one.query == query((2, 0, "1200"), (3, 1, "3.5"), select={2: 0}, connector=1)


def test_ids_of_tables_may_be_numbers(tmp_path: Path) -> None:
    write_lines(tmp_path / "val.tables.json", [record_of(FILMS) | {"id": 7}])
    path = write_lines(tmp_path / "val.json", [QUESTIONS[0] | {"table_id": 7}, QUESTIONS[1] | {"table_id": "7"}])
    assert [one.table.id for one in load_examples(path)] == ["7", "7"]


# -- from the command line


def test_a_bare_question_names_its_table(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "t.json", [record_of(FILMS)])
    one = input_of(f"雪路的票房\t{path}")
    assert one.question == "雪路的票房" and same(one.table, FILMS) and one.query is None
    several = write_lines(tmp_path / "s.json", [record_of(FILMS), record_of(table([], ("a",), id="other"))])
    assert input_of(f"问\t{several}\tother").table.id == "other"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (lambda path: "问", "has a question, but no file of tables"), (lambda path: f"\t{path}", "has no question"),
        (lambda path: f"问\t{path}", "has 2 tables: which one is asked?"),
        (lambda path: f"问\t{path}\tno", "'no' is no table"),
        (lambda path: "问\tmissing.json", "no such file"),
    ],
)  # fmt: skip
def test_a_bare_question_without_its_table(tmp_path: Path, text: Callable[[Path], str], told: str) -> None:
    path = write_lines(tmp_path / "s.json", [record_of(FILMS), record_of(table([], ("a",), id="other"))])
    with pytest.raises(UserError) as error:
        input_of(text(path))
    assert told in str(error.value)
