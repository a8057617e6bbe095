"""What a recipe says of heads that find subjects first."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, PositiveInt

from ietool.recipe import Share, Tuned
from ietool.tasks.ske.recipe import DecodeSection, SamplingSection, SkeRecipe


class StageSamplingSection(SamplingSection):
    """What a training step sees of a sentence: some of its subjects."""

    subjects: PositiveInt = Field(3, description="gold subjects per sentence and step")
    wrong_subjects: Share = Field(
        0.5, description="chance that a sampled subject's end is drawn anew, as in the article"
    )


class StageDecodeSection(DecodeSection):
    """Each start above its threshold takes the nearest end above that of ends."""

    subject_start: Annotated[Share, Tuned()] = 0.5
    subject_end: Annotated[Share, Tuned()] = 0.4
    object_start: Annotated[Share, Tuned()] = 0.5
    object_end: Annotated[Share, Tuned()] = 0.4


class StageRecipe(SkeRecipe):
    """Triple extraction in two stages."""

    sampling: StageSamplingSection = Field(default_factory=StageSamplingSection)
    decode: StageDecodeSection = Field(default_factory=StageDecodeSection)
