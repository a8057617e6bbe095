"""What a recipe says of linked spans."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from ietool.recipe import Share, Tuned, head_kind
from ietool.tasks.events.recipe import DecodeSection, EventsRecipe, HeadSection, ModelSection


class LinkedSection(HeadSection):
    """Spans as (type, role), and links between them (GPLinker, kexue.fm 8926)."""

    kind: Literal["linked"] = "linked"


class LinkedModelSection(ModelSection):
    """An encoder with linked spans."""

    head: Annotated[LinkedSection, BeforeValidator(head_kind)] = Field(default_factory=LinkedSection)


class LinkedDecodeSection(DecodeSection):
    """An event is a set of spans that are all linked with each other."""

    link: Annotated[Share, Tuned()] = Field(
        0.5, description="first to first and last to last position of two spans of one event"
    )
    needs_trigger: Annotated[bool, Tuned(values=(True, False))] = Field(
        True, description="leave out events in which no trigger was found"
    )


class LinkedRecipe(EventsRecipe):
    """Events by linked spans."""

    model: LinkedModelSection = Field(default_factory=LinkedModelSection)
    decode: LinkedDecodeSection = Field(default_factory=LinkedDecodeSection)
