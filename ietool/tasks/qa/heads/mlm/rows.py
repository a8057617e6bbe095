"""The training table of a masked language model that writes the answer."""

from __future__ import annotations

from pathlib import Path

from ietool.tasks.qa.heads.mlm.model import check_encoder
from ietool.tasks.qa.heads.mlm.recipe import MaskRecipe
from ietool.tasks.qa.heads.mlm.tokens import MaskTokens
from ietool.tasks.qa.heads.pair_rows import PairRows


def open_rows(recipe: MaskRecipe, folder: Path) -> PairRows:
    """Answers have as many tokens as there are masks, at most.

    Raises:
        UserError: the encoder cannot be had, has no head of a masked language model, or no room for so many masks.
    """
    encoder, masks = recipe.model.encoder, recipe.model.head.masks
    rows = PairRows(recipe, folder, encoder, masks)
    MaskTokens.of(folder, masks)
    check_encoder(encoder.name)
    return rows
