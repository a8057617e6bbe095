"""The decoders of head ``joint``: of matches that have a probability each, and of starts and ends."""

from __future__ import annotations

from pathlib import Path

from ietool.tasks.el.heads.decoder import LinkDecoder, decoder_of, layout_of
from ietool.tasks.el.heads.joint.recipe import JointRecipe
from ietool.tasks.el.heads.mentions import PointerChance


class PointerDecoder(LinkDecoder):
    """Of starts and ends, as in the article."""

    chance = PointerChance()
    layout = layout_of(chance)


def open_decoder(recipe: JointRecipe, assets: Path) -> LinkDecoder:
    """A decoder of the kind of mentions that the recipe has, with what a run folder or prepared folder carries."""
    kind = PointerDecoder if recipe.model.head.mentions == "pointers" else LinkDecoder
    return decoder_of(kind, recipe, assets)
