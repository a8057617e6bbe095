"""What a GlobalPointer says of spans, before any threshold."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from ietool.core.candidates import PRODUCT, Floor
from ietool.nn.above import Above, above
from ietool.tasks.ner.heads.globalpointer.decode import LAYOUT
from ietool.tasks.ner.heads.globalpointer.model import PointerModel
from ietool.tasks.ner.heads.globalpointer.recipe import PointerRecipe
from ietool.tasks.ner.heads.reader import NerReader, Places, Spans
from ietool.tasks.ner.recipe import NerRecipe


class PointerReader(NerReader[PointerModel]):
    """Spans with their probability."""

    layout = LAYOUT

    def fits(self, recipe: NerRecipe) -> bool:
        return isinstance(recipe, PointerRecipe) and isinstance(self.model, PointerModel)

    def found(self, h: torch.Tensor, inside: torch.Tensor, floor: Floor) -> Spans:
        scores = self.model.spans(h, inside)
        texts, length = len(h), h.shape[1]
        sentences = torch.arange(texts, device=h.device)
        hits: list[Above] = []
        # One type at a time: all spans of all types at once are gigabytes where texts are long.
        for kind in range(self.types):
            probability = scores.dense(sentences, torch.full_like(sentences, kind)).sigmoid()
            self.highest_probability = max(self.highest_probability, float(probability.max()))
            hits.append(above(probability.flatten(1), floor.of("probability"), self.most))
        text, place, value = (torch.cat(x).cpu().numpy() for x in zip(*(hit[:3] for hit in hits), strict=True))
        kinds = np.repeat(np.arange(self.types), [len(hit.text) for hit in hits])
        rows = np.stack([place // length, place % length + 1, kinds], 1)
        left_out = sum((hit.left_out for hit in hits), torch.zeros_like(sentences)).cpu().numpy()
        reached = value >= np.float32(floor.of(PRODUCT))
        return Spans(text[reached], rows[reached], value[reached, None], left_out)

    def parts(self, h: torch.Tensor, inside: torch.Tensor, text: Places, rows: Places) -> np.ndarray:
        scores = self.model.spans(h, inside)
        at, first, last, kind = (
            torch.from_numpy(x).to(h.device) for x in (text, rows[:, 0], rows[:, 1] - 1, rows[:, 2])
        )
        said: np.ndarray = scores.at(at, first, last).gather(1, kind[:, None]).sigmoid().cpu().numpy()
        return said


def open_reader(recipe: PointerRecipe, model: PointerModel, assets: Path) -> PointerReader:
    """A reader with the tokenizer that a run folder or prepared folder carries. Raises UserError if it belongs to
    another model."""
    return PointerReader(recipe, model, assets)
