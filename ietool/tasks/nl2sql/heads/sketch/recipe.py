"""What a recipe says of the head that fills in a sketch of a query."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, PositiveInt

from ietool.recipe import head_kind
from ietool.tasks.nl2sql.recipe import HeadSection, ModelSection, Nl2sqlRecipe


class SketchSection(HeadSection):
    """Connector, aggregates, operators and the columns of values, each by a classifier of its own."""

    kind: Literal["sketch"] = "sketch"
    size: PositiveInt = Field(128, multiple_of=8, description="of the layers in which columns and values meet")


class SketchModelSection(ModelSection):
    """An encoder with these classifiers."""

    head: Annotated[SketchSection, BeforeValidator(head_kind)] = Field(default_factory=SketchSection)


class SketchRecipe(Nl2sqlRecipe):
    """Queries by a sketch."""

    model: SketchModelSection = Field(default_factory=SketchModelSection)
