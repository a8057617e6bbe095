"""Members of several groups, heads and seeds: which of them stand together for one fold, and what weight each has."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ietool.contest.ensemble.gather import Fold, Gathered
from ietool.contest.ensemble.unseen import Cut, Records
from ietool.contest.group import GroupEntry, new_group
from ietool.errors import UserError

_GROUPS = st.lists(st.tuples(st.integers(1, 3), st.sampled_from("ab")), min_size=1, max_size=4)
"""Of each group: how many seeds it has, and its head."""


def gathered(groups: list[tuple[int, str]], folds: int, base: int, alone: bool) -> tuple[Gathered, Cut]:
    """As :func:`ietool.contest.ensemble.gather.gather` has them: head by head, group by group, fold by fold."""
    found: list[tuple[str, Fold]] = []
    for number, (seeds, head) in enumerate(groups):
        info = new_group("r", "ner", folds, range(seeds), prepared="", base="", assignment="", files={})
        entry = GroupEntry(Path(f"g{number}"), info)
        found += [(head, Fold(entry, info.fold_of(name), info.seed_of(name))) for name in info.members]
    heads = list(dict.fromkeys(head for head, _ in found))
    order = [n for head in heads for n, (own, _) in enumerate(found) if own == head]
    sizes = [1] * len(found) if alone else [sum(own == head for own, _ in found) for head in heads]
    known = [found[n][1] for n in order]
    every: list[Any] = [SimpleNamespace(folder=Path(f"{f.group.folder}-{f.number}-{f.seed}")) for f in known]
    base %= len(found)
    task: Any = SimpleNamespace(head=lambda recipe: SimpleNamespace(name="h"))
    members = Gathered(task, every, every, every, [str(n) for n in order], sizes, order, base, [], known)
    columns = list(dict.fromkeys(one.column for one in known))
    records: Any = SimpleNamespace(folds=np.arange(7) % folds)
    names = [f"{folder}/{seed}" for folder, seed in columns]
    return members, Cut(records, np.arange(7) * 10, "", names, [columns.index(one.column) for one in known])


@given(_GROUPS, st.integers(2, 4), st.integers(0, 50), st.booleans())
def test_every_fold_has_one_member_of_each_column(
    groups: list[tuple[int, str]], folds: int, base: int, alone: bool
) -> None:
    members, cut = gathered(groups, folds, base, alone)
    columns = sum(seeds for seeds, _ in groups)
    assert len(cut.columns) == columns and list(cut.folds) == list(range(folds))
    weights = [float(n + 1) for n in range(columns)]
    spread = cut.spread(weights)
    assert len(spread) == len(members) and cut.gathered(spread) == weights
    shapes = set()
    for fold in cut.folds:
        mine = cut.members_of(members, fold)
        known = [one for one in mine.folds if one is not None]
        assert {one.number for one in known} == {fold}
        assert [f"{one.group.folder}/{one.seed}" for one in known] == list(cut.columns)
        base_of = members.folds[members.base]
        assert base_of is not None and known[mine.base].column == base_of.column
        shapes.add(tuple(mine.groups))
        # A group of the fold holds those members that its group of all members holds.
        edges = list(pairwise(np.cumsum([0, *mine.groups]).tolist()))
        whole = list(pairwise(np.cumsum([0, *members.groups]).tolist()))
        inside = {entry.folder: n for n, (a, b) in enumerate(whole) for entry in members.entries[a:b]}
        for a, b in edges:
            assert alone or len({inside[entry.folder] for entry in mine.entries[a:b]}) == 1
    assert len(shapes) == 1 and sum(shapes.pop()) == columns
    in_turn = np.concatenate([np.arange(7)[np.arange(7) % folds == fold] * 10 for fold in cut.folds])
    assert cut.in_turn().tolist() == in_turn.tolist()


def test_the_folds_of_a_group_have_one_weight() -> None:
    members, cut = gathered([(2, "a"), (1, "b")], 2, 0, alone=False)
    weights = cut.spread([1.0, 2.0, 3.0])
    weights[next(n for n, one in enumerate(members.folds) if one is not None and one.seed == 1)] = 5.0
    with pytest.raises(UserError, match="gives the folds of g0/1 different weights"):
        cut.gathered(weights)


def test_records_are_read_as_often_as_they_are_gone_through() -> None:
    asked: list[int] = []
    base: Any = SimpleNamespace(records=lambda fold: asked.append(fold) or iter("ab"))
    records = Records(base, 3)
    assert [list(records), list(records)] == [["a", "b"], ["a", "b"]] and asked == [3, 3]
