"""The sections of a recipe for named entities."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, PositiveInt

from ietool.recipe import Recipe, Section, Share, WindowedSection


class DataSection(WindowedSection):
    """How texts become features."""

    window: Annotated[int, Field(ge=16, le=512)] = Field(
        256, description="longest piece of text the model sees, in characters"
    )
    overlap: Annotated[int, Field(ge=0)] = Field(
        64, description="characters two neighbouring windows of a long text share"
    )
    form: Literal["auto", "cluener", "bio", "bios", "iob1", "bioes", "bmes", "bilou", "bmew"] = Field(
        "auto", description="of the files, where it is unclear; files of tokens and tags are called by their scheme"
    )
    word_vectors: Path | None = Field(
        None, description="word2vec text or binary, gensim KeyedVectors, or a folder with vectors*.npy and words.txt"
    )
    min_char_count: PositiveInt = Field(2, description="rarer characters of the training texts become [UNK]")
    held_out: Share = Field(0.1, description="share of train that becomes dev where no dev file is given")
    held_out_seed: Annotated[int, Field(ge=0)] = Field(42, description="which share that is")


class ModelSection(Section):
    """The network: an encoder, and a CRF or a GlobalPointer on it."""

    head: Literal["crf", "globalpointer"] = Field(
        "crf", description="crf: one tag a unit; globalpointer: a score for every span, so that nested ones fit"
    )
    encoder: str = Field("dgcnn", description="dgcnn, or a folder or hub id that AutoModel loads")
    cut_vocabulary: bool = Field(
        False, description="keep only those rows of a pretrained token embedding that the training texts need"
    )
    hidden_size: PositiveInt = Field(128, multiple_of=2, description="of dgcnn")
    dilations: list[PositiveInt] = Field(default_factory=lambda: [1, 2, 5, 1, 2, 5, 1, 1, 1], min_length=1)
    positions: Annotated[int, Field(ge=0)] = Field(0, description="rows of dgcnn's position table; 0: none")
    embedding_dropout: Share = 0.25
    gate_dropout: Share = 0.1
    part_of_speech: bool = Field(True, description="add an embedding of the word's part of speech (dgcnn)")
    head_dropout: Share = Field(0.1, description="dropout on what the head reads")
    tags: Literal["bio", "bioes"] = Field("bioes", description="the scheme that the CRF works in, whatever the files')")
    transition_scale: Annotated[float, Field(gt=0)] = Field(
        1.0, description="the CRF's transitions learn so many times as fast as the rest of the head"
    )
    head_size: PositiveInt = Field(64, multiple_of=2, description="length of GlobalPointer's queries and keys")


class DecodeSection(Section):
    """From scores to entities."""

    threshold: Share | None = Field(
        None, description="least probability of an entity; null: none for the CRF, whose best path decides, else 0.5"
    )
    batch_size: PositiveInt = 64


class ScoreSection(Section):
    """The scoring variant by which epochs are compared."""

    metric: Literal["auto", "seqeval", "span", "cluener"] = "auto"


class NerRecipe(Recipe):
    """Named entities."""

    data: DataSection = Field(default_factory=DataSection)
    model: ModelSection = Field(default_factory=ModelSection)
    decode: DecodeSection = Field(default_factory=DecodeSection)
    score: ScoreSection = Field(default_factory=ScoreSection)
