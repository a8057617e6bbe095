"""The sections of an entity-linking recipe."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, PositiveInt, ValidationError, ValidationInfo, field_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from ietool.recipe import Recipe, Section, Share, WindowedSection
from ietool.text.units import DGCNN


class DataSection(WindowedSection):
    """How texts, names and descriptions become features."""

    window: Annotated[int, Field(ge=16, le=512)] = Field(
        256, description="longest piece of text the model sees, in characters"
    )
    overlap: Annotated[int, Field(ge=0)] = Field(
        64, description="characters two neighbouring windows of a long text share"
    )
    word_vectors: Path | None = Field(
        None, description="word2vec text or binary, gensim KeyedVectors, or a folder with vectors*.npy and words.txt"
    )
    min_char_count: PositiveInt = Field(2, description="rarer characters of the training texts become [UNK]")
    name_filter: Annotated[float, Field(gt=0)] = Field(
        10.0, description="names whose (not annotated + 1) / (annotated + 1) in train reaches this are not looked for"
    )
    nil: Literal["drop", "keep"] = Field(
        "drop", description="mentions of what the knowledge base lacks: drop (2019), or keep with their types (2020)"
    )
    folds: Annotated[int, Field(ge=2, le=100)] = Field(
        10, description="parts of train; a training text is told of the annotators' habits in the other parts only"
    )
    extra_mentions: bool = Field(
        True, description="learn mentions also from a file of mentions without ids, where there is one"
    )
    held_out: Share = Field(0.1, description="share of train that becomes dev where no dev file is given")
    held_out_seed: Annotated[int, Field(ge=0)] = Field(42, description="which share that is")


class ModelSection(Section):
    """The network. H is ``hidden_size``, of head ``cross`` that of its encoder."""

    head: Literal["joint", "cross"] = Field(
        "joint", description="BiLSTM and description attention, or a pretrained encoder that reads text and description"
    )
    encoder: str = Field(
        DGCNN,
        description="which head joint must have; head cross needs a folder or hub id that AutoModel loads",
    )
    cut_vocabulary: bool = Field(
        False, description="keep of a pretrained encoder's tokens those that train and the knowledge base hold"
    )
    hidden_size: PositiveInt = Field(128, multiple_of=2)
    attention_heads: PositiveInt = 8
    attention_head_size: PositiveInt = 16
    embedding_dropout: Share = 0.3
    head_dropout: Share = Field(0.4, description="dropout on what the heads read; none in the article")
    part_of_speech: bool = Field(True, description="add an embedding of the word's part of speech; not in the article")
    mentions: Literal["spans", "pointers"] = Field(
        "spans", description="score every dictionary match, or start and end marks as in the article"
    )
    habits: bool = Field(
        True, description="tell the heads how often annotators took a name and linked it; not in the article"
    )
    borders: bool = Field(
        True, description="learn besides where any annotated mention starts and ends, in the knowledge base or not"
    )
    description: Annotated[int, Field(ge=8, le=1024)] = Field(
        128,
        description="characters of a description that are encoded, of head cross as many tokens at most; the match "
        "features see all of it",
    )
    description_choice: Literal["ranked", "front"] = Field(
        "ranked", description="which characters those are: the most telling pieces, or the first"
    )
    query: Annotated[int, Field(ge=8, le=512)] = Field(
        64, description="characters around a mention that head cross reads beside a description"
    )
    ranked: Literal["auto", "several", "every"] = Field(
        "auto",
        description="mentions whose candidates head cross ranks: those with several, or also with one, which may be "
        "none; auto is every where data.nil is keep, else several",
    )

    @field_validator("encoder")
    @classmethod
    def _fits_the_head(cls, encoder: str, info: ValidationInfo) -> str:
        head = info.data.get("head")
        if head == "cross" and encoder == DGCNN:
            raise ValueError("must be a pretrained encoder where model.head is cross")
        if head == "joint" and encoder != DGCNN:
            raise ValueError("must be dgcnn where model.head is joint (recipe el-cross has a pretrained one)")
        return encoder

    @field_validator("mentions")
    @classmethod
    def _can_be_had(cls, mentions: str, info: ValidationInfo) -> str:
        if mentions == "pointers" and info.data.get("head") == "cross":
            raise ValueError("must be spans where model.head is cross")
        return mentions


class SamplingSection(Section):
    """What a training step sees of the candidates."""

    loss: Literal["listwise", "pair"] = Field(
        "listwise", description="all sampled candidates of a mention at once, or one at random as in the article"
    )
    mentions: PositiveInt = Field(4, description="mentions per text and step whose candidates are looked at")
    candidates: Annotated[int, Field(ge=2)] = Field(6, description="candidates per mention and step, the gold one in")


class DecodeSection(Section):
    """From probabilities to linked mentions."""

    mention: Share = Field(0.3, description="of a mention (spans), or of its start and its end (pointers)")
    link: Share = Field(0.1, description="of the best candidate; below it the mention is dropped")
    joint: Share = Field(0.3, description="of mention and candidate together, the product; 0 in the article")
    restrict: Annotated[int, Field(ge=0)] = Field(
        2, description="a name linked so often in train is linked to the same ids only; 0: never"
    )
    candidates: PositiveInt = Field(32, description="candidates per mention, those linked most often first")
    given_mentions: bool = Field(False, description="link the mentions that the input names, find none (2020)")
    kb: Path | None = Field(None, description="another knowledge base than the one trained with")
    batch_size: PositiveInt = 64


class ScoreSection(Section):
    """The scoring variant by which epochs are compared."""

    metric: Literal["auto", "ccks2019", "ccks2020"] = "auto"


class ElRecipe(Recipe):
    """Entity linking."""

    data: DataSection = Field(default_factory=DataSection)
    model: ModelSection = Field(default_factory=ModelSection)
    sampling: SamplingSection = Field(default_factory=SamplingSection)
    decode: DecodeSection = Field(default_factory=DecodeSection)
    score: ScoreSection = Field(default_factory=ScoreSection)

    @field_validator("model")
    @classmethod
    def _knows_none(cls, model: ModelSection, info: ValidationInfo) -> ModelSection:
        data = info.data.get("data")
        if model.head == "cross" and model.ranked == "several" and data is not None and data.nil == "keep":
            raise _wrong("ranked", model.ranked, "must be every or auto where data.nil is keep")
        return model

    @field_validator("sampling")
    @classmethod
    def _fits_the_model(cls, sampling: SamplingSection, info: ValidationInfo) -> SamplingSection:
        model = info.data.get("model")
        if model is not None and model.head == "cross" and sampling.loss == "pair":
            raise _wrong("loss", sampling.loss, "must be listwise where model.head is cross")
        return sampling

    @property
    def fewest_ranked(self) -> int:
        """Of head ``cross``: candidates that a mention needs for them to be ranked."""
        ranked = self.model.ranked
        every = self.data.nil == "keep" if ranked == "auto" else ranked == "every"
        return 1 if every else 2


def _wrong(key: str, given: str, message: str) -> ValidationError:
    """That a key of a section does not go with another section."""
    problem = InitErrorDetails(type=PydanticCustomError("value_error", message), loc=(key,), input=given)  # type: ignore[arg-type]
    return ValidationError.from_exception_data("recipe", [problem])
