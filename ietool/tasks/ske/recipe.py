"""The sections of an SKE recipe."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, PositiveInt

from ietool.recipe import Recipe, Section, Share, WindowedSection


class DataSection(WindowedSection):
    """How texts become features."""

    window: Annotated[int, Field(ge=16, le=512)] = Field(
        320, description="longest piece of text the model sees, in characters"
    )
    overlap: Annotated[int, Field(ge=0)] = Field(
        96, description="characters two neighbouring windows of a long text share"
    )
    word_vectors: Path | None = Field(
        None, description="word2vec text or binary, gensim KeyedVectors, or a folder with vectors*.npy and words.txt"
    )
    min_char_count: PositiveInt = Field(2, description="rarer characters of the training texts become [UNK]")
    occurrences: Literal["all", "first"] = Field("all", description="which occurrences of a gold name are labelled")


class ModelSection(Section):
    """The network. H is ``hidden_size`` or that of the pretrained encoder."""

    head: Literal["graph", "cascade", "gplinker"] = Field(
        "graph", description="graph (kexue.fm 6671), cascade (7161) or gplinker (8888)"
    )
    encoder: str = Field("dgcnn", description="dgcnn, or a folder or hub id that transformers' AutoModel loads")
    cut_vocabulary: bool = Field(
        False, description="keep of a pretrained encoder's tokens those that training texts hold: smaller and faster"
    )
    subject_power: Annotated[float, Field(ge=1)] = Field(2.0, description="of the cascade's subject sigmoids")
    object_power: Annotated[float, Field(ge=1)] = Field(4.0, description="of the cascade's object sigmoids")
    pointer_size: PositiveInt = Field(64, multiple_of=2, description="of a GlobalPointer's queries and keys")
    hidden_size: PositiveInt = Field(128, multiple_of=2)
    dilations: list[PositiveInt] = Field(default_factory=lambda: [1, 2, 5, 1, 2, 5, 1, 2, 5, 1, 1, 1])
    attention_heads: PositiveInt = 8
    attention_head_size: PositiveInt = 16
    positions: PositiveInt = Field(512, description="rows of the position table")
    subject_points: PositiveInt = Field(6, description="vectors read between a subject's start and end")
    embedding_dropout: Share = 0.25
    gate_dropout: Share = 0.1
    head_dropout: Share = Field(0.0, description="dropout on what the two heads read; 0 in the article")
    part_of_speech: bool = Field(
        False, description="add an embedding of the word's part of speech (not in the article)"
    )
    priors: bool = Field(True, description="features from the index of training triples")


class SamplingSection(Section):
    """What a training step sees of a sentence."""

    subjects: PositiveInt = Field(3, description="gold subjects per sentence and step")
    wrong_subjects: Share = Field(
        0.5, description="chance that a sampled subject's end is drawn anew, as in the article"
    )
    replacement: Share = Field(
        0.5, description="chance of swapping one triple's names for those of another of its relation"
    )


class DecodeSection(Section):
    """From probabilities to triples."""

    subject_start: Share = 0.5
    subject_end: Share = 0.4
    object_start: Share = 0.5
    object_end: Share = 0.4
    triple: Share = Field(0.2, description="of the product of the four; 0 in the article")
    entity: Share = Field(0.5, description="of gplinker: a span as subject or object")
    link: Share = Field(0.5, description="of gplinker: first to first and last to last position, per label")
    rules: str | None = Field(None, description="rule file: a name under recipes/rules or a path")
    apply_rules: bool = Field(True, description="the switch of the rule file")
    batch_size: PositiveInt = 64


class ScoreSection(Section):
    """The scoring variant by which epochs are compared."""

    metric: Literal["auto", "ske2019", "duie2"] = "auto"


class SkeRecipe(Recipe):
    """Triple extraction."""

    data: DataSection = Field(default_factory=DataSection)
    model: ModelSection = Field(default_factory=ModelSection)
    sampling: SamplingSection = Field(default_factory=SamplingSection)
    decode: DecodeSection = Field(default_factory=DecodeSection)
    score: ScoreSection = Field(default_factory=ScoreSection)
