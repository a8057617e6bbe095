"""``benchmarks/clean.py``: what is planted is what stands in the corpus, and limits are the best that there are."""

from __future__ import annotations

import json
import sys
from itertools import product
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ietool.paths import shipped_data

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
sys.path.append(str(BENCHMARKS))

import clean  # noqa: E402
from clean import Change, change_of, choose, is_within, ticked, tried  # noqa: E402
from planting import PLANTERS, plant, wanted  # noqa: E402

from ietool.contest.clean.review import ReviewRow  # noqa: E402
from ietool.contest.clean.suggest import Limits, Suggestion  # noqa: E402


def corpus(task: str, folder: Path, count: int = 60) -> dict[str, Path]:
    """The first records of what ships."""
    source = shipped_data(task)
    if task == "qa":
        records = json.loads((source / "train.json").read_text("utf-8"))[:count]
        (folder / "train.json").write_text(json.dumps(records, ensure_ascii=False), "utf-8")
        return {"train": folder / "train.json"}
    lines = (source / "train.jsonl").read_text("utf-8").splitlines()[:count]
    (folder / "train.jsonl").write_text("\n".join(lines) + "\n", "utf-8")
    return {"train": folder / "train.jsonl", "kb": source / "kb_data"}


@pytest.mark.parametrize("task", PLANTERS)
def test_what_is_planted_stands_in_the_corpus(task: str, tmp_path: Path) -> None:
    """Mending all errors gives the corpus that there was, item by item."""
    files, planter = corpus(task, tmp_path), PLANTERS[task]
    target = tmp_path / "planted.json"
    errors = plant(task, files, target, 0.3, Random(3))
    assert len(errors) > 20 and {error["how"] for error in errors} == set(planter.kinds)
    plan = planter(files)

    def keys(path: Path) -> list[set[str]]:
        return [{planter.key(item) for item in plan.items(record)} for record in plan.read(path)]

    marks, now, was = plan.marks(target), keys(target), keys(files["train"])
    assert marks == plan.marks(files["train"]) and len(set(marks)) == len(marks)
    assert any(one != other for one, other in zip(now, was, strict=True))
    for (mark, what, key), number in wanted(task, errors):
        one = now[marks.index(mark)]
        assert errors[number]["mark"] == mark and (key in one) == (what == "drop")
        one.symmetric_difference_update({key})
    assert now == was
    again = plant(task, files, tmp_path / "again.json", 0.3, Random(3))
    assert again == errors and (tmp_path / "again.json").read_bytes() == target.read_bytes()


KINDS = ("missing entity", "doubtful entity", "extra entity", "wrong type", "wrong answer")
SCORES = st.sampled_from((1e-6, 1e-4, 2e-3, 0.05, 0.2, 0.45, 0.75, 0.97))


@st.composite
def changes(draw: st.DrawFn) -> Change:
    kind = draw(st.sampled_from(KINDS))
    count = 2 if kind.startswith("wrong") else 1
    right = draw(st.integers(0, count))
    return Change(kind, draw(SCORES), draw(SCORES), count, right, frozenset(range(right)), draw(st.booleans()), False)


@settings(max_examples=30, deadline=None)
@given(st.lists(changes(), max_size=40), st.sampled_from((0.5, 0.8)))
def test_limits_are_precise_enough_and_no_others_are_better(some: list[Change], precision: float) -> None:
    limits = choose(some, precision)
    taken = ticked(some, limits)
    assert all(c.is_open for c in taken)
    for kind in {c.kind for c in some if c.is_open}:
        own = [c for c in some if c.kind == kind and c.is_open]

        def counted(pair: tuple[float, float], own: list[Change] = own) -> tuple[int, int]:
            within = [c for c in own if is_within(c, pair)]
            return sum(c.right for c in within), sum(c.count for c in within)

        right, count = counted(limits[kind])
        assert not count or right >= precision * (count + 2)
        for pair in tried(kind):
            other, of = counted(pair)
            assert other <= right or other < precision * (of + 2)


@pytest.mark.parametrize("kind", KINDS)
def test_limits_act_as_those_of_the_command(kind: str) -> None:
    name = kind.split()[0]
    for comes, goes, (add, drop) in product((0.1, 0.5, 0.9), (1e-4, 0.05, 0.3), ((0.4, 0.1), (0.5, 0.3), (0.0, 1e-4))):
        change = Change(kind, comes, goes, 1, 0, frozenset(), True, False)
        gold, new = None if name == "missing" else "a", "b" if name in ("missing", "wrong") else None
        beside = comes if kind in ("extra entity", "wrong answer") else 1.0
        one = Suggestion(0, kind, gold, new, goes, comes, 0, 1, 1, True, beside)
        assert is_within(change, (add, drop)) == one.is_ticked(Limits(add=add, drop=drop))


def test_a_row_is_held_against_what_was_planted() -> None:
    mends = {("m", "drop", "x"): 4, ("m", "add", "y"): 4}
    item: dict[str, Any] = {"name": "x"}
    row = ReviewRow(2, True, 0, "wrong type", item, {"name": "z"}, ("0.001", "0.9"), "0 of 1", "m")
    change = change_of(row, mends, {clean.key_of(row)}, lambda one: one["name"])
    assert change == Change("wrong type", 0.9, 0.001, 2, 1, frozenset({4}), True, True)
    other = ReviewRow(3, False, 0, "missing type", None, {"name": "y"}, ("", "0.9"), "0 of 1", "other")
    assert change_of(other, mends, set(), lambda one: one["name"]).right == 0
