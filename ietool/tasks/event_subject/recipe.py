"""The sections of a recipe for subjects of events."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, PositiveInt

from ietool.core.sections import ModelSection
from ietool.recipe import (
    Recipe,
    Section,
    Share,
    Tuned,
    WindowedSection,
)


class DataSection(WindowedSection):
    """How texts become features."""

    window: Annotated[int, Field(ge=16, le=512)] = Field(
        256, description="longest piece of text the model sees, in characters"
    )
    overlap: Annotated[int, Field(ge=0)] = Field(
        64, description="characters two neighbouring windows of a long text share"
    )
    held_out: Share = Field(0.1, description="share of the texts of train that become dev where no dev file is given")
    held_out_seed: Annotated[int, Field(ge=0)] = Field(42, description="which share that is")


class DecodeSection(Section):
    """From scores to a subject."""

    threshold: Annotated[Share, Tuned(main=True)] = Field(
        0.3, description="what the probability of the best subject must exceed; else there is none"
    )
    by_label: Annotated[dict[str, Share], Tuned(by_label="threshold")] = Field(
        default_factory=dict, description="the same for single event types, by name: {type: probability}"
    )
    batch_size: PositiveInt = 64


class ScoreSection(Section):
    """The scoring variant by which epochs are compared."""

    metric: Literal["ccks2019", "accuracy"] = "ccks2019"


class SubjectRecipe(Recipe):
    """Subjects of events. A head's recipe narrows ``model`` to what acts for it."""

    data: DataSection = Field(default_factory=DataSection)
    model: ModelSection
    decode: DecodeSection = Field(default_factory=DecodeSection)
    score: ScoreSection = Field(default_factory=ScoreSection)
