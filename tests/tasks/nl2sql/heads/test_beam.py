"""The beam against every combination of parts, tried one by one."""

from __future__ import annotations

from itertools import product
from math import prod

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ietool.tasks.nl2sql.data.example import Condition, Query
from ietool.tasks.nl2sql.heads.sketch.beam import Option, Parted, probability_of, ranked

share = st.floats(0.01, 1.0)


def split(values: list[float]) -> list[float]:
    """Probabilities of options, with something left for none."""
    total = sum(values) + 0.01
    return [value / total for value in values]


@st.composite
def parts(draw: st.DrawFn) -> Parted:
    found = Parted()
    for column in draw(st.sets(st.integers(0, 4), max_size=3)):
        values = split(draw(st.lists(share, min_size=1, max_size=2)))
        found.columns[column] = [Option(p, kind) for kind, p in enumerate(values)]
    spans = st.tuples(st.integers(0, 6), st.integers(1, 3)).map(lambda at: (at[0], at[0] + at[1]))
    for start, end in draw(st.sets(spans, max_size=4)):
        values = split(draw(st.lists(share, min_size=1, max_size=2)))
        options = [Option(p, Condition(n, 2, f"{start}-{end}")) for n, p in enumerate(values)]
        found.stretches[start, end] = options
    found.connectors = dict(enumerate(split(draw(st.lists(share, min_size=3, max_size=3)))))
    return found


def every(
    parts: Parted, threshold: float, select_threshold: float
) -> dict[tuple[frozenset[object], ...], tuple[float, float]]:
    """What may be put together → (rank, probability), literally from the docstring."""
    found = {}
    columns, spans = sorted(parts.columns), sorted(parts.stretches)

    def choices(options: list[Option]) -> list[Option | None]:
        return [None, *options]

    def chances(options: list[Option], chosen: Option | None, even: float) -> tuple[float, float]:
        if chosen is None:
            p = 1 - sum(one.probability for one in options)
            return p * 2 * even, p
        return chosen.probability * 2 * (1 - even), chosen.probability

    for selected in product(*(choices(parts.columns[c]) for c in columns)):
        if not any(selected):
            continue
        for taken in product(*(choices(parts.stretches[s]) for s in spans)):
            places = [span for span, one in zip(spans, taken, strict=True) if one]
            if any(a < d and c < b for n, (a, b) in enumerate(places) for c, d in places[n + 1 :]):
                continue
            conditions = frozenset(one.what for one in taken if one)
            for connector in (0,) if len(conditions) <= 1 else (1, 2):
                both = [
                    chances(parts.columns[c], one, select_threshold) for c, one in zip(columns, selected, strict=True)
                ]
                both += [chances(parts.stretches[s], one, threshold) for s, one in zip(spans, taken, strict=True)]
                both.append((parts.connectors[connector],) * 2)
                rank, p = prod(one for one, _ in both), prod(one for _, one in both)
                select = frozenset((c, one.what) for c, one in zip(columns, selected, strict=True) if one)
                found[select, frozenset([connector]), conditions] = (rank, p)
    return found


@settings(max_examples=60)
@given(parts(), st.integers(1, 12), st.sampled_from([0.2, 0.5, 0.8]), st.sampled_from([0.3, 0.5]))
def test_the_beam_is_the_best_of_all_combinations(
    parts: Parted, beam: int, threshold: float, select_threshold: float
) -> None:
    found = ranked(parts, beam, threshold=threshold, select_threshold=select_threshold)
    combined = every(parts, threshold, select_threshold)
    if not combined:  # nothing is said of any column
        assert all(query.select == (0,) and query.aggregates == (0,) for query, _ in found)
        return
    wanted = sorted((rank for rank, _ in combined.values()), reverse=True)[:beam]
    assert len(found) == len(wanted) == len({query for query, _ in found})
    for (query, probability), rank in zip(found, wanted, strict=True):
        key = (
            frozenset(zip(query.select, query.aggregates, strict=True)), frozenset([query.connector]),
            frozenset(query.conditions),
        )  # fmt: skip
        assert combined[key][0] == pytest.approx(rank) and combined[key][1] == pytest.approx(probability)


def test_what_two_stretches_say_alike_is_one_condition() -> None:
    """And needs no connector."""
    same = Condition(1, 2, "喜剧")
    said = Parted({0: [Option(0.9, 0)]}, {(0, 2): [Option(0.9, same)], (5, 7): [Option(0.8, same)]}, {0: 0.2, 1: 0.7})
    (best, _), *_ = ranked(said, 4)
    assert best == Query((0,), (0,), 0, (same,))


def test_thresholds_move_what_is_even() -> None:
    one = Condition(0, 0, "5")
    said = Parted({0: [Option(0.9, 4)], 1: [Option(0.4, 0)]}, {(0, 1): [Option(0.6, one)]}, {0: 1.0})

    def best(threshold: float, select_threshold: float) -> Query:
        return ranked(said, 1, threshold=threshold, select_threshold=select_threshold)[0][0]

    assert best(0.5, 0.5) == Query((0,), (4,), 0, (one,))
    assert best(0.7, 0.5).conditions == () and best(0.59, 0.5).conditions == (one,)
    assert best(0.5, 0.3).select == (0, 1) and best(0.5, 0.41).select == (0,)


def test_the_probability_of_a_query_is_that_of_its_rank() -> None:
    conditions = [Condition(0, 2, "甲"), Condition(1, 0, "3")]
    said = Parted(
        {0: [Option(0.6, 0), Option(0.1, 4)], 2: [Option(0.3, 1)]},
        {(0, 1): [Option(0.9, conditions[0])], (3, 4): [Option(1.0, conditions[1])]},
        {0: 0.1, 1: 0.5, 2: 0.4},
    )
    query = Query((0,), (4,), 2, (conditions[1], conditions[0]))
    assert probability_of(query, said) == pytest.approx(0.1 * 0.7 * 0.9 * 1.0 * 0.4)
    assert probability_of(Query((1,), (0,), 0, ()), said) == 0
    assert probability_of(Query((0,), (0,), 1, (Condition(0, 3, "甲"),)), said) == 0
