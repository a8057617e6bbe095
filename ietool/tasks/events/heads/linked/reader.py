"""What linked spans say: spans first, then which two of one type are linked at both ends."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from ietool.core.candidates import PRODUCT, Floor, strongest_each
from ietool.core.pools import Reading
from ietool.nn.above import probability_of
from ietool.nn.transfer import Asked
from ietool.tasks.events.heads.linked.decode import LAYOUT
from ietool.tasks.events.heads.linked.model import LinkedModel, Links
from ietool.tasks.events.heads.linked.recipe import LinkedRecipe
from ietool.tasks.events.heads.reader import Encoded, EventsReader, Found, Integers, places
from ietool.tasks.events.heads.rows import pair_rows, single_rows, swaps
from ietool.tasks.events.heads.spans import Spans, spans_above

SPANS = 96
"""At most so many spans of a window are linked, the most probable ones."""


class LinkedReader(EventsReader[LinkedModel]):
    """No two positions are scored as a link unless spans of one type are found there."""

    layout = LAYOUT
    kind = LinkedModel
    spans = SPANS

    def found(self, encoded: Encoded, floor: Floor) -> Reading[Found]:
        links = self.model.links(encoded.h, encoded.inside)
        spans = yield from spans_above(links.spans, min(floor.of("first"), floor.of("second")), self.spans)
        self._seen(spans.highest)
        spans = spans.some(spans.value >= np.float32(floor.of(PRODUCT)))
        one, other = self._pairs(spans)
        first, second = spans.some(one), spans.some(other)
        head, tail = np.zeros(0, np.float32), np.zeros(0, np.float32)
        if len(one):
            asked = self._asked(links, first.text, first.first, first.last, second.first, second.last)
            yield
            head, tail = asked.wait()
        pairs = np.stack([first.value, second.value, head, tail], 1)
        likely = (head > np.float32(floor.of("head"))) & (tail > np.float32(floor.of("tail")))
        likely &= LAYOUT.probability(pairs) >= np.float32(floor.of(PRODUCT))
        alone = np.ones((len(spans.text), 4), np.float32)
        alone[:, 0] = spans.value
        nodes = np.stack([spans.first, spans.last + 1, spans.kind], 1)
        left, right = nodes[one[likely]], nodes[other[likely]]
        rows = np.concatenate([single_rows(nodes), pair_rows(left, right, self.ties)])
        text = np.concatenate([spans.text, first.text[likely]])
        parts = np.concatenate([alone, self._ordered(left, right, pairs[likely])])
        order = np.argsort(text, kind="stable")
        text, rows, parts = text[order], rows[order], parts[order]
        best, more = strongest_each(text, LAYOUT.probability(parts), len(encoded.h), self.most)
        return Found(text[best], rows[best], parts[best], spans.left_out + more)

    def _ordered(self, one: Integers, other: Integers, pairs: np.ndarray) -> np.ndarray:
        """(n, 4): the probabilities of two spans in the order in which a row has them."""
        swapped = swaps(one, other, self.ties)
        ordered = pairs.copy()
        ordered[swapped, :2] = pairs[swapped][:, [1, 0]]
        return ordered

    def _pairs(self, spans: Spans) -> tuple[Integers, Integers]:
        """Every two spans of one text and type, (n,) each."""
        group = spans.text * len(self.labels.types) + self.labels.type_of[spans.kind]
        order = np.argsort(group, kind="stable")
        ordered = group[order]
        # Of each span all that stand behind it in its group.
        behind = np.searchsorted(ordered, ordered, side="right") - np.arange(len(order)) - 1
        one = np.repeat(np.arange(len(order)), behind)
        other = np.arange(len(one)) - np.repeat(np.cumsum(behind) - behind, behind) + one + 1
        return order[one], order[other]

    def parts(self, encoded: Encoded, text: Integers, rows: Integers) -> Reading[np.ndarray]:
        links = self.model.links(encoded.h, encoded.inside)
        a, b, c, d, tie = rows.T
        at, first, last, from_, to, one, other = places(
            encoded.h.device, text, a, b - 1, c, d - 1, self.ties.first[tie], self.ties.second[tie]
        )
        spans = [
            links.spans.at(at, i, j).gather(1, label[:, None])[:, 0]
            for i, j, label in ((first, last, one), (from_, to, other))
        ]
        asked = Asked([probability_of(torch.stack([*spans, *_scores(links, at, first, last, from_, to)], 1))])
        yield
        (parts,) = asked.wait()
        said: np.ndarray = parts.copy()
        said[tie < self.ties.singles, 1:] = 1.0
        return said

    def _asked(
        self, links: Links, text: Integers, first: Integers, last: Integers, from_: Integers, to: Integers
    ) -> Asked:
        """The probabilities of links between some spans, heads and tails."""
        there = places(links.heads.pair.device, text, first, last, from_, to)
        return Asked([probability_of(scores) for scores in _scores(links, *there)])


def _scores(
    links: Links, text: torch.Tensor, first: torch.Tensor, last: torch.Tensor, from_: torch.Tensor, to: torch.Tensor
) -> list[torch.Tensor]:
    """(n,): scores of links of first positions, and of last ones."""
    return [
        scores.at(text, torch.minimum(i, j), torch.maximum(i, j))[:, 0]
        for scores, i, j in ((links.heads, first, from_), (links.tails, last, to))
    ]


def open_reader(recipe: LinkedRecipe, model: LinkedModel, assets: Path) -> LinkedReader:
    """A reader with the tokenizer that a run folder or prepared folder carries. Raises UserError if it belongs to
    another model."""
    return LinkedReader(recipe, model, assets)
