"""Names that stand several times."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ietool.scoring.occurrences import numbered, numbered_as

names = st.lists(st.sampled_from("甲乙丙"), max_size=8)


def test_the_first_goes_with_the_first_and_of_too_many_the_last_count() -> None:
    assert numbered("甲乙甲") == [("甲", 0), ("乙", 0), ("甲", 1)]
    assert numbered_as("甲乙甲", "甲甲乙") == [("甲", 0), ("甲", 1), ("乙", 0)]
    assert numbered_as("甲乙", "甲甲乙") == [("甲", -1), ("甲", 0), ("乙", 0)]
    assert numbered_as("甲甲甲", "甲甲") == [("甲", 0), ("甲", 1)]
    assert numbered_as("甲", "乙乙") == [("乙", -1), ("乙", 0)]  # not in gold, and repeated


@given(names, names)
def test_every_name_of_gold_has_its_own_as_long_as_there_are_any(gold: list[str], predicted: list[str]) -> None:
    keys = numbered_as(gold, predicted)
    assert len(set(keys)) == len(keys) and [name for name, _ in keys] == predicted
    assert numbered_as(gold, gold) == numbered(gold)
    for name in set(gold):
        shared = sum(key in keys for key in numbered(gold) if key[0] == name)
        assert shared == min(gold.count(name), predicted.count(name))
