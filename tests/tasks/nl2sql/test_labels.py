"""Queries as labels, and queries of several models as one."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ietool.core.candidates import Candidates
from ietool.core.joining import chosen
from ietool.core.labelled import TYPE, Edits
from ietool.tasks.nl2sql.data.example import Example, Query
from ietool.tasks.nl2sql.data.reading import load_examples
from ietool.tasks.nl2sql.heads.sketch.decode import LAYOUT, Answered, Ranked, SketchDecoder, key_of
from ietool.tasks.nl2sql.labels import QueryLabels
from tests.tasks.nl2sql.invented import FILMS, query
from tests.tasks.nl2sql.made import TASK, examples, small_recipe, write_examples


@pytest.fixture
def labels(tmp_path: Path) -> QueryLabels:
    return QueryLabels(tmp_path, LAYOUT)


def sure(labels: QueryLabels, record: Example) -> Candidates:
    """The rows of gold, all of them certain."""
    rows = np.array(labels.rows(record), np.int32)
    assert record.query is not None
    whole = np.eye(3, dtype=np.float32)[record.query.connector]
    return Candidates(rows, np.ones((len(rows), 2), np.float32), whole)


def test_rows_of_gold_are_decoded_to_gold(labels: QueryLabels) -> None:
    decode = small_recipe().decode
    for record in examples():
        found = sure(labels, record)
        (gold,) = labels.gold(record)
        answered = SketchDecoder().decode(record, found, decode)
        assert key_of(answered.queries[0].query) == key_of(gold)
        other = replace(gold, aggregates=tuple((a + 1) % 6 for a in gold.aggregates))
        assert labels.scores(record, found, [gold, other]) == [pytest.approx(1.0), 0.0]
        assert labels.doubt(found) == pytest.approx(0.0)
        assert len(labels.places(record, gold)) == len(gold.conditions)
        assert labels.differs(gold, other) == TYPE
        assert labels.item_of(record, labels.plain(record, gold)) == gold
    half = replace(found, parts=np.full_like(found.parts, 0.5**0.5), whole=np.float32([0.25, 0.75, 0]))
    assert labels.doubt(half) == pytest.approx(0.25 + 0.5 * len(found), rel=1e-5)


def test_bad_plain_items_are_told(labels: QueryLabels) -> None:
    with pytest.raises(ValueError, match=r"sel\[0\]"):
        labels.item_of(examples()[0], {"sel": [40], "agg": [0], "cond_conn_op": 0, "conds": []})


def test_what_is_written_is_read_again_with_its_tables(labels: QueryLabels, tmp_path: Path) -> None:
    path = tmp_path / "extra.jsonl"
    path.write_text("".join(labels.written(one, labels.gold(one)) for one in examples()), encoding="utf-8")
    ((ending, tables),) = labels.companions()
    (tmp_path / f"extra{ending}").write_bytes(tables.read_bytes())
    for one, other in zip(load_examples(path), examples(), strict=True):
        assert (one.question, one.query, one.table.header) == (other.question, other.query, other.table.header)
    assert labels.written(examples()[0], []) == ""
    assert not list(QueryLabels(tmp_path, LAYOUT).companions())


def test_a_changed_file_keeps_all_else(labels: QueryLabels, tmp_path: Path) -> None:
    source = write_examples(tmp_path / "train.json", examples())
    record = examples()[2]
    (gold,) = labels.gold(record)
    wanted = query((0, 3, "甲"))
    edits = {labels.identity(record): Edits([gold], [wanted])}
    lines = "".join(labels.edited(source, edits)).splitlines()
    old = source.read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for n, line in enumerate(lines) if n != 2] == [
        json.loads(line) for n, line in enumerate(old) if n != 2
    ]
    assert json.loads(lines[2]) == {**json.loads(old[2]), "sql": wanted.plain}
    assert edits[labels.identity(record)].seen == 1
    # What comes stands in the place of what is there; a question whose query goes has nothing to be learnt of.
    lines = "".join(labels.edited(source, {labels.identity(record): Edits([], [wanted])})).splitlines()
    assert json.loads(lines[2])["sql"] == wanted.plain
    lines = "".join(labels.edited(source, {labels.identity(record): Edits([gold], [])})).splitlines()
    assert list(map(json.loads, lines)) == [json.loads(line) for n, line in enumerate(old) if n != 2]


def answered(wanted: Query, probability: float) -> Answered:
    return Answered(Example(0, "喜剧有哪些", FILMS), (Ranked(wanted, probability),))


def test_the_query_that_most_models_give_is_taken() -> None:
    """Whatever the order of its parts."""
    one = query((1, 2, "喜剧"), (2, 0, "5"), connector=1)
    same = query((2, 0, "5"), (1, 2, "喜剧"), connector=1)
    other = query((1, 2, "喜剧"))
    predictions = [answered(one, 0.4), answered(other, 0.9), answered(same, 0.5)]
    items = [TASK.items(p) for p in predictions]
    voted = chosen(items, [1, 1, 1], "vote", single=True)
    assert key_of(TASK.joined(predictions, voted).query) == key_of(one)
    assert TASK.joined(predictions, voted).probability == pytest.approx(0.3)
    both = TASK.joined(predictions, chosen(items, [1, 1, 1], "union"))
    assert both.query == other or key_of(both.query) == key_of(one)
    none = TASK.joined(predictions, chosen(items, [1, 1, 1], "intersection"))
    assert none.query == other and none.probability == 0.9
