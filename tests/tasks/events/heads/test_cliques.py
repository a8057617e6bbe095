"""Complete sub-graphs, against all subsets and against the search as the article has it."""

from __future__ import annotations

import time
from itertools import combinations

from hypothesis import given, settings
from hypothesis import strategies as st

from ietool.tasks.events.heads.cliques import MOST, maximal_cliques

Links = set[tuple[int, int]]

graphs = st.integers(0, 7).flatmap(
    lambda n: st.tuples(
        st.just(n), st.sets(st.sampled_from([(a, b) for a in range(n) for b in range(a)] or [(0, 0)]), max_size=21)
    )
)


def masks(count: int, links: Links) -> list[int]:
    return [sum(1 << b for b in range(count) if a != b and ((a, b) in links or (b, a) in links)) for a in range(count)]


def complete(nodes: tuple[int, ...], links: Links) -> bool:
    return all((a, b) in links or (b, a) in links for a, b in combinations(nodes, 2))


def by_subsets(count: int, links: Links) -> list[list[int]]:
    every = [
        set(some) for size in range(1, count + 1) for some in combinations(range(count), size) if complete(some, links)
    ]
    return sorted(sorted(one) for one in every if not any(one < other for other in every))


def by_article(nodes: list[int], links: Links) -> list[list[int]]:
    """Wherever two nodes are not linked, go on with either and its neighbours."""
    parts: list[list[int]] = []
    for a, b in combinations(nodes, 2):
        if not complete((a, b), links):
            for host in (a, b):
                near = sorted([host, *(n for n in nodes if n != host and complete((host, n), links))])
                if near not in parts:
                    parts.append(near)
    if not parts:
        return [nodes]
    found: list[list[int]] = []
    for part in parts:
        found += [one for one in by_article(part, links) if one not in found]
    return sorted(found)


@given(graphs)
@settings(max_examples=150, deadline=None)
def test_all_of_them_and_no_others(graph: tuple[int, Links]) -> None:
    count, links = graph
    found = maximal_cliques(masks(count, links))
    assert found == by_subsets(count, links)
    if count:
        assert found == by_article(list(range(count)), links)


def test_a_dense_graph_does_not_hang() -> None:
    """Thirteen groups of three, everything linked but within a group: 3^13 complete sub-graphs."""
    count = 39
    links = {(a, b) for a in range(count) for b in range(a) if a // 3 != b // 3}
    begin = time.perf_counter()
    found = maximal_cliques(masks(count, links))
    assert time.perf_counter() - begin < 2
    assert len(found) == MOST and all(complete(tuple(one), links) and len(one) == 13 for one in found)


def test_what_is_found_first_stays_where_it_ends_early() -> None:
    links = {(1, 0), (3, 2)}
    whole = maximal_cliques(masks(5, links))
    assert whole == [[0, 1], [2, 3], [4]]
    assert all(one in whole for one in maximal_cliques(masks(5, links), most=1))
    assert len(maximal_cliques(masks(5, links), most=1)) == 1
