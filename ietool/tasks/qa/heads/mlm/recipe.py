"""What a recipe says of a masked language model that writes the answer."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from ietool.recipe import head_kind
from ietool.tasks.qa.recipe import HeadSection, ModelSection, PairRecipe, Pretrained


class MaskSection(HeadSection):
    """The head of a masked language model, as it was pretrained."""

    kind: Literal["mlm"] = "mlm"
    masks: Annotated[int, Field(ge=1, le=256)] = Field(
        32, description="tokens of an answer, at most; each takes one of the encoder's positions"
    )


class MaskModelSection(ModelSection):
    """A pretrained masked language model."""

    encoder: Pretrained
    head: Annotated[MaskSection, BeforeValidator(head_kind)] = Field(default_factory=MaskSection)


class MaskRecipe(PairRecipe):
    """Question answering by masks."""

    model: MaskModelSection
