"""What a GlobalPointer says of spans, before any threshold."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from ietool.core.candidates import PRODUCT, Candidates, Floor
from ietool.nn.above import above
from ietool.tasks.ner.heads.globalpointer.decode import LAYOUT
from ietool.tasks.ner.heads.globalpointer.model import PointerModel
from ietool.tasks.ner.heads.globalpointer.recipe import PointerRecipe
from ietool.tasks.ner.heads.reader import NerReader
from ietool.tasks.ner.recipe import NerRecipe


class PointerReader(NerReader[PointerModel]):
    """Spans with their probability."""

    layout = LAYOUT

    def fits(self, recipe: NerRecipe) -> bool:
        return isinstance(recipe, PointerRecipe) and isinstance(self.model, PointerModel)

    def found(self, h: torch.Tensor, inside: torch.Tensor, floor: Floor) -> list[Candidates]:
        scores = self.model.spans(h, inside)
        texts, length = len(h), h.shape[1]
        sentences = torch.arange(texts, device=h.device)
        at, rows, values = [], [], []
        left_out = np.zeros(texts, np.int64)
        # One type at a time: all spans of all types at once are gigabytes where texts are long.
        for kind in range(self.types):
            probability = scores.dense(sentences, torch.full_like(sentences, kind)).sigmoid()
            self.highest_probability = max(self.highest_probability, float(probability.max()))
            hits = above(probability.flatten(1), floor.of("probability"), self.most)
            first, last = (x.cpu().numpy() for x in (hits.place // length, hits.place % length))
            at.append(hits.text.cpu().numpy())
            rows.append(np.stack([first, last + 1, np.full(len(first), kind)], 1).astype(np.int32))
            values.append(hits.value.float().cpu().numpy())
            left_out += hits.left_out.cpu().numpy()
        text, row, value = np.concatenate(at), np.concatenate(rows), np.concatenate(values)
        reached = value >= np.float32(floor.of(PRODUCT))
        text, row, value = text[reached], row[reached], value[reached]
        order = np.argsort(text, kind="stable")
        cuts = np.searchsorted(text[order], np.arange(1, texts))
        return [
            Candidates(row[mine], value[mine, None], np.zeros(0, np.float32), int(left_out[n]))
            for n, mine in enumerate(np.split(order, cuts))
        ]

    def parts(self, h: torch.Tensor, inside: torch.Tensor, rows: Sequence[np.ndarray]) -> list[np.ndarray]:
        scores = self.model.spans(h, inside)
        sentence = np.repeat(np.arange(len(rows)), [len(given) for given in rows])
        every = np.concatenate(rows).astype(np.int64)
        at, first, last, kind = (
            torch.from_numpy(x).to(h.device) for x in (sentence, every[:, 0], every[:, 1] - 1, every[:, 2])
        )
        said = scores.at(at, first, last).gather(1, kind[:, None]).sigmoid().float().cpu().numpy()
        return np.split(said, np.cumsum([len(given) for given in rows])[:-1])


def open_reader(recipe: PointerRecipe, model: PointerModel, assets: Path) -> PointerReader:
    """A reader with the tokenizer that a run folder or prepared folder carries. Raises UserError if it belongs to
    another model."""
    return PointerReader(recipe, model, assets)
