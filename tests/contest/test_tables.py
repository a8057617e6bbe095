"""The tables of all verbs, at every width: each is drawn as it must be, what matters in its first columns."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from rich.cells import cell_len

from ietool.report import render as drawing
from ietool.tables import Table
from tests.contest.test_compare import FILES
from tests.in_process import command_here
from tests.report.laid_out import WIDTHS, check, lines_of
from tests.tasks.el.made import make_data
from tests.tasks.ner import made as ner

SETTINGS = [
    part
    for setting in (*ner.SMALL, "training.head_learning_rate=0.03", "training.warmup_epochs=0", "training.epochs=1",
                    "training.ema_decay=0", "training.schedule=constant_with_warmup", "training.patience=0")
    for part in ("--set", setting)
]  # fmt: skip


def verbs(folder: Path) -> Iterator[tuple[str, list[object]]]:
    """(what is drawn, command) of every verb that draws tables, in an order in which they can be run."""
    ner.write_json(folder / "data" / "train.json", ner.examples(40))
    ner.write_json(folder / "data" / "dev.json", ner.examples(20, seed=2))
    run = "runs/folds/fold-1-seed-42"
    yield "recipes", ["recipes"]
    yield "env", ["env"]
    yield "submit", ["submit", "--list"]
    yield "prepare", ["prepare", "--recipe", "ner-globalpointer", "--data", "data", *SETTINGS]
    yield "train", ["train", "--recipe", "ner-globalpointer", "--data", "data", "--folds", 2, "--output", "runs/folds",
                    *SETTINGS]  # fmt: skip
    yield "runs", ["runs"]
    yield "predict", ["predict", "--run", run, "--text", "周雨桐在江城工作。", "--set", "decode.threshold=0.01"]
    yield "tune", ["tune", "runs/folds", "--dry-run"]
    yield "ensemble", ["ensemble", "runs/folds", "--output", "runs/team"]
    yield "compare", ["compare", run, "runs/folds/fold-2-seed-42"]
    yield "clean", ["clean", "runs/folds", "--output", "cleaned"]
    for recipe, make in FILES.items():
        (folder / recipe).mkdir()
        gold, a, b = make(folder / recipe)
        yield f"score {recipe}", ["score", "--recipe", recipe, gold, a]
        if recipe in ("ske", "nl2sql"):
            yield f"compare {recipe}", ["compare", a, b, "--gold", gold, "--recipe", recipe]
    kb = make_data(folder / "el-data") / "kb_data"
    yield "kb stats", ["kb", "stats", kb]
    yield "kb lookup", ["kb", "lookup", kb, "青砖巷"]


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[tuple[Table, bool]]]:
    """(table, whether it is drawn in blocks) of each command; what it printed in a pipe is held to 120 columns."""
    folder = tmp_path_factory.mktemp("verbs")
    (folder / "data").mkdir()
    found: dict[str, list[tuple[Table, bool]]] = {}
    render = drawing.render
    for name, words in verbs(folder):
        own = found.setdefault(name, [])

        def kept(table: Table, console: Any, own: list[tuple[Table, bool]] = own, **how: Any) -> None:
            own.append((table, how.get("blocks", False)))
            render(table, console, **how)

        with mock.patch.object(drawing, "render", kept):
            done = command_here(folder, *words)
        assert done.returncode == 0, (words, done.stderr)
        assert own, words
        for line in done.stdout.splitlines():
            if re.match(r"\w+: [A-Z].*\.$", line):  # the sentence that says what counts as right
                continue
            assert cell_len(line) < 120 or max(map(cell_len, line.split())) > 60, (words, line)
    return found


@pytest.mark.parametrize("width", WIDTHS)
def test_every_table_of_every_verb(drawn: dict[str, list[tuple[Table, bool]]], width: int | None) -> None:
    count = 0
    for tables in drawn.values():
        for table, blocks in tables:
            check(table, width, blocks=blocks)
            count += 1
    assert count > 40


@pytest.mark.parametrize(
    ("verb", "matters"),
    [
        ("runs", ["where", "best dev score", "95 %"]),
        ("score ske", ["measure", "duie2", "95 % interval"]),
        ("compare", ["", "f1"]),
        ("tune", ["settings", "f1", "gain", "95 %"]),
        ("ensemble", ["", "gain", "95 % interval"]),
        ("train", ["member", "score"]),
        ("recipes", ["name"]),
    ],
)
def test_what_matters_is_side_by_side_at_eighty_columns(
    drawn: dict[str, list[tuple[Table, bool]]], verb: str, matters: list[str]
) -> None:
    tables = [table for table, blocks in drawn[verb] if list(table.columns[: len(matters)]) == matters]
    assert tables
    for table in tables:
        short = Table("", table.columns, [[str(row[0])[-20:], *row[1:]] for row in table.rows], whole=table.whole)
        heading = " ".join(lines_of(short, 80)[0].split())
        assert heading.startswith(" ".join(matters).strip()), heading


def test_intervals_have_three_decimals(drawn: dict[str, list[tuple[Table, bool]]]) -> None:
    cells = [
        str(row[at])
        for tables in drawn.values()
        for table, _ in tables
        for at, name in enumerate(table.columns)
        if name in ("95 %", "95 % interval")
        for row in table.rows
        if row[at]
    ]
    assert len(cells) > 15
    for cell in cells:
        low, dash, high = cell.partition(" – ")
        assert dash and all(len(end.lstrip("+-")) in (4, 5) and float(end) <= 1 for end in (low, high)), cell


def test_tables_for_programs_hold_what_json_holds(tmp_path: Path) -> None:
    gold, a, _ = FILES["ske"](tmp_path)
    shown = command_here(tmp_path, "score", "--recipe", "ske", gold, a, "--tsv").stdout
    rows = [line.split("\t") for line in shown.splitlines()]
    value = json.loads(command_here(tmp_path, "score", "--recipe", "ske", gold, a, "--json").stdout)
    assert rows[0] == [f"# Score of {a} against gold {gold}"] and rows[1] == [
        "measure",
        "duie2",
        "95 % low",
        "95 % high",
    ]
    f1 = next(row for row in rows if row[0] == "f1")
    assert list(map(float, f1[1:])) == [value["f1"], *value["interval"]]
    assert json.loads(command_here(tmp_path, "recipes", "--json").stdout)[0]["name"] == command_here(
        tmp_path, "recipes", "--tsv").stdout.splitlines()[1].split("\t")[0]  # fmt: skip
