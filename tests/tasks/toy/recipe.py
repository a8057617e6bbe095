"""The sections of a recipe for digits."""

from __future__ import annotations

from pydantic import Field

from ietool.recipe import Recipe, Section, Share


class HeadSection(Section):
    """What every head has."""

    kind: str


class ModelSection(Section):
    """A head, and no encoder below it."""

    head: HeadSection


class DecodeSection(Section):
    """From probabilities to digits."""

    threshold: Share = 0.5


class ToyRecipe(Recipe):
    """Digits in texts. Each head's recipe narrows ``model``."""

    model: ModelSection
    decode: DecodeSection = Field(default_factory=DecodeSection)
