"""What a training step sees: the windows of the span model, with the answer's tokens behind masks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from ietool.tasks.qa.heads.mlm.model import IGNORED
from ietool.tasks.qa.heads.mlm.reader import MaskReader
from ietool.tasks.qa.heads.span.pieces import Piece, batch_of
from ietool.tasks.qa.heads.span.sampling import SpanTrainingSet
from ietool.tasks.qa.recipe import QaRecipe


class MaskTrainingSet(SpanTrainingSet):
    """The same questions and windows as :class:`SpanTrainingSet`; of several answers in a window one is drawn."""

    reader: MaskReader

    def __init__(self, recipe: QaRecipe, prepared: Path, *, limit: int | None = None) -> None:
        super().__init__(recipe, prepared, limit=limit, reader=MaskReader.of(prepared, recipe.model.masks))

    def collate(self, items: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
        """One batch in the form that ``MaskModel.forward`` takes."""
        pieces = self.pieces(items)
        targets = torch.full((len(items), self.reader.masks), IGNORED)
        for row, item, piece in zip(targets, items, pieces, strict=True):
            tokens = self.answer(item, piece)
            if tokens is not None:
                row[: len(tokens)] = torch.tensor(tokens)
        return {**batch_of(pieces), "targets": targets}

    def answer(self, item: dict[str, Any], piece: Piece) -> list[int] | None:
        """The tokens behind the masks: an answer as it stands in the passage and what ends it, as many as there are
        masks; what ends it alone where there is no answer; None where the tokens do not show what is gold."""
        found, is_known = self.covered(item, piece)
        if not is_known:
            return None
        tokens: list[int] = []
        if len(found):
            first, last = found[int(item["pick"] * len(found))]
            part = slice(first, last + 1)
            tokens = piece.units.ids[part][piece.passage[part]].tolist()
        return [*tokens, self.reader.stop][: self.reader.masks]
