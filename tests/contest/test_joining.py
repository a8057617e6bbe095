"""Averages and joined results against literal twins, and what is kept of labels."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ietool.core.candidates import Candidates, Floor, Layout
from ietool.core.joining import Weights, averaged, chosen
from ietool.core.labels import LabelColumn, doubled, most_labels, renumber
from ietool.core.together import TogetherReader

LAYOUT = Layout(("at", "label"), ("first", "second"), ("first", "second"))
PLAIN = Layout(("at", "label"), ("probability",), ("probability",))
NAMES = ["a", "b", "c", "d"]
ITEMS = "uvwxyz"


class Head:
    """A decoder as far as joining asks for it."""

    layout = LAYOUT

    def plain(self, parts: Any) -> Any:
        return LAYOUT.probability(parts)[:, None]


weights = st.lists(st.sampled_from([0.0, 0.5, 1.0, 2.0]), min_size=1, max_size=4).filter(any)


@given(st.data())
def test_results_are_joined_as_they_are_defined(data: st.DataObject) -> None:
    some = data.draw(weights)
    finds = st.dictionaries(st.sampled_from(ITEMS), st.sampled_from([0.2, 0.6, 0.9]), max_size=5)
    found = [data.draw(finds) for _ in some]
    votes = data.draw(st.sampled_from([0.25, 0.5, 0.75]))
    counting = [(mine, w) for mine, w in zip(found, some, strict=True) if w > 0]
    every = {item for mine, _ in counting for item in mine}
    mean = {item: sum(w * mine.get(item, 0.0) for mine, w in counting) / sum(some) for item in every}
    share = {item: sum(w for mine, w in counting if item in mine) / sum(some) for item in every}
    wanted = {
        "union": every,
        "intersection": {item for item in every if all(item in mine for mine, _ in counting)},
        "vote": {item for item in every if share[item] > votes + 1e-9},
    }
    for join, items in wanted.items():
        got = chosen(found, some, join, votes)  # type: ignore[arg-type]
        assert set(got) == items
        assert got == pytest.approx({item: mean[item] for item in items})


@given(st.data())
def test_one_answer_is_that_of_most(data: st.DataObject) -> None:
    some = data.draw(weights)
    finds = st.dictionaries(st.sampled_from(ITEMS), st.sampled_from([0.2, 0.6, 0.9]), max_size=1)
    found = [data.draw(finds) for _ in some]
    got = chosen(found, some, "vote", single=True)
    share = {item: sum(w for mine, w in zip(found, some, strict=True) if item in mine) for item in ITEMS}
    none = sum(w for mine, w in zip(found, some, strict=True) if not mine)
    if got:
        (item,) = got
        assert share[item] == max(share.values()) and share[item] >= none
    else:
        assert not any(share.values()) or none > max(share.values())


def candidates(draw: Any, labels: int) -> Candidates:
    rows = draw(st.lists(st.tuples(st.integers(0, 3), st.integers(0, labels - 1)), max_size=6, unique=True))
    rows = np.array(sorted(rows), np.int32).reshape(-1, 2)
    parts = [[draw(st.sampled_from([0.0, 0.25, 0.5, 1.0])) for _ in range(2)] for _ in rows]
    return Candidates(rows, np.array(parts, np.float32).reshape(-1, 2), np.zeros(0, np.float32))


class Model:
    """Says of a row what a table says; proposes those above the floor. Knows ``names`` in its own order."""

    layout = LAYOUT
    most, highest_probability = 9, 0.5
    notes: Sequence[str] = ("said once",)

    def __init__(self, table: list[dict[tuple[int, str], tuple[float, float]]], names: Sequence[str]) -> None:
        self.table, self.names = table, names

    def _rows(self, item: int) -> list[tuple[int, int]]:
        known = [(at, self.names.index(name)) for at, name in self.table[item] if name in self.names]
        return sorted(row for row in known if min(self.said(item, row)) > 0)

    def said(self, item: int, row: Sequence[int]) -> tuple[float, float]:
        return self.table[item].get((row[0], self.names[row[1]]), (0.0, 0.0))

    def propose(self, inputs: Iterable[int], *, floor: Floor) -> Iterator[tuple[int, Candidates]]:
        for item in inputs:
            yield item, self._scored(item, self._rows(item))

    def score(self, inputs: Iterable[tuple[int, Candidates]]) -> Iterator[tuple[int, Candidates]]:
        for item, asked in inputs:
            yield item, self._scored(item, asked.rows.tolist())

    def _scored(self, item: int, rows: Sequence[Any]) -> Candidates:
        parts = np.array([self.said(item, row) for row in rows], np.float32).reshape(-1, 2)
        return Candidates(np.array(rows, np.int32).reshape(-1, 2), parts, np.zeros(0, np.float32))


class Models:
    """Models of which some are in memory, counted."""

    def __init__(self, models: Sequence[Model], at_once: int) -> None:
        self.models, self.at_once = models, at_once
        self.layouts = [LAYOUT] * len(models)
        self.labels = [LabelColumn("label", model.names) for model in models]
        self.marks = [str(n) for n in range(len(models))]
        self.opened: list[int] = []

    def __len__(self) -> int:
        return len(self.models)

    @contextmanager
    def reading(self, number: int) -> Iterator[tuple[Any, Floor]]:
        self.opened.append(number)
        yield self.models[number], Floor()


@settings(deadline=None, max_examples=20)
@given(st.data())
def test_members_together_against_a_literal_twin(data: st.DataObject) -> None:
    """Whatever the numbers of labels, the groups and the weights, in turns and all at once: the mean over all members
    of what each says of every row that any has proposed."""
    count, texts = data.draw(st.integers(1, 3)), data.draw(st.integers(1, 4))
    value = st.sampled_from([0.0, 0.25, 0.5, 1.0])
    row = st.tuples(st.integers(0, 2), st.sampled_from(NAMES))
    table = st.dictionaries(row, st.tuples(value, value), max_size=5)
    models = [Model([data.draw(table) for _ in range(texts)], data.draw(st.permutations(NAMES))) for _ in range(count)]
    members = tuple(data.draw(st.sampled_from([0.5, 1.0, 2.0])) for _ in range(count))
    split = data.draw(st.integers(1, count))
    groups = tuple(g for g in (tuple(range(split)), tuple(range(split, count))) if g)
    weights = Weights(groups, members, tuple(sum(members[n] for n in mine) for mine in groups))
    layout = LAYOUT if len(groups) == 1 else PLAIN
    base = LabelColumn("label", models[0].names)
    found = []
    for at_once in (1, count):
        readers = Models(models, at_once)
        reader = TogetherReader(readers, base, weights, [Head() for _ in groups], layout)  # type: ignore[misc]
        found.append(list(reader.propose(range(texts), floor=Floor(0.5))))
        assert reader.notes == ["said once"] and reader.most == 9
        asked = [*range(count), *reversed(range(count))] if count > 1 else [0]
        assert readers.opened == asked
        again = list(reader.score(found[-1]))
        for (_, one), (_, other) in zip(found[-1], again, strict=True):
            np.testing.assert_allclose(one.parts, other.parts, rtol=1e-6)
    for item, said in enumerate(zip(*found, strict=True)):
        rows = sorted({(at, models[0].names.index(models[n].names[k])) for n in range(count)
                       for at, k in models[n]._rows(item)})  # fmt: skip
        for number, one in said:
            assert number == item and one.models == count and one.rows.tolist() == [list(r) for r in rows]
            for parts, (at, label) in zip(one.parts.tolist(), rows, strict=True):
                name = models[0].names[label]
                every = [m.said(item, (at, list(m.names).index(name))) for m in models]
                share = np.array(members) / sum(members)
                if layout is LAYOUT:
                    wanted: list[float] = (share @ np.array(every)).tolist()
                else:
                    wanted = [0.0]
                    for mine in groups:
                        own = np.array([members[n] for n in mine]) / sum(members[n] for n in mine)
                        mean = own @ np.array([every[n] for n in mine])
                        wanted[0] += float(mean.prod()) * sum(members[n] for n in mine) / sum(members)
                assert parts == pytest.approx(wanted, abs=1e-6)


def test_weights_of_groups_need_not_be_whole() -> None:
    one = Candidates(np.array([[0, 1]], np.int32), np.array([[0.5, 0.5]], np.float32), np.zeros(0, np.float32))
    two = Candidates(one.rows, np.array([[1.0, 0.0]], np.float32), one.whole, capped=3)
    weights = Weights(((0, 1),), (3.0, 1.0), (4.0,))
    mean = averaged([one, two], weights, [Head()], LAYOUT)  # type: ignore[list-item]
    assert mean.parts.tolist() == [[0.625, 0.375]] and mean.capped == 3 and mean.models == 2


def test_a_head_that_does_not_count_says_nothing_of_the_whole() -> None:
    """Though it is the only one that could."""

    class Other(Head):
        layout = replace(PLAIN, whole=("yes", "no"))

    rows, none = np.array([[0, 1]], np.int32), np.zeros(0, np.float32)
    one = Candidates(rows, np.array([[0.5, 0.5]], np.float32), none)
    two = Candidates(rows, np.array([[0.5, 0.5]], np.float32), np.array([0.25, 0.75], np.float32))
    for share, whole in (((1.0, 0.0), [-1, -1]), ((1.0, 3.0), [0.25, 0.75])):
        weights = Weights(((0,), (1,)), (1.0, 1.0), share)
        mean = averaged([one, two], weights, [Head(), Other()], Other.layout)  # type: ignore[list-item]
        assert mean.whole.tolist() == whole


@given(st.permutations(NAMES), st.permutations([*NAMES, "e"]), st.booleans())
def test_renumbered_there_and_back(few: list[str], many: list[str], below: bool) -> None:
    column = LabelColumn("label", few, below), LabelColumn("label", many, below)
    numbers = np.arange(len(few), dtype=np.int32)
    rows = np.stack([np.arange(len(few), dtype=np.int32), -1 - numbers if below else numbers], 1)
    there, kept = renumber(rows, LAYOUT, *column)
    assert kept.tolist() == list(range(len(few)))
    found = -1 - there[:, 1] if below else there[:, 1]
    assert [many[n] for n in found] == few
    back, _ = renumber(there, LAYOUT, column[1], column[0])
    assert back.tolist() == rows.tolist()
    assert most_labels([column[0], None, column[1]]) == (2, [])
    # What the other does not know goes, or becomes its first where no label may be missing.
    lone = np.array([[7, -1 - many.index("e") if below else many.index("e")]], np.int32)
    gone, kept = renumber(lone, LAYOUT, column[1], column[0])
    assert gone.tolist() == ([[7, -1]] if below else []) and len(kept) == below


def test_scores_that_were_kept_are_read_again_if_they_are_the_same(tmp_path: Path) -> None:
    table = [{(0, "a"): (0.5, 0.5)}, {(1, "b"): (1.0, 0.25)}]
    models = [Model(table, NAMES), Model(table, NAMES[::-1])]
    weights = Weights(((0, 1),), (1.0, 1.0), (2.0,))
    asked = []
    for inputs in ([0, 1], [0, 1], [1, 0]):
        readers = Models(models, 1)
        reader = TogetherReader(
            readers, LabelColumn("label", NAMES), weights, [Head()], LAYOUT, scratch=tmp_path  # type: ignore[list-item]
        )  # fmt: skip
        found = {item: one.parts.tolist() for item, one in reader.propose(inputs, floor=Floor())}
        assert found == {0: [[0.5, 0.5]], 1: [[1.0, 0.25]]}
        asked.append(readers.opened)
    assert asked == [[0, 1, 1, 0], [], [0, 1, 1, 0]]


def test_a_label_that_a_run_lacks_is_said_once() -> None:
    """Several kinds of none become its first: its share of none would count for each of them."""
    column, few = LabelColumn("label", ["p", "q", "r"], below_zero=True), LabelColumn("label", ["r"], below_zero=True)
    rows = np.array([[0, -1], [0, -2], [0, -3], [0, 7], [1, -1], [1, -2]], np.int32)
    own, _ = renumber(rows, LAYOUT, column, few)
    assert own[:, 1].tolist() == [-1, -1, -1, 7, -1, -1]
    assert doubled(rows, own, LAYOUT, column, few).tolist() == [0, 1, 5]
    assert not len(doubled(rows, rows, LAYOUT, column, column))
