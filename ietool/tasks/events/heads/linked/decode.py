"""From linked spans to events: the spans that are all linked with each other (kexue.fm 8926)."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ietool.core.candidates import Candidates, Floor, Layout
from ietool.tasks.events.features.featurizer import Labels
from ietool.tasks.events.heads.cliques import maximal_cliques
from ietool.tasks.events.heads.decoder import EventDecoder, Node, least_threshold
from ietool.tasks.events.heads.linked.recipe import LinkedRecipe
from ietool.tasks.events.heads.rows import ROWS, UnitRows, pair_rows, single_rows

PARTS = ("first", "second", "head", "tail")

LAYOUT = Layout(ROWS, PARTS, PARTS)
"""Of a row of one span ``second``, ``head`` and ``tail`` are 1."""

NODES = 40
"""At most so many spans of a type and text are looked at, the most probable ones."""


class LinkedDecoder(EventDecoder):
    """Spans and links above their thresholds are a graph; an event is a complete sub-graph of one type."""

    layout = LAYOUT

    def floor(self, decode: Any) -> Floor:
        span = least_threshold(decode)
        return Floor(parts={"first": span, "second": span, "head": decode.link, "tail": decode.link})

    def kept(self, found: Candidates, decode: Any) -> npt.NDArray[np.bool_]:
        least, link = self.least(found.rows, decode), np.float32(decode.link)
        first, second, head, tail = found.parts.T
        kept: npt.NDArray[np.bool_] = first > least
        kept &= self.single(found.rows) | ((second > least) & (head > link) & (tail > link))
        return kept

    def common(self, decode: Any) -> Hashable:
        return bool(decode.needs_trigger)

    def events(self, found: Candidates, decode: Any) -> Iterator[tuple[Sequence[tuple[Node, float]], float]]:
        ties, alone = self.ties, self.single(found.rows)
        by_type: dict[int, list[tuple[Node, float]]] = {}
        for (a, b, _, _, tie), p in zip(found.rows[alone].tolist(), found.parts[alone, 0].tolist(), strict=True):
            by_type.setdefault(int(self.names.type_of[tie]), []).append(((a, b, tie), p))
        linked: set[tuple[Node, Node]] = set()
        for a, b, c, d, tie in found.rows[~alone].tolist():
            one, other = (a, b, int(ties.first[tie])), (c, d, int(ties.second[tie]))
            linked |= {(one, other), (other, one)}
        for nodes in by_type.values():
            nodes.sort(key=lambda node: (-node[1], node[0]))
            del nodes[NODES:]
            masks = [
                sum(1 << m for m, (other, _) in enumerate(nodes) if m != n and (node, other) in linked)
                for n, (node, _) in enumerate(nodes)
            ]
            for clique in maximal_cliques(masks):
                chosen = [nodes[n] for n in clique]
                triggers = [p for (_, _, label), p in chosen if self._trigger[label]]
                if triggers or not decode.needs_trigger:
                    yield from self._apart(chosen, triggers)

    def _apart(
        self, chosen: Sequence[tuple[Node, float]], triggers: Sequence[float]
    ) -> Iterator[tuple[Sequence[tuple[Node, float]], float]]:
        """The event of a clique; one of several triggers is one event each."""
        if len(triggers) < 2:
            yield chosen, triggers[0] if triggers else max(p for _, p in chosen)
            return
        arguments = [node for node in chosen if not self._trigger[node[0][2]]]
        for node in chosen:
            if self._trigger[node[0][2]]:
                yield [node, *arguments], node[1]

    def perfect(self, nodes: npt.NDArray[np.integer], event_of: npt.NDArray[np.integer]) -> UnitRows:
        if not len(nodes):
            return np.zeros((0, 5), np.int64)
        heads, tails = set(), set()
        for event in np.unique(event_of):
            mine = nodes[event_of == event].tolist()
            for n, (a, b, _) in enumerate(mine):
                for c, d, _ in mine[n + 1 :]:
                    heads.add((min(a, c), max(a, c)))
                    tails.add((min(b, d), max(b, d)))
        spans = np.unique(nodes, axis=0)
        found = []
        for n, (a, b, label) in enumerate(spans.tolist()):
            for c, d, other in spans[n + 1 :].tolist():
                same = self.names.type_of[label] == self.names.type_of[other]
                if same and (min(a, c), max(a, c)) in heads and (min(b, d), max(b, d)) in tails:
                    found.append(((a, b, label), (c, d, other)))
        pairs = np.array(found, np.int64).reshape(-1, 2, 3)
        return np.concatenate([single_rows(spans), pair_rows(pairs[:, 0], pairs[:, 1], self.ties)])


def open_decoder(recipe: LinkedRecipe, assets: Path) -> LinkedDecoder:
    """A decoder with the types and roles that a run folder or prepared folder carries."""
    return LinkedDecoder(Labels.load(assets), recipe.decode.by_label)
