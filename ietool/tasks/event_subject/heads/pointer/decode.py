"""The decoder of conditional pointers is that of all heads."""

from __future__ import annotations

from pathlib import Path

from ietool.tasks.event_subject.features.featurizer import load_types
from ietool.tasks.event_subject.heads.decoder import SubjectDecoder
from ietool.tasks.event_subject.heads.pointer.recipe import PointerRecipe


def open_decoder(recipe: PointerRecipe, assets: Path) -> SubjectDecoder:
    """A decoder with the types that a run folder or prepared folder carries."""
    return SubjectDecoder(load_types(assets), recipe.decode.by_label)
