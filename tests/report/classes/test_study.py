"""Outcomes in classes, and what a report counts of them, held to literal readings."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ietool.report.classes import calibration, groups
from ietool.report.classes.pairs import BROKEN, REPAIRED, change_table, changes, difference
from ietool.report.classes.sampling import by_turns, within
from ietool.report.classes.sections import _bars
from ietool.report.classes.study import class_table
from ietool.scoring.classes import GOLD
from ietool.tables import Table
from tests.report.classes.made import CLASSES, TEXT, Found, report, study

SETS = st.lists(
    st.sets(st.builds(lambda start, size, kind: (start, start + size, kind), st.integers(0, 5), st.integers(1, 2),
                      st.sampled_from("ab")), max_size=3).map(sorted),
    min_size=4, max_size=4,
)  # fmt: skip


@settings(max_examples=30)
@given(SETS, SETS)
def test_every_error_is_counted_in_one_class(gold: list[Found], found: list[Found]) -> None:
    one = study(gold, found)[0]
    table = class_table(one, CLASSES)
    wanted, given_ = (sum(len(own) for own in side) for side in (gold, found))
    right = sum(len({*a} & {*b}) for a, b in zip(gold, found, strict=True))
    spurious, missed, items = (sum(int(row[n] or 0) for row in table.rows) for n in (3, 4, 1))
    assert (spurious, missed, items) == (given_ - right, wanted - right, given_ + wanted - 2 * right)
    shares = [row[2] for row in table.rows if row[2] is not None]
    assert sum(map(float, shares)) == pytest.approx(1 if items else 0)


def test_gold_is_doubted_only_where_both_predictions_agree_and_are_sure() -> None:
    gold: list[Found] = [[(0, 1, "a")]] * 3
    first: list[Found] = [[(2, 3, "a"), (4, 5, "b")], [(6, 7, "a")], []]
    second: list[Found] = [[(2, 3, "a")], [(6, 7, "b")], []]
    alone = study(gold, first, chances=[lambda _: 0.999])[0]
    assert GOLD not in alone.classes
    assert all(GOLD not in one.classes for one in study(gold, first, second))  # nothing is known of how sure they are
    both = study(gold, first, second, chances=[lambda _: 0.99, lambda _: 0.99])
    assert [[n for n, name in enumerate(one.classes) if name == GOLD] for one in both] == [[0], [0]]
    unsure = study(gold, first, second, chances=[lambda _: 0.99, lambda _: 0.94])
    assert all(GOLD not in one.classes for one in unsure)
    sure = study(gold, first, second, chances=[lambda _: 0.99, lambda _: 0.95])
    assert [one.classes.count(GOLD) for one in sure] == [1, 1]


@settings(max_examples=30)
@given(SETS, SETS, SETS)
def test_repaired_are_the_errors_of_the_first_alone_and_broken_those_of_the_second(
    gold: list[Found], first: list[Found], second: list[Found]
) -> None:
    both = study(gold, first, second)
    found = changes(both, CLASSES)

    def errors(side: list[Found]) -> Counter[tuple[int, bool, tuple[int, int, str]]]:
        return Counter(
            (n, e in wanted, e)
            for n, (own, wanted) in enumerate(zip(side, gold, strict=True))
            for e in {*own} ^ {*wanted}
        )

    counts = Counter(found.of.values())
    assert counts[REPAIRED] == len(errors(first).keys() - errors(second).keys())
    assert counts[BROKEN] == len(errors(second).keys() - errors(first).keys())
    assert sum(int(row[1] or 0) for row in change_table(both, found, CLASSES).rows) == counts[REPAIRED]


def test_the_difference_of_equal_predictions_is_none_and_that_of_a_better_one_is_above_it() -> None:
    gold: list[Found] = [[(0, 1, "a")]] * 30
    poor: list[Found] = [[(0, 1, "a" if n % 2 else "b")] for n in range(30)]
    assert difference(study(gold, poor, poor)) == (0.0, (0.0, 0.0))
    gain, interval = difference(study(gold, poor, gold))
    assert gain == 0.5 and interval is not None and 0.2 < interval[0] < 0.5 < interval[1] < 0.8


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), max_size=30))
def test_bins_hold_every_item_once_and_the_gap_is_that_of_the_definition(judged: list[tuple[float, bool]]) -> None:
    found = calibration.bins(judged)
    assert sum(one.items for one in found) == len(judged)
    expected = 0.0
    for n in range(10):
        inside = [(p, ok) for p, ok in judged if min(9, int(p * 10)) == n]
        if inside:
            mean, share = sum(p for p, _ in inside) / len(inside), sum(ok for _, ok in inside) / len(inside)
            expected += len(inside) / len(judged) * abs(mean - share)
    assert calibration.gap(found) == pytest.approx(expected)


def test_a_study_with_probabilities_is_calibrated_over_its_predictions() -> None:
    gold: list[Found] = [[(0, 1, "a")], [(0, 1, "a")]]
    one = study(gold, [[(0, 1, "a"), (2, 3, "a")], []], chances=[lambda e: 0.9 if e[0] == 0 else 0.2])[0]
    assert [(b.items, b.right) for b in calibration.of_study(one)] == [(1, 0.0), (1, 1.0)]
    assert calibration.of_study(study(gold, gold)[0]) == []


@settings(max_examples=30)
@given(st.lists(st.integers(1, 40), min_size=1, max_size=30))
def test_parts_by_length_hold_every_text_and_score_as_the_scorer_does(lengths: list[int]) -> None:
    texts = ["长" * length for length in lengths]
    gold: list[Found] = [[(0, 1, "a")]] * len(texts)
    found: list[Found] = [[(0, 1, "a" if len(text) % 3 else "b")] for text in texts]
    table = groups.by_length(report(gold, found, texts), CLASSES)
    assert sum(int(row[1] or 0) for row in table.rows) == len(texts)
    for row in table.rows:
        low, high = (int(end) for end in str(row[0]).split(" – "))
        inside = [n for n, text in enumerate(texts) if low <= len(text) <= high]
        parts = [[side[n] for n in inside] for side in (gold, found)]
        assert len(inside) == row[1] and row[2] == pytest.approx(report(*parts).values["f1"])


def test_names_seen_and_unseen_are_scored_apart() -> None:
    gold: list[Found] = [[(0, 1, "a"), (2, 3, "a")], [(1, 2, "a")]]
    found: list[Found] = [[(0, 1, "a")], [(3, 4, "a")]]
    rows = groups.by_seen(study(gold, found)[0], CLASSES, {"甲"}).rows
    assert rows == [("all in train", 1.0, 1.0, 1.0, 1, 1), ("one or more not in train", 0.0, 0.0, 0.0, 2, 1)]
    assert TEXT[3] == "丁"


@settings(max_examples=30)
@given(st.dictionaries(st.integers(0, 60), st.lists(st.sampled_from("abcd"), min_size=1, max_size=3), min_size=1))
def test_texts_are_taken_by_turns_so_that_every_class_has_its_share(classes: dict[int, list[str]]) -> None:
    order = by_turns(classes)
    assert sorted(order) == sorted(classes) and order == by_turns(classes)
    # However few are taken, a class is left out only if each class had no more than one turn.
    names = {name for own in classes.values() for name in own}
    taken = [name for number in order[: 4 * len(names)] for name in classes[number]]
    assert set(taken) == names


def test_no_more_texts_than_asked_for_and_no_more_bytes() -> None:
    assert within([3, 1, 2], str, len, 2, 100) == ["1", "3"]
    assert within([3, 1, 2], lambda n: "x" * n, len, 9, 4) == ["x", "xxx"]
    assert within([3], lambda n: "x" * n, len, 9, 2) == []


def test_a_type_without_a_score_takes_no_bars_from_the_others() -> None:
    rows = [("公司", 3, 0.5), ("其他", 0, None), ("人物", 2, 0.25)]
    drawn = str(_bars(Table("Types", ("type", "gold", "F1"), rows), "part", "F1"))
    assert drawn.count("<rect") == str(_bars(Table("Types", ("type", "gold", "F1"), rows[::2]), "part", "F1")).count(
        "<rect"
    )
    assert "<svg" in drawn and "其他" in drawn
    assert "<svg" not in str(_bars(Table("Types", ("type", "gold", "F1"), rows[1:2]), "part", "F1"))
