"""What a recipe says of a GlobalPointer."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, PositiveInt

from ietool.core.sections import HeadSection, ModelSection
from ietool.recipe import Share, Tuned, head_kind
from ietool.tasks.ner.recipe import DecodeSection, NerRecipe


def _even_odds(value: Any) -> Any:
    return 0.5 if value is None else value  # once the word for it


class PointerSection(HeadSection):
    """A score for every span and type, so that nested ones fit."""

    kind: Literal["globalpointer"] = "globalpointer"
    size: PositiveInt = Field(64, multiple_of=2, description="length of queries and keys")


class PointerModelSection(ModelSection):
    """An encoder with a GlobalPointer."""

    head: Annotated[PointerSection, BeforeValidator(head_kind)] = Field(default_factory=PointerSection)


class PointerDecodeSection(DecodeSection):
    """Every span decides for itself."""

    threshold: Annotated[Share, BeforeValidator(_even_odds), Tuned(main=True)] = Field(
        0.5, description="what the probability of an entity must exceed"
    )


class PointerRecipe(NerRecipe):
    """Named entities by a GlobalPointer."""

    model: PointerModelSection = Field(default_factory=PointerModelSection)
    decode: PointerDecodeSection = Field(default_factory=PointerDecodeSection)
