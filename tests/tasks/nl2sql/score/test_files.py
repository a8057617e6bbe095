"""Scoring files of queries: ``ietool score``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from weakref import WeakSet

import pytest

from ietool.errors import UserError
from ietool.tasks.nl2sql.data import tables as tables_room
from ietool.tasks.nl2sql.data.example import Table
from ietool.tasks.nl2sql.data.tables import load_table
from ietool.tasks.nl2sql.score.files import score_paths
from tests.cli.conftest import Ietool
from tests.tasks.nl2sql.invented import QUESTIONS, query, record_of, table, write_corpus, write_lines


def test_score_on_the_command_line(ietool: Ietool, tmp_path: Path) -> None:
    gold = write_corpus(tmp_path / "data")
    given_ = write_lines(tmp_path / "r.json", [one["sql"] for one in QUESTIONS[:2]] + [query((0, 2, "x")).plain])
    done = ietool("score", "--recipe", "nl2sql", gold, given_, "--json", "--explain", "why.jsonl")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["logical"] == report["execution"] == pytest.approx(2 / 3)
    lines = [json.loads(line) for line in (tmp_path / "why.jsonl").read_text(encoding="utf-8").splitlines()]
    assert {line["part"] for line in lines} == {"query", "sel", "agg", "connector", "column", "operator", "value"}
    shown = ietool("score", "--recipe", "nl2sql", gold, given_)
    assert "SQLite" in shown.stdout and "execution" in shown.stdout


def test_tables_are_found_beside_gold_or_named(ietool: Ietool, tmp_path: Path) -> None:
    gold = write_corpus(tmp_path / "data")
    given_ = write_lines(tmp_path / "r.json", [one["sql"] for one in QUESTIONS])
    tables = gold.with_name("val.tables.json").rename(tmp_path / "elsewhere.json")
    alone = score_paths(gold, given_)
    assert alone.primary == "logical" and "val.tables.json" in " ".join(alone.notes)
    done = ietool("score", "--recipe", "nl2sql", gold, given_, "--file", f"tables={tables}", "--json")
    assert json.loads(done.stdout)["mean"] == 1.0
    asked = ietool("score", "--recipe", "nl2sql", gold, given_, "--metric", "tableqa")
    assert asked.returncode == 0 and "nothing is executed" in asked.stderr
    refused = ietool("score", "--recipe", "nl2sql", gold, given_, "--kb", tables)
    assert (
        refused.returncode == 2 and "--kb: means nothing" in refused.stderr and "--file tables=FILE" in refused.stderr
    )


def test_queries_go_by_id_where_all_have_one(tmp_path: Path) -> None:
    gold = write_corpus(tmp_path / "data", questions=[one | {"id": n} for n, one in enumerate(QUESTIONS)])
    records = [{"id": n} | dict(one["sql"]) for n, one in enumerate(QUESTIONS)]
    assert score_paths(gold, write_lines(tmp_path / "a.json", records[::-1])).values["mean"] == 1.0
    part = score_paths(gold, write_lines(tmp_path / "b.json", records[:2]))
    assert part.values["mean"] == pytest.approx(2 / 3) and "1 of 3 questions have no prediction" in " ".join(part.notes)
    again = score_paths(gold, write_lines(tmp_path / "c.json", [*records, records[0]]))
    assert "the last wins" in " ".join(again.notes)
    wrong = {"id": 0} | query((0, 2, "x")).plain
    assert score_paths(gold, write_lines(tmp_path / "e.json", [wrong, *records])).values["mean"] == 1.0
    other = write_lines(tmp_path / "d.json", [record | {"id": f"x{n}"} for n, record in enumerate(records)])
    with pytest.raises(UserError, match="none is in both"):
        score_paths(gold, other)


def test_an_id_that_stands_several_times(tmp_path: Path) -> None:
    """The first of gold goes with the first of the predictions."""
    gold = write_corpus(tmp_path / "data", questions=[one | {"id": 7} for one in QUESTIONS])
    records = [{"id": 7} | dict(one["sql"]) for one in QUESTIONS]
    report = score_paths(gold, write_lines(tmp_path / "a.json", records))
    assert report.values["mean"] == 1.0 and not report.notes
    part = score_paths(gold, write_lines(tmp_path / "b.json", records[:2]))
    assert part.values["mean"] == pytest.approx(2 / 3) and "1 of 3 questions have no prediction" in " ".join(part.notes)


def test_gold_itself_and_a_list_are_predictions(tmp_path: Path) -> None:
    gold = write_corpus(tmp_path / "data")
    assert score_paths(gold, gold).values["mean"] == 1.0
    listed = tmp_path / "list.json"
    listed.write_text(json.dumps([one["sql"] for one in QUESTIONS], ensure_ascii=False, indent=1), encoding="utf-8")
    assert score_paths(gold, listed).values["mean"] == 1.0
    empty = tmp_path / "empty.json"
    empty.write_bytes(b"")
    report = score_paths(gold, empty)
    assert report.values["mean"] == 0.0 and "holds no record" in " ".join(report.notes)


@pytest.mark.parametrize(
    ("records", "told"),
    [
        ([{"sel": [0]}], "agg: is missing"),
        ([{"sel": [0], "agg": [0], "conds": []}], "cond_conn_op: is missing"),
        ([{"sel": 0, "agg": [0], "cond_conn_op": 0, "conds": []}], "sel: is a number, a list is needed"),
        ([{"sel": ["0"], "agg": [0], "cond_conn_op": 0, "conds": []}], "sel[0]: is a string, a whole number"),
        ([{"sel": [True], "agg": [0], "cond_conn_op": 0, "conds": []}], "sel[0]: is true or false"),
        ([{"sel": [0], "agg": [0], "cond_conn_op": 0, "conds": [[0, 2]]}], "conds[0]: is no list of column"),
        ([{"sql": None}], "sql: is null"),
        ([{"question": "问"}], "sql: is missing"),
        ([7], "is JSON but no object"),
        ([query().plain], "has 1 queries, and gold 3 questions"),
    ],
)
def test_what_cannot_be_scored_is_told_in_one_line(
    ietool: Ietool, tmp_path: Path, records: list[Any], told: str
) -> None:
    gold = write_corpus(tmp_path / "data")
    done = ietool("score", "--recipe", "nl2sql", gold, write_lines(tmp_path / "r.json", records))
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and told in done.stderr, done.stderr
    assert "r.json" in done.stderr


def test_a_table_that_gold_names_must_be_there(ietool: Ietool, tmp_path: Path) -> None:
    gold = write_corpus(tmp_path / "data", questions=[*QUESTIONS, QUESTIONS[0] | {"table_id": "no"}])
    given_ = write_lines(tmp_path / "r.json", [QUESTIONS[0]["sql"]] * 4)
    done = ietool("score", "--recipe", "nl2sql", gold, given_)
    assert done.returncode == 2 and "val.json:4: table_id: 'no' is no table of" in done.stderr
    assert ietool("score", "--recipe", "nl2sql", gold, given_, "--metric", "logical").returncode == 0


def test_each_table_is_read_once_and_not_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Questions of many tables, one after another in turn: what memory holds does not grow with them."""
    monkeypatch.setattr(tables_room, "HELD", 150)
    tables = [table([(f"甲{n}",)] * 100, ("名",), id=str(n)) for n in range(5)]
    questions = [
        {"table_id": str(n % 5), "question": f"问{n}", "sql": query((0, 2, f"甲{n % 5}")).plain} for n in range(20)
    ]
    gold = write_corpus(tmp_path / "data", questions=questions)
    named = write_lines(tmp_path / "tables.json", map(record_of, tables))
    living, most, read = WeakSet[Table](), 0, 0

    def load(line: bytes) -> Table:
        nonlocal most, read
        found = load_table(line)
        living.add(found)
        most, read = max(most, len(living)), read + 1
        return found

    monkeypatch.setattr(tables_room, "load_table", load)
    report = score_paths(gold, gold, tables=named, explain=True)
    assert read == 5 and most <= 3 and report.values["mean"] == 1.0
    told = [outcome.text for outcome in report.outcomes if outcome.item["part"] == "query"]
    assert told == [f"问{n}" for n in range(20)]  # in the order of the file


def test_swapped_files_are_told(ietool: Ietool, tmp_path: Path) -> None:
    gold = write_corpus(tmp_path / "data")
    given_ = write_lines(tmp_path / "r.json", [one["sql"] for one in QUESTIONS])
    done = ietool("score", "--recipe", "nl2sql", given_, gold)
    assert "are they swapped?" in done.stderr
