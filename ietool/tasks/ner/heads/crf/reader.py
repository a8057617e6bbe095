"""What a CRF says of spans, before any threshold."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch

from ietool.core.candidates import PRODUCT, Candidates, Floor
from ietool.tasks.ner.heads.crf.decode import LAYOUT, SpanProbability
from ietool.tasks.ner.heads.crf.model import CRFModel
from ietool.tasks.ner.heads.crf.recipe import CRFRecipe
from ietool.tasks.ner.heads.crf.tagset import TagSet
from ietool.tasks.ner.heads.reader import NerReader
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

    def found(self, h: torch.Tensor, inside: torch.Tensor, floor: Floor) -> list[Candidates]:
        # Of a floor under ``path`` the best path alone is wanted, which costs a hundredth.
        path_alone = "path" in (floor.parts or {})
        least = max(floor.of("probability"), floor.of(PRODUCT))
        found = []
        for chain, path, places in self._chains(h, inside):
            rows = np.array(self.tagset.decode(path.tolist()), np.int64).reshape(-1, 3)
            probability = chain.of(*rows.T).astype(np.float32)
            marks, left_out = np.ones(len(rows), np.float32), 0
            if path_alone:
                kept = probability >= np.float32(least)
                rows, probability, marks = rows[kept], probability[kept], marks[kept]
            else:
                others, said, left_out = chain.above(least, self.most)
                new = ~np.isin(_numbered(others, len(places)), _numbered(rows, len(places)))
                left_out -= int((probability > np.float32(least)).sum() - (~new).sum())  # of the best path none is
                rows, probability = np.concatenate([rows, others[new]]), np.concatenate([probability, said[new]])
                marks = np.concatenate([marks, np.zeros(int(new.sum()), np.float32)])
            spans = np.stack([places[rows[:, 0]], places[rows[:, 1] - 1] + 1, rows[:, 2]], 1).astype(np.int32)
            found.append(Candidates(spans, np.stack([probability, marks], 1), np.zeros(0, np.float32), left_out))
        return found

    def worth(self, parts: np.ndarray) -> np.ndarray:
        """The best path before all others: it is what a decoder goes by."""
        worth: np.ndarray = parts[:, 0] + 2.0 * parts[:, 1].astype(np.float64)
        return worth

    def parts(self, h: torch.Tensor, inside: torch.Tensor, rows: Sequence[np.ndarray]) -> list[np.ndarray]:
        said = []
        for (chain, path, places), given in zip(self._chains(h, inside), rows, strict=True):
            number = np.zeros(int(places.max(initial=0)) + 2, np.int64)
            number[places] = np.arange(len(places))
            first, end, kind = number[given[:, 0]], number[given[:, 1] - 1] + 1, given[:, 2].astype(np.int64)
            on = {tuple(row) for row in self.tagset.decode(path.tolist())}
            marks = [float(row in on) for row in zip(first.tolist(), end.tolist(), kind.tolist(), strict=True)]
            said.append(np.stack([chain.of(first, end, kind), np.array(marks)], 1))
        return said

    def _chains(
        self, h: torch.Tensor, inside: torch.Tensor
    ) -> Iterator[tuple[SpanProbability, np.ndarray, np.ndarray]]:
        """Of each text its sums over paths, its best path, and the places of its units among all."""
        crf = self.model.crf
        emissions, lengths = self.model.emissions(h, inside)
        paths, chains = crf.best(emissions, lengths), crf.chains(emissions, lengths)
        single = chains.before + chains.behind - chains.partition[:, None, None]
        real = torch.arange(paths.shape[1], device=lengths.device) < lengths[:, None]
        highest = float(single[:, :, 1:].amax(2).masked_fill(~real, -torch.inf).max().exp())
        self.highest_probability = max(self.highest_probability, min(highest, 1.0))
        transitions = crf.scores()[1].double().cpu().numpy()
        numbers, before, behind, partition = (x.double().cpu().numpy() for x in (emissions, *chains))
        within, best = inside.cpu().numpy(), paths.cpu().numpy()
        for n, path in enumerate(best):
            places = np.flatnonzero(within[n])
            own = slice(len(places))
            chain = SpanProbability(
                self.tagset, transitions, numbers[n, own], before[n, own], behind[n, own], float(partition[n])
            )
            yield chain, path[: len(places)], places


def _numbered(rows: np.ndarray, length: int) -> np.ndarray:
    """(n,): a number for each row (first unit, the one behind the last, type), another for every other row."""
    return (rows[:, 2] * length + rows[:, 0]) * (length + 1) + rows[:, 1]


def open_reader(recipe: CRFRecipe, model: CRFModel, assets: Path) -> CRFReader:
    """A reader with the tokenizer that a run folder or prepared folder carries. Raises UserError if it belongs to
    another model."""
    return CRFReader(recipe, model, assets)
