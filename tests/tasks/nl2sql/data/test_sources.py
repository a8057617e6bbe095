"""The tables of a preparation: which belong to which file, and that what is prepared depends on them."""

from __future__ import annotations

import json
from pathlib import Path

from ietool.core.sources import Sources
from ietool.tasks.nl2sql import Nl2sqlTask
from ietool.workflow.prepare import find_sources
from tests.cli.conftest import Ietool
from tests.tasks.nl2sql.invented import FILMS, QUESTIONS, record_of, write_corpus, write_lines

SMALL = ("--set", "model.encoder.hidden_size=8", "--set", "model.encoder.min_char_count=1")


def names(sources: Sources) -> dict[str, str]:
    return {role: path.name for role, path in sources.files.items()}


def test_each_file_has_its_tables(tmp_path: Path) -> None:
    for name in ("train", "val"):
        write_corpus(tmp_path, name)
    assert names(find_sources(Nl2sqlTask(), tmp_path, {})) == {
        "train": "train.json", "dev": "val.json", "train+tables": "train.tables.json", "dev+tables": "val.tables.json"
    }  # fmt: skip
    own = write_lines(tmp_path / "own.json", [record_of(FILMS)])
    assert names(find_sources(Nl2sqlTask(), tmp_path, {"tables": own})) == {
        "train": "train.json", "dev": "val.json", "tables": "own.json"
    }  # fmt: skip
    named = find_sources(Nl2sqlTask(), tmp_path, {"dev+tables": own})
    assert names(named)["dev+tables"] == "own.json" and names(named)["train+tables"] == "train.tables.json"


def test_other_tables_are_prepared_anew(ietool: Ietool, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    for name in ("train", "val"):
        write_corpus(folder, name)
    prepare = ("prepare", "--recipe", "nl2sql", "--data", folder, *SMALL)
    assert "prepared: " in ietool(*prepare).stderr
    assert "unchanged: " in ietool(*prepare).stderr
    record = record_of(FILMS)
    record["rows"][0][2] = 1300.0
    write_lines(folder / "val.tables.json", [record])
    assert "prepared: " in ietool(*prepare).stderr


def test_a_fault_of_a_table_is_told_as_one(ietool: Ietool, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    write_corpus(folder, "train")
    record = record_of(FILMS)
    record["rows"][1].pop()
    write_lines(folder / "train.tables.json", [record])
    done = ietool("prepare", "--recipe", "nl2sql", "--data", folder, *SMALL)
    assert done.returncode == 2 and done.stderr == (
        f"error: {folder / 'train.tables.json'}:1: rows[1]: has 4 cells, and the header 5 columns → mend the table\n"
    )
    (folder / "train.tables.json").unlink()
    lacking = ietool("prepare", "--recipe", "nl2sql", "--data", folder, *SMALL)
    assert "train.json: has no file of tables beside it" in lacking.stderr and "--file tables=FILE" in lacking.stderr
    asked = write_lines(folder / "train.tables.json", QUESTIONS)
    swapped = ietool("prepare", "--recipe", "nl2sql", "--data", folder, *SMALL)
    assert f"{asked}: looks like questions on tables; tables are wanted here" in swapped.stderr


def test_tables_are_named_where_they_lie_elsewhere(ietool: Ietool, tmp_path: Path) -> None:
    source = write_corpus(tmp_path / "data", "train")
    tables = source.with_name("train.tables.json").rename(tmp_path / "elsewhere.json")
    prepare = ("prepare", "--recipe", "nl2sql", "--train", source, "--dev", source, *SMALL, "--json")
    done = ietool(*prepare, "--file", f"tables={tables}")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["statistics"]["tables"] == 1
