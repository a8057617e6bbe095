"""What a recipe says of the head that looks around."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, PositiveInt

from ietool.recipe import head_kind
from tests.tasks.toy.recipe import HeadSection, ModelSection, ToyRecipe


class AroundSection(HeadSection):
    """A character and its neighbours."""

    kind: Literal["around"] = "around"
    size: PositiveInt = Field(4, description="numbers a character")


class AroundModelSection(ModelSection):
    head: Annotated[AroundSection, BeforeValidator(head_kind)] = Field(default_factory=AroundSection)


class AroundRecipe(ToyRecipe):
    model: AroundModelSection = Field(default_factory=AroundModelSection)
