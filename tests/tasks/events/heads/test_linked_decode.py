"""From linked spans to events, against the rule as it reads."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ietool.core.candidates import Candidates
from ietool.errors import UserError
from ietool.tasks.events.data.example import Event, Example
from ietool.tasks.events.data.schema import Schema
from ietool.tasks.events.features.featurizer import Labels
from ietool.tasks.events.heads.linked.decode import LAYOUT, NODES, LinkedDecoder
from ietool.tasks.events.heads.rows import pair_rows
from tests.tasks.events.made import small_recipe

LABELS = Labels.of(Schema({"收购": ("收购方", "被收购方"), "裁员": ("裁员方",)}))
DECODER = LinkedDecoder(LABELS)
DECODE: Any = small_recipe("events").decode
TEXT = Example("甲乙丙丁戊己庚辛壬癸子丑")

Node = tuple[int, int, int]

nodes = st.lists(
    st.tuples(st.integers(0, 8), st.integers(1, 3), st.integers(0, len(LABELS.names) - 1)).map(
        lambda n: (n[0], n[0] + n[1], n[2])
    ),
    max_size=6,
    unique=True,
)
chances = st.sampled_from([0.1, 0.3, 0.6, 0.9])
by_label = st.dictionaries(st.sampled_from(LABELS.types), st.sampled_from([0.0, 0.2, 0.5, 0.8]))


def candidates(spans: dict[Node, float], links: dict[tuple[Node, Node], tuple[float, float]]) -> Candidates:
    """Rows of all spans, and of all pairs that have a link."""
    rows = [np.array([a, b, a, b, label]) for a, b, label in spans]
    parts = [[p, 1.0, 1.0, 1.0] for p in spans.values()]
    for (one, other), (head, tail) in links.items():
        (row,) = pair_rows(np.array([one]), np.array([other]), LABELS.ties)
        rows.append(row)
        first = one if row[0] == one[0] and row[1] == one[1] and LABELS.ties.first[row[4]] == one[2] else other
        second = other if first == one else one
        parts.append([spans[first], spans[second], head, tail])
    return Candidates(
        np.array(rows, np.int32).reshape(-1, 5), np.array(parts, np.float32).reshape(-1, 4), np.zeros(0, np.float32)
    )


def events_of(found: Candidates, **settings: Any) -> list[Event]:
    return DECODER.decode(TEXT, found, DECODE.model_copy(update=settings)).plain


def literal(
    spans: dict[Node, float], links: dict[tuple[Node, Node], tuple[float, float]], least: dict[str, float], link: float,
    needs_trigger: bool,
) -> set[tuple[str, frozenset[Node]]]:  # fmt: skip
    """Of every type the largest sets of spans above their threshold of which every two are linked at both ends."""
    found = set()
    for kind in LABELS.types:
        mine = [
            n for n, p in spans.items() if LABELS.names[n[2]][0] == kind and np.float32(p) > np.float32(least[kind])
        ]

        def tied(one: Node, other: Node) -> bool:
            said = links.get((one, other), links.get((other, one), (0.0, 0.0)))
            return min(said) > link

        sets = [
            frozenset(some)
            for size in range(1, len(mine) + 1)
            for some in combinations(mine, size)
            if all(tied(a, b) for a, b in combinations(some, 2))
        ]
        for one in sets:
            triggers = [n for n in one if not LABELS.names[n[2]][1]]
            if any(one < other for other in sets) or (needs_trigger and not triggers):
                continue
            rest = one - set(triggers)
            found |= {(kind, rest | {t}) for t in triggers} if len(triggers) > 1 else {(kind, one)}
    return found


@given(st.data())
@settings(max_examples=120, deadline=None)
def test_events_are_the_complete_sub_graphs(data: st.DataObject) -> None:
    spans = {node: data.draw(chances) for node in data.draw(nodes)}
    pairs = [
        pair for pair in combinations(spans, 2)
        if LABELS.type_of[pair[0][2]] == LABELS.type_of[pair[1][2]] and data.draw(st.booleans())
    ]  # fmt: skip
    links = {pair: (data.draw(chances), data.draw(chances)) for pair in pairs}
    own, link, trigger = data.draw(by_label), data.draw(st.sampled_from([0.2, 0.5])), data.draw(st.booleans())
    told = events_of(candidates(spans, links), threshold=0.5, by_label=own, link=link, needs_trigger=trigger)
    found = {(e.type, frozenset((a, b, LABELS.numbers[e.type, role]) for a, b, role in e.nodes)) for e in told}
    least = {kind: own.get(kind, 0.5) for kind in LABELS.types}
    assert found == literal(spans, links, least, link, trigger)


def test_arguments_may_be_shared_and_have_two_roles() -> None:
    """Two events of one type share a trigger and an argument, which has another role in an event of another type."""
    t, a, b, c = (0, 1, 0), (2, 4, 1), (5, 6, 2), (8, 9, 2)
    other, same = (10, 11, 3), (2, 4, 4)
    spans = dict.fromkeys((t, a, b, c, other, same), 0.9)
    links = dict.fromkeys([(t, a), (t, b), (t, c), (a, b), (a, c), (other, same)], (0.9, 0.9))
    found = events_of(candidates(spans, links))
    assert [(e.type, [(x.start, x.role) for x in e.arguments]) for e in found] == [
        ("收购", [(2, "收购方"), (5, "被收购方")]),
        ("收购", [(2, "收购方"), (8, "被收购方")]),
        ("裁员", [(2, "裁员方")]),
    ]


@pytest.mark.parametrize("character", [" ", "\x01", "\x00"])
def test_a_name_that_no_submission_takes_is_none(character: str) -> None:
    spans = {(0, 1, 0): 0.9, (1, 2, 1): 0.9, (2, 4, 2): 0.9}
    links = dict.fromkeys(combinations(spans, 2), (0.9, 0.9))
    (found,) = DECODER.decode(Example(f"买{character}丙丁"), candidates(spans, links), DECODE).events
    assert [a.text for a in found.arguments] == ["丙丁"]


def test_what_is_proposed_at_a_lower_floor_decodes_to_the_same() -> None:
    floor = DECODER.floor(DECODE.model_copy(update={"threshold": 0.4, "link": 0.3, "by_label": {"裁员": 0.1}}))
    assert {name: floor.of(name) for name in LAYOUT.parts} == {"first": 0.1, "second": 0.1, "head": 0.3, "tail": 0.3}


def test_so_many_spans_of_a_type_that_no_graph_could_be_searched() -> None:
    many = {(n, n + 1, label): 0.6 + 0.003 * (n % 7) for n in range(40) for label in (0, 1, 2)}
    links = {pair: (0.9, 0.9) for pair in combinations(many, 2) if abs(pair[0][0] - pair[1][0]) % 3}
    long = Example("字" * 50)
    found = DECODER.decode(long, candidates(many, links), DECODE)
    used = {(a, b, role) for e in found.plain for a, b, role in e.nodes}
    assert 0 < len(used) <= NODES


def test_a_threshold_for_a_type_that_there_is_not() -> None:
    with pytest.raises(UserError, match="no type of event is called '收够'"):
        LinkedDecoder(LABELS, {"收够": 0.5})


def test_labels_are_told_apart_by_name_in_whatever_order() -> None:
    """Another run that has met types and roles in another order says the same by the same names."""
    other = Labels.of(Schema({"裁员": ("裁员方",), "收购": ("被收购方", "收购方")}))
    assert set(other.ties.names) == set(LABELS.ties.names) and other.ties.names != LABELS.ties.names
    for labels in (LABELS, other):
        a, b = labels.numbers["收购", "收购方"], labels.numbers["收购", "被收购方"]
        (row,) = pair_rows(np.array([[0, 1, a]]), np.array([[3, 4, b]]), labels.ties)
        assert labels.ties.names[row[4]] == ("收购", "收购方", "被收购方") and row[:4].tolist() == [0, 1, 3, 4]
