"""The training table of start and end on a pretrained encoder."""

from __future__ import annotations

from pathlib import Path

from ietool.tasks.qa.heads.pair_rows import PairRows
from ietool.tasks.qa.heads.span.recipe import SpanRecipe


def open_rows(recipe: SpanRecipe, folder: Path) -> PairRows:
    """Raises UserError if the encoder's tokenizer cannot be had."""
    return PairRows(recipe, folder, recipe.model.encoder)
