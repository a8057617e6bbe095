"""What a GlobalPointer says of spans, before any threshold."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import torch

from ietool.core.candidates import PRODUCT, Floor
from ietool.core.pools import Reading
from ietool.core.span_reader import Places, Spans
from ietool.nn.above import AboveFloor
from ietool.nn.transfer import Asked, sent
from ietool.tasks.ner.heads.globalpointer.decode import LAYOUT
from ietool.tasks.ner.heads.globalpointer.model import PointerModel
from ietool.tasks.ner.heads.globalpointer.recipe import PointerRecipe
from ietool.tasks.ner.heads.reader import Encoded, NerReader
from ietool.tasks.ner.recipe import NerRecipe


class PointerReader(NerReader[PointerModel]):
    """Spans with their probability."""

    layout = LAYOUT

    def fits(self, recipe: NerRecipe) -> bool:
        return isinstance(recipe, PointerRecipe) and isinstance(self.model, PointerModel)

    def found(self, encoded: Encoded, floor: Floor) -> Reading[Spans]:
        scores = self.model.spans(encoded.h, encoded.inside)
        texts, length = encoded.within.shape
        sentences = torch.arange(texts, device=encoded.h.device)

        def probability(kind: int) -> torch.Tensor:
            return scores.dense(sentences, torch.full_like(sentences, kind)).sigmoid().flatten(1)

        highest: list[torch.Tensor] = []
        hits: list[AboveFloor] = []
        # One type at a time: all spans of all types at once are gigabytes where texts are long.
        for kind in range(self.types):
            of_kind = probability(kind)
            highest.append(of_kind.max())
            hits.append(AboveFloor(of_kind, floor.of("probability"), self.most, partial(probability, kind)))
        asked = Asked([*highest, *(tensor for hit in hits for tensor in hit.tensors)])
        yield
        arrays = iter(asked.wait())
        self.highest_probability = max(self.highest_probability, *(float(next(arrays)) for _ in highest))
        found = [hit.found([next(arrays) for _ in hit.tensors]) for hit in hits]
        text, place, value = (np.concatenate(x) for x in zip(*(one[:3] for one in found), strict=True))
        kinds = np.repeat(np.arange(self.types), [len(one.text) for one in found])
        rows = np.stack([place // length, place % length + 1, kinds], 1)
        left_out = np.sum([one.left_out for one in found], 0)
        reached = value >= np.float32(floor.of(PRODUCT))
        return Spans(text[reached], rows[reached], value[reached, None], left_out)

    def parts(self, encoded: Encoded, text: Places, rows: Places) -> Reading[np.ndarray]:
        scores = self.model.spans(encoded.h, encoded.inside)
        places = torch.from_numpy(np.stack([text, rows[:, 0], rows[:, 1] - 1, rows[:, 2]]))
        at, first, last, kind = sent({"places": places}, encoded.h.device)["places"]
        asked = Asked([scores.at(at, first, last).gather(1, kind[:, None]).sigmoid()])
        yield
        (said,) = asked.wait()
        return said


def open_reader(recipe: PointerRecipe, model: PointerModel, assets: Path) -> PointerReader:
    """A reader with the tokenizer that a run folder or prepared folder carries. Raises UserError if it belongs to
    another model."""
    return PointerReader(recipe, model, assets)
