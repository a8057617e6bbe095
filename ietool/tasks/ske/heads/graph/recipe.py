"""What a recipe says of a probabilistic graph."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, PositiveInt

from ietool.recipe import head_kind
from ietool.tasks.ske.heads.stages.recipe import StageRecipe
from ietool.tasks.ske.recipe import HeadSection, ModelSection


class GraphSection(HeadSection):
    """A probabilistic graph (kexue.fm 6671)."""

    kind: Literal["graph"] = "graph"
    attention_heads: PositiveInt = 8
    attention_head_size: PositiveInt = 16
    subject_points: PositiveInt = Field(6, description="vectors read between a subject's start and end")


class GraphModelSection(ModelSection):
    """An encoder with a probabilistic graph."""

    head: Annotated[GraphSection, BeforeValidator(head_kind)] = Field(default_factory=GraphSection)


class GraphRecipe(StageRecipe):
    """Triple extraction by a probabilistic graph."""

    model: GraphModelSection = Field(default_factory=GraphModelSection)
