"""Checking a submission of queries: ``ietool submit``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Ietool
from tests.tasks.nl2sql.invented import QUESTIONS, query, write_corpus, write_lines

GOOD: list[dict[str, Any]] = [dict(one["sql"]) for one in QUESTIONS]


def asked(folder: Path, *, ids: bool = False) -> Path:
    """The questions without their queries."""
    records = [{key: value for key, value in one.items() if key != "sql"} for one in QUESTIONS]
    return write_corpus(folder, "test", [r | {"id": f"q{n}"} for n, r in enumerate(records)] if ids else records)


def test_a_good_submission_is_accepted_and_written(ietool: Ietool, tmp_path: Path) -> None:
    result = write_lines(tmp_path / "r.json", GOOD)
    done = ietool("submit", result, "--input", asked(tmp_path / "data"))
    assert done.returncode == 0, done.stderr
    assert "TableQA: 3 questions, 4 conditions" in done.stdout and "have no ids" in done.stderr
    assert (tmp_path / "r-tableqa.json").read_bytes() == result.read_bytes()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"sel": [9]}, "r.json:2: sel[0]: is 9, and the table has columns 0 to 4"),
        ({"sel": []}, "r.json:2: sel: is empty"),
        ({"agg": [0, 0]}, "agg: has 2 entries, and sel 1"),
        ({"agg": [6]}, "agg[0]: is 6, none of 0 to 5"),
        ({"cond_conn_op": 3}, "cond_conn_op: is 3, none of 0 to 2"),
        ({"conds": [[0, 4, "x"]]}, "conds[0][1]: is 4, none of 0 to 3"),
        ({"conds": [[7, 2, "x"]]}, "conds[0][0]: is 7"),
        ({"conds": [[0, 2, 5]]}, "conds[0][2]: is a number, values are strings"),
        ({"conds": [[0, 2, " "]]}, "conds[0][2]: is empty"),
        ({"conds": [[0, 2, "a\u0007"]]}, "has a control character (\\u0007)"),
        ({"conds": [[0, 2, "x"], [1, 2, "y"]]}, "cond_conn_op: is 0 with several conditions"),
        ({"sel": [1, 1], "agg": [0, 0]}, "sel: has a column twice"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(
    ietool: Ietool, tmp_path: Path, change: dict[str, Any], told: str
) -> None:
    result = write_lines(tmp_path / "r.json", [GOOD[0], GOOD[1] | change, GOOD[2]])
    done = ietool("submit", result, "--input", asked(tmp_path / "data"))
    assert done.returncode == 2 and told in done.stderr, done.stderr
    assert not list(tmp_path.glob("r-*"))


def test_each_question_is_answered_once(ietool: Ietool, tmp_path: Path) -> None:
    source = asked(tmp_path / "data")
    short = ietool("submit", write_lines(tmp_path / "r.json", GOOD[:2]), "--input", source)
    assert short.returncode == 2 and "is not answered" in short.stderr
    long = ietool("submit", write_lines(tmp_path / "r.json", [*GOOD, GOOD[0]]), "--input", source)
    assert long.returncode == 2 and "is not in" in long.stderr


def test_ids_are_held_against_those_of_the_questions(ietool: Ietool, tmp_path: Path) -> None:
    source = asked(tmp_path / "data", ids=True)
    good = [{"id": f"q{n}"} | one for n, one in enumerate(GOOD)]
    assert ietool("submit", write_lines(tmp_path / "r.json", good), "--input", source).returncode == 0
    turned = ietool("submit", write_lines(tmp_path / "r.json", good[::-1]), "--input", source)
    assert turned.returncode == 2 and "stands behind what comes later" in turned.stderr
    bare = ietool("submit", write_lines(tmp_path / "r.json", GOOD), "--input", source)
    assert bare.returncode == 2 and "id: is missing, and the questions have one" in bare.stderr


def test_what_costs_points_is_noted(ietool: Ietool, tmp_path: Path) -> None:
    records = [query((1, 2, "喜剧"), connector=1).plain, query().plain, GOOD[2]]
    done = ietool("submit", write_lines(tmp_path / "r.json", records), "--input", asked(tmp_path / "data"), "--check")
    assert done.returncode == 0 and "1 queries have a connector and at most one condition" in done.stderr
    assert "1 queries have no condition" in done.stderr


def test_tables_are_named_where_none_lie_beside(ietool: Ietool, tmp_path: Path) -> None:
    source = asked(tmp_path / "data")
    tables = source.with_name("test.tables.json").rename(tmp_path / "elsewhere.json")
    result = write_lines(tmp_path / "r.json", GOOD)
    lacking = ietool("submit", result, "--input", source)
    assert lacking.returncode == 2 and "has no file of tables beside it" in lacking.stderr
    assert ietool("submit", result, "--input", source, "--file", f"tables={tables}").returncode == 0


def test_the_input_itself_is_no_submission(ietool: Ietool, tmp_path: Path) -> None:
    source = asked(tmp_path / "data")
    done = ietool("submit", source, "--input", source)
    assert done.returncode == 2 and "looks like the input" in done.stderr
