"""The sections of a recipe for queries."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, PositiveInt

from ietool.core import sections
from ietool.core.sections import PlacedSection
from ietool.recipe import (
    PretrainedSection,
    Recipe,
    Section,
    Share,
    Tuned,
    encoder_kind,
)


class DataSection(Section):
    """How questions and headers become features."""

    longest: Annotated[int, Field(ge=16, le=4096)] = Field(
        512,
        description="units of a question and its headers; of more headers those most like the question are read",
    )
    mark_cells: bool = Field(True, description="mark in the input which cells and numbers the question mentions")
    held_out: Share = Field(0.1, description="share of train that becomes dev where no dev file is given")
    held_out_seed: Annotated[int, Field(ge=0)] = Field(42, description="which share that is")


Encoder = Annotated[PlacedSection | PretrainedSection, Field(discriminator="kind"), BeforeValidator(encoder_kind)]


class HeadSection(sections.HeadSection):
    """What every head has."""

    shuffle: bool = Field(True, description="read the headers of a table in another order each epoch")


class ModelSection(Section):
    """The network: an encoder, and a head on it."""

    encoder: Encoder = Field(default_factory=PlacedSection)
    head: HeadSection


class DecodeSection(Section):
    """From probabilities to a query."""

    threshold: Annotated[Share, Tuned(main=True)] = Field(
        0.5, description="of a condition: 0.5 takes what is likelier than not, more takes fewer"
    )
    select_threshold: Annotated[Share, Tuned()] = Field(0.5, description="the same of a selected column")
    beam: Annotated[int, Field(ge=1, le=256)] = Field(8, description="queries that are ranked")
    execute: Annotated[bool, Tuned(values=(True, False))] = Field(
        True, description="take the first of them that runs on the table and returns something"
    )
    batch_size: PositiveInt = 64


class ScoreSection(Section):
    """The scoring variant by which epochs are compared."""

    metric: Literal["auto", "tableqa", "logical"] = "auto"


class Nl2sqlRecipe(Recipe):
    """Queries on tables. Each head's recipe narrows ``model`` to what acts for it."""

    data: DataSection = Field(default_factory=DataSection)
    model: ModelSection
    decode: DecodeSection = Field(default_factory=DecodeSection)
    score: ScoreSection = Field(default_factory=ScoreSection)
