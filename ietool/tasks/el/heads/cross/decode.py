"""The decoder of head ``cross``: every match has a probability, and candidates share one."""

from __future__ import annotations

from pathlib import Path

from ietool.tasks.el.heads.cross.recipe import CrossRecipe
from ietool.tasks.el.heads.decoder import LinkDecoder, decoder_of


def open_decoder(recipe: CrossRecipe, assets: Path) -> LinkDecoder:
    """A decoder with what a run folder or prepared folder carries."""
    return decoder_of(LinkDecoder, recipe, assets)
