"""What a recipe says of the table."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from ietool.recipe import head_kind
from tests.tasks.toy.recipe import HeadSection, ModelSection, ToyRecipe


class TableSection(HeadSection):
    """One number a character."""

    kind: Literal["table"] = "table"


class TableModelSection(ModelSection):
    head: Annotated[TableSection, BeforeValidator(head_kind)] = Field(default_factory=TableSection)


class TableRecipe(ToyRecipe):
    model: TableModelSection = Field(default_factory=TableModelSection)
