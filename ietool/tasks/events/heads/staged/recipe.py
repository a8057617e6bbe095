"""What a recipe says of triggers first, arguments behind them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, PositiveInt

from ietool.recipe import Section, Share, Tuned, head_kind
from ietool.tasks.events.recipe import DecodeSection, EventsRecipe, HeadSection, ModelSection


class StagedSection(HeadSection):
    """Triggers, then the arguments of each on a layer norm that the trigger conditions (kexue.fm 7161)."""

    kind: Literal["staged"] = "staged"


class StagedModelSection(ModelSection):
    """An encoder with two stages."""

    head: Annotated[StagedSection, BeforeValidator(head_kind)] = Field(default_factory=StagedSection)


class StagedSamplingSection(Section):
    """What a training step sees of a text: some of its events."""

    triggers: PositiveInt = Field(3, description="gold triggers a text and step")


class StagedDecodeSection(DecodeSection):
    """An event is a trigger with the arguments that are found for it."""

    argument: Annotated[Share, Tuned()] = Field(0.5, description="what the probability of an argument must exceed")


class StagedRecipe(EventsRecipe):
    """Events in two stages."""

    model: StagedModelSection = Field(default_factory=StagedModelSection)
    sampling: StagedSamplingSection = Field(default_factory=StagedSamplingSection)
    decode: StagedDecodeSection = Field(default_factory=StagedDecodeSection)
