"""The sections of a recipe for named entities."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, PositiveInt

from ietool.core.sections import ModelSection
from ietool.recipe import (
    Recipe,
    Section,
    Share,
    Tuned,
    WindowedSection,
)


class DataSection(WindowedSection):
    """How texts become features."""

    window: Annotated[int, Field(ge=16, le=512)] = Field(
        256, description="longest piece of text the model sees, in characters"
    )
    overlap: Annotated[int, Field(ge=0)] = Field(
        64, description="characters two neighbouring windows of a long text share"
    )
    form: Literal["auto", "cluener", "cmeee", "bio", "bios", "iob1", "bioes", "bmes", "bilou", "bmew"] = Field(
        "auto", description="of the files, where it is unclear; files of tokens and tags are called by their scheme"
    )
    held_out: Share = Field(0.1, description="share of train that becomes dev where no dev file is given")
    held_out_seed: Annotated[int, Field(ge=0)] = Field(42, description="which share that is")
    soft_weight: Share = Field(1.0, description="how far the probabilities of soft labels count; 0: as hard ones")


class DecodeSection(Section):
    """From scores to entities."""

    threshold: Annotated[Share, Tuned(main=True)] = Field(
        0.5, description="what the probability of an entity must exceed"
    )
    by_label: Annotated[dict[str, Share], Tuned(by_label="threshold")] = Field(
        default_factory=dict, description="the same for single types, by name: {type: probability}"
    )
    batch_size: PositiveInt = 64


class ScoreSection(Section):
    """The scoring variant by which epochs are compared."""

    metric: Literal["auto", "seqeval", "span", "cluener"] = "auto"


class NerRecipe(Recipe):
    """Named entities. Each head's recipe narrows ``model`` and ``decode`` to what acts for it."""

    data: DataSection = Field(default_factory=DataSection)
    model: ModelSection
    decode: DecodeSection = Field(default_factory=DecodeSection)
    score: ScoreSection = Field(default_factory=ScoreSection)


FORMER_KEYS = {
    "data.word_vectors": "model.encoder.word_vectors",
    "data.min_char_count": "model.encoder.min_char_count",
    "model.cut_vocabulary": "model.encoder.cut_vocabulary",
    "model.hidden_size": "model.encoder.hidden_size",
    "model.dilations": "model.encoder.dilations",
    "model.positions": "model.encoder.positions",
    "model.embedding_dropout": "model.encoder.embedding_dropout",
    "model.gate_dropout": "model.encoder.gate_dropout",
    "model.part_of_speech": "model.encoder.part_of_speech",
    "model.head_dropout": "model.head.dropout",
    "model.tags": "model.head.tags",
    "model.transition_scale": "model.head.transition_scale",
    "model.head_size": "model.head.size",
}
"""See :attr:`ietool.core.contract.Task.former_keys`."""
