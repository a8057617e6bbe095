"""What a recipe says of start and end on a pretrained encoder."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from ietool.recipe import Share, head_kind
from ietool.tasks.qa.recipe import (
    EndpointDecodeSection,
    HeadSection,
    ModelSection,
    PairRecipe,
    Pretrained,
)


class SpanSection(HeadSection):
    """A choice of the token that an answer starts with, and of the one that it ends with."""

    kind: Literal["span"] = "span"
    dropout: Share = Field(0.2, description="dropout on what the head reads, beside the encoder's own")


class SpanModelSection(ModelSection):
    """A pretrained encoder with the choice of start and end."""

    encoder: Pretrained
    head: Annotated[SpanSection, BeforeValidator(head_kind)] = Field(default_factory=SpanSection)


class SpanRecipe(PairRecipe):
    """Question answering by start and end."""

    model: SpanModelSection
    decode: EndpointDecodeSection = Field(default_factory=EndpointDecodeSection)
