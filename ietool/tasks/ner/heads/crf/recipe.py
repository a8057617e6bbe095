"""What a recipe says of a CRF."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from ietool.core.sections import HeadSection, ModelSection
from ietool.recipe import Share, Tuned, head_kind
from ietool.tasks.ner.recipe import DecodeSection, NerRecipe


def _best_path(value: Any) -> Any:
    return 0.0 if value is None else value  # once the word for it


class CRFSection(HeadSection):
    """One tag a unit, and scores of tags beside one another."""

    kind: Literal["crf"] = "crf"
    tags: Literal["bio", "bioes"] = Field("bioes", description="the scheme that the CRF works in, whatever the files'")
    transition_scale: Annotated[float, Field(gt=0)] = Field(
        1.0, description="the transitions learn so many times as fast as the rest of the head"
    )


class CRFModelSection(ModelSection):
    """An encoder with a CRF."""

    head: Annotated[CRFSection, BeforeValidator(head_kind)] = Field(default_factory=CRFSection)


class CRFDecodeSection(DecodeSection):
    """The best path decides."""

    threshold: Annotated[Share, BeforeValidator(_best_path), Tuned(main=True)] = Field(
        0.0, description="least probability of an entity of the best path"
    )


class CRFRecipe(NerRecipe):
    """Named entities by a CRF."""

    model: CRFModelSection = Field(default_factory=CRFModelSection)
    decode: CRFDecodeSection = Field(default_factory=CRFDecodeSection)
