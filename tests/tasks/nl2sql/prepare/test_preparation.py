"""From files of questions to features on disk: nothing is lost in silence."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from datasets import load_from_disk

from ietool.errors import UserError
from ietool.tasks.nl2sql.data.example import REAL, TEXT, Condition, Example, Query, Table
from ietool.tasks.nl2sql.data.tables import TABLES_FILE
from ietool.tasks.nl2sql.features.alignment import OVERLAP, UNSAID, WRITTEN, align
from ietool.tasks.nl2sql.features.values import values_by_form
from ietool.tasks.nl2sql.prepare.keeping import Keeping
from ietool.tasks.nl2sql.prepare.labelling import FORM, ROOM
from tests.tasks.nl2sql.invented import FILMS, query, table, write_corpus
from tests.tasks.nl2sql.made import TASK, examples, prepare_examples, prepare_files, small_recipe, write_examples


def plain(example: Example) -> Any:
    return example.question, example.table.header, tuple(example.table.rows), example.query


def test_every_query_of_the_shipped_corpus_can_be_given_back(tmp_path: Path) -> None:
    prepared = prepare_examples(small_recipe(), tmp_path, examples(60), examples(60)[40:])
    for split in ("train", "dev"):
        assert prepared.report.statistics[split]["oracle"]["recall"] == 1.0 and not prepared.oracle(split)
    kept = TASK.gold(prepared.folder, "train")
    assert [plain(one) for one in kept] == [plain(one) for one in examples(60)]
    assert [plain(one) for one in TASK.gold(prepared.folder)] == [plain(one) for one in examples(60)[40:]]
    data = load_from_disk(str(prepared.folder / "train"))
    assert len(data) == 60 and data["record"] == list(range(60))
    tables = (prepared.folder / TABLES_FILE).read_text(encoding="utf-8").splitlines()
    assert len(tables) == len({one.table.id for one in examples(60)}) == prepared.report.statistics["tables"]
    assert "20 questions of dev stand in train too" in " ".join(prepared.report.notes)


def test_train_without_dev_is_held_out_by_question(tmp_path: Path) -> None:
    files = {"train": write_examples(tmp_path / "train.json", examples(60))}
    prepared = prepare_files(small_recipe("data.held_out=0.2"), tmp_path, **files)
    dev, train = (TASK.gold(prepared.folder, split) for split in ("dev", "train"))
    assert 4 <= len(dev) <= 22 and len(dev) + len(train) == 60
    assert {plain(one) for one in (*dev, *train)} == {plain(one) for one in examples(60)}
    assert any("are held out" in note for note in prepared.report.notes)


def test_repeated_questions_and_bad_ones_are_counted(tmp_path: Path) -> None:
    source = write_examples(tmp_path / "train.json", examples(12))
    lines = source.read_text(encoding="utf-8").splitlines()
    other = {**json.loads(lines[0]), "sql": query((0, 2, "x")).plain}
    bad = {**json.loads(lines[1]), "sql": {"sel": [99], "agg": [0], "cond_conn_op": 0, "conds": []}}
    lines += [lines[3], json.dumps(other), json.dumps(bad), "{"]
    source.write_text("\n".join(lines) + "\n", encoding="utf-8")
    dev = write_examples(tmp_path / "dev.json", examples(4))
    prepared = prepare_files(small_recipe(), tmp_path, rejects=True, train=source, dev=dev)
    told = prepared.report.statistics["train"]
    assert (told["duplicates"], told["conflicting_duplicates"], told["rejected"], told["questions"]) == (2, 1, 2, 12)
    assert prepared.report.rejected == 2
    rejects = (prepared.folder / "rejects.jsonl").read_text(encoding="utf-8")
    assert "sql.sel[0]" in rejects and rejects.count("\n") == 2
    with pytest.raises(UserError) as caught:
        prepare_files(small_recipe(), tmp_path / "again", train=source, dev=dev)
    assert caught.value.line == 15 and caught.value.field == "sql.sel[0]"


def test_why_queries_cannot_be_given_back(tmp_path: Path) -> None:
    """Each reason, told apart."""

    twice = table([["喜剧", "喜剧"], ["甲", "乙"]], ["影片", "类型"])

    def asked(question: str, wanted: Query, of: Table = FILMS) -> Example:
        return Example(0, question, of, wanted)

    odd = [
        asked("雪路在哪里上映", query((1, 2, "科幻"))),
        asked("票房是07的影片有几部", query((2, 2, "07"))),
        asked("喜剧的影片有哪些和哪些", query((1, 2, "喜剧"), (0, 2, "喜剧"), connector=1), twice),
        asked("雪路的票房", query((0, 2, "雪路"), select={2: 0}, connector=2)),
        asked("雪路的票房和悬疑的", query((0, 2, "雪路"), (1, 2, "悬疑"), select={2: 0}, connector=0)),
        asked("长河之恋的票房", Query((2, 2), (0, 1), 0, (Condition(0, 2, "长河之恋"),))),
    ]
    reasons = [align(one).reasons for one in odd]
    assert reasons[0] == (UNSAID,) and reasons[1] == (WRITTEN,) and reasons[3:] == [(), (), ()]
    assert reasons[2] == (OVERLAP,)
    prepared = prepare_examples(small_recipe(), tmp_path, [*examples(6), *odd])
    assert prepared.oracle() == {UNSAID: 1, WRITTEN: 1, OVERLAP: 1, FORM: 3}
    assert prepared.report.statistics["train"]["oracle"]["recall"] == 0.5


def test_headers_that_find_no_room_are_told(tmp_path: Path) -> None:
    header = ["名称", *(f"第{n}个很长很长的栏目名称" for n in range(12))]
    wide = table([["甲", *range(12)]], header, [TEXT, *[REAL] * 12], id="w")
    asked = [Example(n, f"甲的第{n}个是多少", wide, query((0, 2, "甲"), select={n + 1: 0})) for n in range(12)]
    prepared = prepare_examples(small_recipe("data.longest=60"), tmp_path, asked)
    told = prepared.report.statistics["train"]
    assert told["questions_with_headers_left_out"] == 12
    assert any("12 questions ask tables with more headers than data.longest=60" in one for one in prepared.report.notes)
    assert set(prepared.oracle()) <= {ROOM} and told["oracle"]["recall"] > 0.4
    rows = load_from_disk(str(prepared.folder / "train"))
    assert max(rows["length"]) <= 60


def test_what_is_wholly_out_of_reach_is_refused(tmp_path: Path) -> None:
    """Values that stand nowhere: the tables are others."""
    strange = [replace(one, query=query((0, 2, "没有这个值吗"))) for one in examples(12)]
    files = {"train": write_examples(tmp_path / "train.json", strange)}
    files["dev"] = write_examples(tmp_path / "dev.json", examples(4))
    with pytest.raises(UserError, match="can be learnt") as caught:
        prepare_files(small_recipe(), tmp_path, **files)
    assert caught.value.mend == "check that the tables are those of the questions"


def test_further_records_are_trained_on_beside_train(tmp_path: Path) -> None:
    """They come with tables of their own; those that dev has are left out."""
    files = {"train": write_examples(tmp_path / "train.json", examples(12))}
    files["dev"] = write_examples(tmp_path / "dev.json", examples(20)[16:])
    files["extra"] = write_examples(tmp_path / "extra.json", examples(20)[10:])
    prepared = prepare_files(small_recipe(), tmp_path, **files)
    assert prepared.report.statistics["extra"]["duplicates"] == 2
    assert any("extra: 4 questions stand in dev" in note for note in prepared.report.notes)
    data = load_from_disk(str(prepared.folder / "train"))
    assert data["record"] == list(range(16))


def test_one_file_of_tables_serves_all(tmp_path: Path) -> None:
    source = write_corpus(tmp_path / "data", "train")
    tables = source.with_name("train.tables.json").rename(tmp_path / "elsewhere.json")
    prepared = prepare_files(small_recipe(), tmp_path, train=source, dev=source, tables=tables)
    assert prepared.report.statistics["train"]["questions"] == 3 and not prepared.oracle()


def test_kept_questions_read_while_others_are_written(tmp_path: Path) -> None:
    """A table that came later is there as soon as its question is."""
    keeping = Keeping(tmp_path, new=True)
    lines = [keeping.kept.dump(one) for one in examples(12)[:6]]
    assert [plain(keeping.kept.load(line)) for line in lines] == [plain(one) for one in examples(12)[:6]]
    late = keeping.kept.dump(Example(0, "雪路", FILMS))
    assert keeping.kept.load(late).table.header == FILMS.header and keeping.kept.load(late).query is None
    keeping.close()
    assert Keeping(tmp_path).kept.load(late).table.rows == FILMS.rows
    one = examples(12)[0]
    assert keeping.kept.identity(one) != keeping.kept.identity(replace(one, table=FILMS))
    spaced = replace(one, question=one.question + " ？")
    assert set(keeping.kept.group(one)) == set(keeping.kept.group(spaced))


def test_values_that_are_taught_are_those_of_gold(tmp_path: Path) -> None:
    """Place by place, from the table on disk."""
    prepared = prepare_examples(small_recipe(), tmp_path, examples(60))
    said = 0
    for row, example in zip(load_from_disk(str(prepared.folder / "train")), examples(60), strict=True):
        assert isinstance(row, dict) and example.query is not None
        spans, values = np.reshape(row["spans"], (-1, 4)), np.reshape(row["values"], (-1, 4))
        found = set()
        for n in np.flatnonzero(row["targets"]).tolist():
            stretch, _, column, form = values[n].tolist()
            start, end = spans[stretch, :2].tolist()
            found.add((column, values_by_form(example.question, example.table, start, end)[column, form]))
        assert found == {(one.column, one.value) for one in example.query.conditions}
        said += len(spans) - len(found)
    assert said > 60  # others from which to tell them
