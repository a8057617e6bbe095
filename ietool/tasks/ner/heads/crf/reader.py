"""What a CRF says of spans, before any threshold."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from ietool.core.candidates import PRODUCT, Floor
from ietool.core.pools import Reading
from ietool.core.span_reader import Places, Spans
from ietool.nn.transfer import Asked
from ietool.tasks.ner.heads.crf.decode import LAYOUT, SpanProbability
from ietool.tasks.ner.heads.crf.model import CRFModel
from ietool.tasks.ner.heads.crf.recipe import CRFRecipe
from ietool.tasks.ner.heads.crf.tagset import TagSet
from ietool.tasks.ner.heads.reader import Encoded, NerReader
from ietool.tasks.ner.recipe import NerRecipe


class CRFReader(NerReader[CRFModel]):
    """Spans with their probability over all paths, and whether the best path has them."""

    layout = LAYOUT

    def __init__(self, recipe: NerRecipe, model: CRFModel, assets: Path, *, pool: int = 16) -> None:
        super().__init__(recipe, model, assets, pool=pool)
        self.tagset = TagSet(self.types, model.config.tag_scheme)

    def fits(self, recipe: NerRecipe) -> bool:
        if not isinstance(recipe, CRFRecipe) or not isinstance(self.model, CRFModel):
            return False
        return recipe.model.head.tags == self.model.config.tag_scheme

    def found(self, encoded: Encoded, floor: Floor) -> Reading[Spans]:
        read = yield from self._read(encoded)
        batch = len(encoded.within)
        least = max(floor.of("probability"), floor.of(PRODUCT))
        text, rows = self.tagset.spans(read.paths)
        probability = read.chains.of(text, rows).astype(np.float32)
        left_out = np.zeros(batch, np.int64)
        # Of a floor under ``path`` the best path alone is wanted, which costs a hundredth.
        if "path" in (floor.parts or {}):
            kept = probability >= np.float32(least)
            text, rows, probability = text[kept], rows[kept], probability[kept]
            return Spans(text, read.in_units(text, rows), _with_mark(probability, 1), left_out)
        found = [(text, rows, _with_mark(probability, 1))]
        known, cuts = _numbered(text, rows), np.searchsorted(text, np.arange(batch + 1)).tolist()
        for n, (low, high) in enumerate(pairwise(cuts)):
            others, said, more = read.chains.above(n, least, self.most)
            at = np.full(len(others), n)
            new = ~np.isin(_numbered(at, others), known[low:high])
            # Of the best path none is left out.
            left_out[n] = more - ((probability[low:high] > np.float32(least)).sum() - (~new).sum())
            found.append((at[new], others[new], _with_mark(said[new], 0)))
        text, rows, parts = (np.concatenate(x) for x in zip(*found, strict=True))
        return Spans(text, read.in_units(text, rows), parts, left_out)

    def worth(self, parts: np.ndarray) -> np.ndarray:
        """The best path before all others: it is what a decoder goes by."""
        worth: np.ndarray = parts[:, 0] + 2.0 * parts[:, 1].astype(np.float64)
        return worth

    def parts(self, encoded: Encoded, text: Places, rows: Places) -> Reading[np.ndarray]:
        read = yield from self._read(encoded)
        place = np.cumsum(read.within, 1) - 1
        own = np.stack([place[text, rows[:, 0]], place[text, rows[:, 1] - 1] + 1, rows[:, 2]], 1)
        on = np.isin(_numbered(text, own), _numbered(*self.tagset.spans(read.paths)))
        return np.stack([read.chains.of(text, own), on], 1)

    def _read(self, encoded: Encoded) -> Reading[_Read]:
        """What the CRF says of a batch."""
        crf, units = self.model.crf, encoded.within.sum(1)
        emissions, lengths = self.model.emissions(encoded.h, encoded.inside, int(units.max()))
        paths, chains = crf.best(emissions, lengths), crf.chains(emissions, lengths)
        single = chains.before + chains.behind - chains.partition[:, None, None]
        real = torch.arange(paths.shape[1], device=lengths.device) < lengths[:, None]
        highest = single[:, :, 1:].amax(2).masked_fill(~real, -torch.inf).max().exp()
        asked = Asked([highest, paths, crf.scores()[1], emissions, *chains])
        yield
        most, tags, transitions, scores, before, behind, partition = asked.wait()
        self.highest_probability = max(self.highest_probability, min(float(most), 1.0))
        spans = SpanProbability(
            self.tagset, transitions.astype(np.float64), scores.astype(np.float64), before, behind, partition, units
        )  # fmt: skip
        return _Read(spans, tags, encoded.within)


class _Read(NamedTuple):
    """Sums over the paths of a batch, its best paths (B, L), and which units stand for characters (B, T)."""

    chains: SpanProbability
    paths: Places
    within: npt.NDArray[np.bool_]

    def in_units(self, text: Places, rows: Places) -> Places:
        """Rows (n, 3) that count the units within alone, as such that count all."""
        order = np.argsort(~self.within, axis=1, kind="stable")
        return np.stack([order[text, rows[:, 0]], order[text, rows[:, 1] - 1] + 1, rows[:, 2]], 1)


def _with_mark(probability: npt.NDArray[np.float32], mark: int) -> npt.NDArray[np.float32]:
    """(n, 2): what the layout names."""
    return np.stack([probability, np.full_like(probability, mark)], 1)


def _numbered(text: Places, rows: Places) -> Places:
    """(n,): a number for each row, another for every other row; no text has 2¹⁶ units."""
    first, end, kind = rows.T
    numbers: Places = ((text << 16 | first) << 16 | end) << 16 | kind
    return numbers


def open_reader(recipe: CRFRecipe, model: CRFModel, assets: Path) -> CRFReader:
    """A reader with the tokenizer that a run folder or prepared folder carries. Raises UserError if it belongs to
    another model."""
    return CRFReader(recipe, model, assets)
