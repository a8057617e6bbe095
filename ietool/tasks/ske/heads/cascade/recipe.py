"""What a recipe says of a cascade of pointers."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from ietool.recipe import head_kind
from ietool.tasks.ske.heads.stages.recipe import StageRecipe
from ietool.tasks.ske.recipe import HeadSection, ModelSection


class CascadeSection(HeadSection):
    """A cascade of pointers (kexue.fm 7161)."""

    kind: Literal["cascade"] = "cascade"
    subject_power: Annotated[float, Field(ge=1)] = Field(2.0, description="of the subjects' sigmoids")
    object_power: Annotated[float, Field(ge=1)] = Field(4.0, description="of the objects' sigmoids")


class CascadeModelSection(ModelSection):
    """An encoder with a cascade of pointers."""

    head: Annotated[CascadeSection, BeforeValidator(head_kind)] = Field(default_factory=CascadeSection)


class CascadeRecipe(StageRecipe):
    """Triple extraction by a cascade of pointers."""

    model: CascadeModelSection = Field(default_factory=CascadeModelSection)
