"""Complete sub-graphs: which arguments make up one event (kexue.fm 8926)."""

from __future__ import annotations

from collections.abc import Sequence

MOST = 64
"""At most so many complete sub-graphs of a graph are found."""

STEPS = 4096
"""After so many steps the search ends: a graph of n nodes can have 3^(n/3) of them."""


def maximal_cliques(neighbours: Sequence[int], most: int = MOST, steps: int = STEPS) -> list[list[int]]:
    """The sets of nodes that are all linked with each other and to which no further node is linked throughout.

    The article divides a graph wherever two nodes are not linked, and goes on with the neighbours of either; it finds
    the same sets, some of them many times. This search (Bron and Kerbosch, with a pivot) finds each once.

    Args:
        neighbours: of each node, as bits; links go both ways, none leads to the node itself.
        most, steps: where the search ends early. What was found until then stays, the first nodes' sets first.

    Returns:
        The sets, each in order, sorted.
    """
    found: list[list[int]] = []
    left = steps

    def search(chosen: int, able: int, done: int) -> None:
        nonlocal left
        left -= 1
        if not able and not done:
            found.append(_bits(chosen))
            return
        pivot = max(_bits(able | done), key=lambda node: (able & neighbours[node]).bit_count())
        for node in _bits(able & ~neighbours[pivot]):
            if left <= 0 or len(found) >= most:
                return
            search(chosen | 1 << node, able & neighbours[node], done & neighbours[node])
            able &= ~(1 << node)
            done |= 1 << node

    if neighbours:
        search(0, (1 << len(neighbours)) - 1, 0)
    return sorted(found)


def _bits(mask: int) -> list[int]:
    """The numbers of the bits of a mask, in order."""
    found = []
    while mask:
        low = mask & -mask
        found.append(low.bit_length() - 1)
        mask ^= low
    return found
