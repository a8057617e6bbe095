"""Sections of recipes that tasks share: an encoder from scratch or a pretrained one, and a head on it."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field, PositiveInt

from ietool.recipe import DGCNNSection, PretrainedSection, Section, Share, encoder_kind


class PlacedSection(DGCNNSection):
    """The encoder from scratch, with positions where they are wanted."""

    dilations: list[PositiveInt] = Field(
        default_factory=lambda: [1, 2, 5, 1, 2, 5, 1, 1, 1], min_length=1, description="one block each"
    )
    positions: Annotated[int, Field(ge=0)] = Field(0, description="rows of the position table; 0: none")


class EncoderSection(PlacedSection):
    """The encoder from scratch, which may be told parts of speech."""

    part_of_speech: bool = Field(True, description="add an embedding of the word's part of speech")


Encoder = Annotated[EncoderSection | PretrainedSection, Field(discriminator="kind"), BeforeValidator(encoder_kind)]


class HeadSection(Section):
    """What every head has."""

    kind: str
    dropout: Share = Field(0.1, description="dropout on what the head reads")


class ModelSection(Section):
    """The network: an encoder, and a head on it."""

    encoder: Encoder = Field(default_factory=EncoderSection)
    head: HeadSection
