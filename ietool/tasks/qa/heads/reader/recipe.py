"""What a recipe says of the DGCNN reader."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, PositiveInt

from ietool.recipe import Share, VocabularySection, encoder_kind, head_kind
from ietool.tasks.qa.recipe import (
    EndpointDecodeSection,
    HeadSection,
    ModelSection,
    QaRecipe,
    SamplingSection,
)


class ReaderEncoderSection(VocabularySection):
    """Two stacks of DGCNN blocks over the same embeddings, one for questions and one for passages."""

    hidden_size: PositiveInt = 128
    question_dilations: list[PositiveInt] = Field(
        default_factory=lambda: [1, 2, 1], min_length=1, description="one block each"
    )
    passage_dilations: list[PositiveInt] = Field(
        default_factory=lambda: [1, 2, 4, 8, 16, 1], min_length=1, description="one block each"
    )
    embedding_dropout: Share = 0.2
    gate_dropout: Share = 0.1
    part_of_speech: bool = Field(True, description="add an embedding of the word's part of speech; not in the article")


class ReaderSection(HeadSection):
    """Where in a passage the answer starts and ends, and whether the passage has one."""

    kind: Literal["reader"] = "reader"
    loss: Literal["softmax", "focal"] = Field(
        "softmax", description="one choice among positions and none, or the article's focal loss on each position"
    )
    cooccurrence: bool = Field(True, description="tell each character of a passage what it shares with the question")
    aligned: bool = Field(
        True, description="tell it too the part of the question that is nearest to it, by attention; not in the article"
    )
    dropout: Share = Field(0.2, description="dropout on what the head reads; none in the article")


class ReaderModelSection(ModelSection):
    """The DGCNN reader."""

    encoder: Annotated[ReaderEncoderSection, BeforeValidator(encoder_kind)] = Field(
        default_factory=ReaderEncoderSection
    )
    head: Annotated[ReaderSection, BeforeValidator(head_kind)] = Field(default_factory=ReaderSection)


class ReaderSamplingSection(SamplingSection):
    """Of each passage a window an epoch."""

    answer_windows: Share = Field(0.8, description="share of the windows that are drawn so that an answer lies in them")


class ReaderRecipe(QaRecipe):
    """Question answering by a DGCNN reader."""

    model: ReaderModelSection = Field(default_factory=ReaderModelSection)
    sampling: ReaderSamplingSection = Field(default_factory=ReaderSamplingSection)
    decode: EndpointDecodeSection = Field(default_factory=EndpointDecodeSection)
