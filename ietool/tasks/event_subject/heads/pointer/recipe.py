"""What a recipe says of conditional pointers."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, PositiveInt

from ietool.core.sections import HeadSection, ModelSection
from ietool.recipe import Share, head_kind
from ietool.tasks.event_subject.recipe import SubjectRecipe


class PointerSection(HeadSection):
    """A start and an end, of all places and of none, under the condition of the type."""

    kind: Literal["pointer"] = "pointer"
    size: PositiveInt = Field(64, multiple_of=2, description="length of queries and keys")
    type_size: PositiveInt = Field(64, description="of the embedding of an event type")
    dilations: list[PositiveInt] = Field(
        default_factory=lambda: [1, 2, 5], description="one DGCNN block each, behind the condition"
    )
    gate_dropout: Share = Field(0.1, description="on the gates of these blocks")


class PointerModelSection(ModelSection):
    """An encoder with conditional pointers."""

    head: Annotated[PointerSection, BeforeValidator(head_kind)] = Field(default_factory=PointerSection)


class PointerRecipe(SubjectRecipe):
    """Subjects of events by conditional pointers."""

    model: PointerModelSection = Field(default_factory=PointerModelSection)
