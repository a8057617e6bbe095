"""What a recipe says of GPLinker."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, PositiveInt

from ietool.recipe import Share, Tuned, head_kind
from ietool.tasks.ske.recipe import DecodeSection, HeadSection, ModelSection, SkeRecipe


class LinkSection(HeadSection):
    """Linked pairs of positions (GPLinker, kexue.fm 8888)."""

    kind: Literal["gplinker"] = "gplinker"
    pointer_size: PositiveInt = Field(64, multiple_of=2, description="length of queries and keys")


class LinkModelSection(ModelSection):
    """An encoder with GPLinker."""

    head: Annotated[LinkSection, BeforeValidator(head_kind)] = Field(default_factory=LinkSection)


class LinkDecodeSection(DecodeSection):
    """A triple is two spans, and links of their first and of their last positions."""

    entity: Annotated[Share, Tuned()] = Field(0.5, description="a span as subject or object")
    link: Annotated[Share, Tuned()] = Field(0.5, description="first to first and last to last position, per label")


class LinkRecipe(SkeRecipe):
    """Triple extraction by GPLinker."""

    model: LinkModelSection = Field(default_factory=LinkModelSection)
    decode: LinkDecodeSection = Field(default_factory=LinkDecodeSection)
