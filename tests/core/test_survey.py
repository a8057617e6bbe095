"""Lengths, oracle tables and tables of scores."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ietool.core.survey import Lengths, OracleCounts, oracle_table, percent
from ietool.scoring.prf import PRFScore
from ietool.scoring.report import coverage_notes
from ietool.scoring.tables import prf_table


@given(st.lists(st.integers(0, 30), min_size=1, max_size=40), st.sampled_from([0.5, 0.95, 1.0]))
def test_quantiles(sizes: list[int], share: float) -> None:
    lengths = Lengths()
    for size in sizes:
        lengths.add("山" * size)
    at = lengths.at(share)
    assert sum(size <= at for size in sizes) >= share * len(sizes) > sum(size < at for size in sizes)
    assert lengths.numbers()["max"] == max(sizes)


def test_nothing_counted() -> None:
    assert Lengths().numbers() == {"p50": 0, "p95": 0, "max": 0}
    assert percent(0, 0) == "0.00%" and percent(1, 8) == "12.50%"
    assert OracleCounts(("far",)).recall == 1.0


def test_oracle_table() -> None:
    train, dev = OracleCounts(("far", "long"), gold=4, spurious=1), OracleCounts(("far", "long"))
    train.lost["long"] += 1
    table = oracle_table({"train": train, "dev": dev}, "mentions", "as told")
    assert [list(row) for row in table.rows] == [
        ["gold mentions", 4, 0],
        ["lost: far", 0, 0],
        ["lost: long", 1, 0],
        ["oracle recall", 0.75, 1.0],
        ["made from perfect labels, but not gold", 1, 0],
    ]
    assert train.numbers() == {"recall": 0.75, "lost": {"far": 0, "long": 1}, "spurious": 1}


def test_scores_stand_worst_first_and_the_frequent_before_the_rare() -> None:
    scores = {"a": PRFScore(1, 1, 1, 1), "b": PRFScore(0, 0, 0, 1), "c": PRFScore(0, 2, 0, 3)}
    assert [row[0] for row in prf_table("", "kind", scores).rows] == ["c", "b", "a"]
    assert prf_table("", "kind", scores, found=True).columns == [
        "kind",
        "P",
        "R",
        "F1",
        "gold",
        "predicted",
        "right",
        "found",
    ]


def test_coverage() -> None:
    assert coverage_notes(["a", "b"], ["b", "c", "d"]) == [
        "1 of 2 gold texts have no prediction and count as empty ones",
        "2 predicted texts are not in gold and cost nothing",
    ]
    assert coverage_notes({"a": 1}, {"a": 2}) == []
