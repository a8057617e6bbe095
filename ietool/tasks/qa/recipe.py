"""The sections of a question-answering recipe."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, PositiveInt, ValidationInfo, field_validator

from ietool.recipe import Recipe, Section, Share, WindowedSection
from ietool.text.units import DGCNN


class DataSection(WindowedSection):
    """How questions and passages become features."""

    window: Annotated[int, Field(ge=32, le=1024)] = Field(
        256, description="longest piece of a passage the model sees, in characters"
    )
    overlap: Annotated[int, Field(ge=0)] = Field(
        128, description="characters two neighbouring windows of a long passage share"
    )
    question: Annotated[int, Field(ge=8, le=512)] = Field(
        64, description="characters of a question that are read; of a longer one the first and the last half of them"
    )
    paragraphs: Annotated[int, Field(ge=0)] = Field(
        0, description="passages of a question that are read, those that share most with it; 0: all"
    )
    word_vectors: Path | None = Field(
        None, description="word2vec text or binary, gensim KeyedVectors, or a folder with vectors*.npy and words.txt"
    )
    min_char_count: PositiveInt = Field(2, description="rarer characters of the training texts become [UNK]")
    more: list[Path] = Field(default_factory=list, description="further files of training questions, of any form")
    form: Literal["auto", "webqa", "squad", "dureader2"] = Field(
        "auto", description="of the files, where it is unclear"
    )
    held_out: Share = Field(0.1, description="share of train that becomes dev where no dev file is given")
    held_out_seed: Annotated[int, Field(ge=0)] = Field(42, description="which share that is")


class ModelSection(Section):
    """The network. H is ``hidden_size``."""

    head: Literal["reader", "span", "mlm"] = Field(
        "reader", description="a DGCNN reader from scratch; or start and end, or masks, on a pretrained encoder"
    )
    encoder: str = Field(
        DGCNN, description="for the reader; else a folder or hub id of a pretrained encoder, as bert-base-chinese"
    )
    cut_vocabulary: bool = Field(
        False, description="keep of a pretrained encoder's vocabulary what the training texts hold"
    )
    masks: Annotated[int, Field(ge=1, le=256)] = Field(
        32, description="of the head mlm: tokens of an answer, at most; each takes one of the encoder's positions"
    )
    hidden_size: PositiveInt = 128
    question_dilations: list[PositiveInt] = Field(default_factory=lambda: [1, 2, 1], min_length=1)
    passage_dilations: list[PositiveInt] = Field(default_factory=lambda: [1, 2, 4, 8, 16, 1], min_length=1)
    embedding_dropout: Share = 0.2
    gate_dropout: Share = 0.1
    head_dropout: Share = Field(0.2, description="dropout on what the heads read; none in the article")
    part_of_speech: bool = Field(True, description="add an embedding of the word's part of speech; not in the article")
    cooccurrence: bool = Field(True, description="tell each character of a passage what it shares with the question")
    aligned: bool = Field(
        True, description="tell it too the part of the question that is nearest to it, by attention; not in the article"
    )
    loss: Literal["softmax", "focal"] = Field(
        "softmax", description="one choice among positions and none, or the article's focal loss on each position"
    )

    @field_validator("encoder")
    @classmethod
    def _fits_the_head(cls, encoder: str, info: ValidationInfo) -> str:
        head = info.data.get("head")
        if head == "reader" and encoder != DGCNN:
            raise ValueError("is of no use to the reader: model.head=span or mlm read with a pretrained encoder")
        if head in ("span", "mlm") and encoder == DGCNN:
            raise ValueError(f"must be pretrained for model.head={head}")
        return encoder


class SamplingSection(Section):
    """What a training step sees of a passage longer than the window."""

    answer_windows: Share = Field(0.8, description="share of the windows that are drawn so that an answer lies in them")
    shortest: Share = Field(0.5, description="shortest random window, as a share of data.window")
    negatives: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.15, description="of the heads span and mlm: share of the windows that hold no answer"
    )


class DecodeSection(Section):
    """From probabilities to answers."""

    start: Share = Field(0.0, description="least probability of an answer's first character; .1 in the article")
    end: Share = Field(0.0, description="least probability of its last character; .1 in the article")
    longest: Annotated[int, Field(ge=1, le=512)] = Field(48, description="longest answer, in characters")
    no_answer: Share = Field(0.0, description="answers less sure than this become none; 0: always an answer")
    none: str = Field("", description="what is written where there is no answer; 'no answer' in the checklist")
    voting: bool = Field(True, description="let passages vote for an answer; else the surest one wins")
    nbest: PositiveInt = Field(1, description="candidates that predict writes; above 1 with their scores")
    batch_size: PositiveInt = 64


class ScoreSection(Section):
    """The scoring variant by which epochs are compared."""

    metric: Literal[
        "auto",
        "cmrc2018",
        "dureader_robust",
        "dureader2",
        "dureader2-yesno",
        "dureader2-all",
        "dureader2-entity",
        "dureader2-description",
        "lic2019_mrc",
        "sogouqa",
        "webqa",
    ] = "auto"


class QaRecipe(Recipe):
    """Question answering over passages."""

    data: DataSection = Field(default_factory=DataSection)
    model: ModelSection = Field(default_factory=ModelSection)
    sampling: SamplingSection = Field(default_factory=SamplingSection)
    decode: DecodeSection = Field(default_factory=DecodeSection)
    score: ScoreSection = Field(default_factory=ScoreSection)
