"""``predict`` on questions: where their tables are, and what is said where they are not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Ietool
from tests.in_process import command_here
from tests.recorded.flows import copy_run
from tests.tasks.nl2sql.invented import FILMS, QUESTIONS, query, record_of, write_corpus, write_lines

PREDICT = ("predict", "--run", "run", "--device", "cpu")


@pytest.fixture
def asked(tmp_path: Path) -> Path:
    """A file of questions with its tables beside, and a run that answers them somehow."""
    copy_run("nl2sql", tmp_path / "run")
    bare = [{key: one[key] for key in ("table_id", "question")} for one in QUESTIONS]
    return write_corpus(tmp_path / "data", "test", bare)


def test_queries_are_written_in_order_a_line_each(ietool: Ietool, asked: Path, tmp_path: Path) -> None:
    done = ietool(*PREDICT, asked, "--output", "r.json")
    assert done.returncode == 0 and "predicted: 3 queries in 3 questions" in done.stderr, done.stderr
    lines = [json.loads(line) for line in (tmp_path / "r.json").read_text(encoding="utf-8").splitlines()]
    assert [list(one) for one in lines] == [["sel", "agg", "cond_conn_op", "conds"]] * 3
    assert all(isinstance(value, str) for one in lines for _, _, value in one["conds"])
    assert ietool("score", "--recipe", "nl2sql", write_corpus(tmp_path / "gold"), "r.json").returncode == 0


def test_ids_are_kept(ietool: Ietool, asked: Path) -> None:
    records = [json.loads(line) | {"id": n} for n, line in enumerate(asked.read_text(encoding="utf-8").splitlines())]
    write_lines(asked, records)
    done = ietool(*PREDICT, asked)
    assert [json.loads(line)["id"] for line in done.stdout.splitlines()] == [0, 1, 2]


def test_tables_may_lie_elsewhere(ietool: Ietool, asked: Path, tmp_path: Path) -> None:
    beside = ietool(*PREDICT, asked).stdout
    tables = asked.with_name("test.tables.json").rename(tmp_path / "elsewhere.json")
    lacking = ietool(*PREDICT, asked)
    assert lacking.returncode == 2 and "has no file of tables beside it" in lacking.stderr
    named = ("--file", f"tables={tables}")
    assert ietool(*PREDICT, asked, *named).stdout == beside
    piped = command_here(tmp_path, *PREDICT, "-", *named, stdin=asked.read_text(encoding="utf-8"))
    assert piped.stdout == beside
    alone = command_here(tmp_path, *PREDICT, "-", stdin=asked.read_text(encoding="utf-8"))
    assert alone.returncode == 2 and "name it with --file tables=FILE" in alone.stderr
    over = ietool(*PREDICT, asked, *named, "--output", tables)
    assert over.returncode == 2 and json.loads(tables.read_text(encoding="utf-8"))["id"] == "films"


def test_files_of_other_roles_are_refused(ietool: Ietool, asked: Path, tmp_path: Path) -> None:
    done = ietool(*PREDICT, asked, "--file", f"kb={asked}")
    assert done.returncode == 2 and "--file kb: means nothing to inputs of the task nl2sql" in done.stderr
    copy_run("ner-crf", tmp_path / "ner")
    text = tmp_path / "texts.json"
    text.write_text('{"text": "江城"}\n', encoding="utf-8")
    other = ietool("predict", "--run", "ner", text, "--file", f"tables={asked}")
    assert other.returncode == 2 and "means nothing to inputs of the task ner → leave it out" in other.stderr


def test_bad_questions_are_left_out(ietool: Ietool, asked: Path) -> None:
    write_lines(asked, [QUESTIONS[0], QUESTIONS[1] | {"table_id": "no"}, QUESTIONS[2]])
    refused = ietool(*PREDICT, asked)
    assert refused.returncode == 2 and "test.json:2: table_id: 'no' is no table of" in refused.stderr
    done = ietool(*PREDICT, asked, "--skip-bad")
    assert done.returncode == 0 and done.stdout.count("\n") == 2 and "left out: 1 bad records" in done.stderr


def test_a_bare_question(ietool: Ietool, asked: Path, tmp_path: Path) -> None:
    tables = asked.with_name("test.tables.json")
    done = ietool(*PREDICT, "--text", f"喜剧的影片有哪些？\t{tables}")
    assert done.returncode == 0 and "SELECT" in done.stdout and "predicted: 1 queries in 1 questions" in done.stderr
    lacking = ietool(*PREDICT, "--text", "喜剧的影片有哪些？")
    assert lacking.returncode == 2 and "--text: has a question, but no file of tables" in lacking.stderr
    both = ietool(*PREDICT, "--text", f"问\t{tables}", "--file", f"tables={tables}")
    assert both.returncode == 2 and "--file: is for files" in both.stderr


HOSTILE = ("'; DROP TABLE cells; -- 名大于1的？", "片9999的类型", '"x"有几部', "？", "超过" + "9" * 60)


def hostile() -> list[dict[str, Any]]:
    """A table with SQL in its header and cells and one name thrice, one without rows, and one of 10,000 of them."""
    record = record_of(FILMS)
    record["header"] = ['"; DROP TABLE cells; --', "名", "名", "名", "'"]
    record["rows"] = [["' OR 1=1 --", '"x"', 1, None, "?"], ["", None, -2.5, 3, "\u202e名\\"]]
    empty = record_of(FILMS) | {"id": "empty", "rows": []}
    long = record_of(FILMS) | {"id": "long", "rows": [[f"片{n}", "喜剧", n, n % 100, "是"] for n in range(10_000)]}
    return [record, empty, long]


def test_hostile_tables_and_questions_are_read_like_any_other(ietool: Ietool, asked: Path) -> None:
    write_lines(asked.with_name("test.tables.json"), hostile())
    write_lines(asked, [{"table_id": id, "question": q} for id in ("films", "empty", "long") for q in HOSTILE])
    done = ietool(*PREDICT, asked)
    assert done.returncode == 0 and done.stdout.count("\n") == 15, done.stderr


def test_hostile_tables_and_questions_are_prepared(ietool: Ietool, tmp_path: Path) -> None:
    sql = query((1, 2, "'; DROP TABLE cells; --"), (2, 0, "1"), connector=1).plain
    records = [{"table_id": id, "question": q, "sql": sql} for id in ("films", "empty", "long") for q in HOSTILE]
    train = write_lines(tmp_path / "train.json", records)
    write_lines(tmp_path / "train.tables.json", hostile())
    small = ("--set", "model.encoder.hidden_size=8", "--set", "model.encoder.min_char_count=1")
    done = ietool("prepare", "--recipe", "nl2sql", "--train", train, "--dev", train, *small, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["statistics"]["tables"] == 3
    gold = ietool("score", "--recipe", "nl2sql", train, write_lines(tmp_path / "r.json", [sql] * 15), "--json")
    assert json.loads(gold.stdout)["mean"] == 1.0
