"""The sections of a recipe for events."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, PositiveInt

from ietool.core import sections
from ietool.recipe import (
    PretrainedSection,
    Recipe,
    Section,
    Share,
    Tuned,
    WindowedSection,
    encoder_kind,
)


class DataSection(WindowedSection):
    """How texts become features."""

    window: Annotated[int, Field(ge=16, le=512)] = Field(
        320, description="longest piece of text the model sees, in characters"
    )
    overlap: Annotated[int, Field(ge=0)] = Field(
        128, description="characters two neighbouring windows of a long text share"
    )
    held_out: Share = Field(0.1, description="share of train that becomes dev where no dev file is given")
    held_out_seed: Annotated[int, Field(ge=0)] = Field(42, description="which share that is")


class EncoderSection(sections.EncoderSection):
    """The encoder from scratch, deeper."""

    dilations: list[PositiveInt] = Field(
        default_factory=lambda: [1, 2, 5, 1, 2, 5, 1, 2, 5, 1, 1, 1], min_length=1, description="one block each"
    )


Encoder = Annotated[EncoderSection | PretrainedSection, Field(discriminator="kind"), BeforeValidator(encoder_kind)]


class HeadSection(Section):
    """What every head has."""

    kind: str
    size: PositiveInt = Field(64, multiple_of=2, description="length of queries and keys")
    dropout: Share = Field(0.1, description="dropout on what the head reads")


class ModelSection(Section):
    """The network: an encoder, and a head on it."""

    encoder: Encoder = Field(default_factory=EncoderSection)
    head: HeadSection


class DecodeSection(Section):
    """From scores to events."""

    threshold: Annotated[Share, Tuned(main=True)] = Field(
        0.5, description="what the probability of a trigger must exceed; for the head linked of an argument, too"
    )
    by_label: Annotated[dict[str, Share], Tuned(by_label="threshold")] = Field(
        default_factory=dict, description="the same for single types of events, by name: {type: probability}"
    )
    batch_size: PositiveInt = 64


class ScoreSection(Section):
    """The scoring variant by which epochs are compared."""

    metric: Literal["duee1", "exact"] = "duee1"


class EventsRecipe(Recipe):
    """Events. Each head's recipe narrows ``model`` and ``decode`` to what acts for it."""

    data: DataSection = Field(default_factory=DataSection)
    model: ModelSection
    decode: DecodeSection = Field(default_factory=DecodeSection)
    score: ScoreSection = Field(default_factory=ScoreSection)
