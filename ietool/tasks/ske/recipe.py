"""The sections of an SKE recipe."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, PositiveInt

from ietool.recipe import (
    DGCNNSection,
    PretrainedSection,
    Recipe,
    Section,
    Share,
    Tuned,
    WindowedSection,
    encoder_kind,
)


class DataSection(WindowedSection):
    """How texts become features."""

    window: Annotated[int, Field(ge=16, le=512)] = Field(
        320, description="longest piece of text the model sees, in characters"
    )
    overlap: Annotated[int, Field(ge=0)] = Field(
        96, description="characters two neighbouring windows of a long text share"
    )
    occurrences: Literal["all", "first"] = Field("all", description="which occurrences of a gold name are labelled")
    held_out: Share = Field(0.1, description="share of train that becomes dev where no dev file is given")
    held_out_seed: Annotated[int, Field(ge=0)] = Field(42, description="which share that is")
    soft_weight: Share = Field(1.0, description="how far the probabilities of soft labels count; 0: as hard ones")


class EncoderSection(DGCNNSection):
    """The encoder from scratch."""

    positions: PositiveInt = Field(512, description="rows of the position table")
    part_of_speech: bool = Field(True, description="add an embedding of the word's part of speech (not in the article)")


Encoder = Annotated[EncoderSection | PretrainedSection, Field(discriminator="kind"), BeforeValidator(encoder_kind)]


class HeadSection(Section):
    """What every head has."""

    kind: str
    dropout: Share = Field(0.0, description="dropout on what the head reads; 0 in the article")


class ModelSection(Section):
    """The network: an encoder, and a head on it."""

    encoder: Encoder = Field(default_factory=EncoderSection)
    head: HeadSection
    priors: bool = Field(True, description="features from the index of training triples")


class SamplingSection(Section):
    """What a training step sees of a sentence."""

    replacement: Share = Field(
        0.5, description="chance of swapping one triple's names for those of another of its relation"
    )


class DecodeSection(Section):
    """From probabilities to triples."""

    triple: Annotated[Share, Tuned(main=True)] = Field(
        0.2, description="of the product of the four, a triple's probability; 0 in the article"
    )
    by_label: Annotated[dict[str, Share], Tuned(by_label="triple")] = Field(
        default_factory=dict, description="the same for single relations, by name: {relation: probability}"
    )
    rules: str | None = Field(None, description="rule file: a name under recipes/rules or a path")
    apply_rules: Annotated[bool, Tuned((True, False))] = Field(True, description="the switch of the rule file")
    batch_size: PositiveInt = 64


class ScoreSection(Section):
    """The scoring variant by which epochs are compared."""

    metric: Literal["auto", "ske2019", "duie2", "webnlg"] = "auto"


class SkeRecipe(Recipe):
    """Triple extraction. Each head's recipe narrows ``model``, ``sampling`` and ``decode`` to what acts for it."""

    data: DataSection = Field(default_factory=DataSection)
    model: ModelSection
    sampling: SamplingSection = Field(default_factory=SamplingSection)
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
    "model.attention_heads": "model.head.attention_heads",
    "model.attention_head_size": "model.head.attention_head_size",
    "model.subject_points": "model.head.subject_points",
    "model.subject_power": "model.head.subject_power",
    "model.object_power": "model.head.object_power",
    "model.pointer_size": "model.head.pointer_size",
}
"""See :attr:`ietool.core.contract.Task.former_keys`."""
