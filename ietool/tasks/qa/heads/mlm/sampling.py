"""What a training step sees: the windows of the span head, with the answer's tokens behind masks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from ietool.tasks.qa.heads.mlm.model import IGNORED
from ietool.tasks.qa.heads.mlm.recipe import MaskRecipe
from ietool.tasks.qa.heads.mlm.tokens import MaskTokens
from ietool.tasks.qa.heads.pair_sampling import PairTrainingSet
from ietool.tasks.qa.heads.pairs import PairWindow, batch_of


class MaskTrainingSet(PairTrainingSet):
    """The questions and windows of :class:`PairTrainingSet`; of several answers in a window one is drawn."""

    reader: MaskTokens

    def __init__(self, recipe: MaskRecipe, prepared: Path, *, rows: Sequence[int] | None = None) -> None:
        super().__init__(recipe, prepared, rows=rows, reader=MaskTokens.of(prepared, recipe.model.head.masks))

    def collate(self, items: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
        """One batch in the form that ``MaskModel.forward`` takes."""
        pairs = self.pairs(items)
        targets = torch.full((len(items), self.reader.masks), IGNORED)
        for row, item, pair in zip(targets, items, pairs, strict=True):
            tokens = self.answer(item, pair)
            if tokens is not None:
                row[: len(tokens)] = torch.tensor(tokens)
        return {**batch_of(pairs, self.width), "targets": targets}

    def answer(self, item: dict[str, Any], pair: PairWindow) -> list[int] | None:
        """The tokens behind the masks: an answer as it stands in the passage and what ends it, as many as there are
        masks; what ends it alone where there is no answer; None where the tokens do not show what is gold."""
        found, is_known = self.covered(item, pair)
        if not is_known:
            return None
        tokens: list[int] = []
        if len(found):
            first, last = found[int(item["pick"] * len(found))]
            part = slice(first, last + 1)
            tokens = pair.units.ids[part][pair.passage[part]].tolist()
        return [*tokens, self.reader.stop][: self.reader.masks]
