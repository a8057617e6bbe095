"""The sections of a question-answering recipe that every head has."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, PositiveInt

from ietool.recipe import PretrainedSection, Recipe, Section, Share, Tuned, WindowedSection, encoder_kind


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
    more: list[Path] = Field(default_factory=list, description="further files of training questions, of any form")
    form: Literal["auto", "webqa", "squad", "dureader2"] = Field(
        "auto", description="of the files, where it is unclear"
    )
    held_out: Share = Field(0.1, description="share of train that becomes dev where no dev file is given")
    held_out_seed: Annotated[int, Field(ge=0)] = Field(42, description="which share that is")


class HeadSection(Section):
    """What every head has."""

    kind: str


class ModelSection(Section):
    """The network: an encoder, and a head on it."""

    encoder: Section
    head: HeadSection


Pretrained = Annotated[PretrainedSection, BeforeValidator(encoder_kind)]
"""The encoder of the heads that read pairs of texts as tokens."""


class SamplingSection(Section):
    """What a training step sees of a passage longer than the window."""

    shortest: Share = Field(0.5, description="shortest random window, as a share of data.window")
    mined: Annotated[int, Field(ge=0, le=64)] | None = Field(
        None,
        description="passages of other questions, nearest in words, that each question learns to find no answer in; "
        "null: 4 where its data are lists of passages that nearly all answer, else 0",
    )


class PairSamplingSection(SamplingSection):
    """Of the heads that read pairs: an epoch has of each question a window with an answer, and windows without one."""

    negatives: Annotated[float, Field(ge=0, lt=1)] = Field(0.15, description="share of the windows that hold no answer")


class DecodeSection(Section):
    """From probabilities to answers."""

    longest: Annotated[int, Field(ge=1, le=512), Tuned((8, 12, 16, 24, 32, 48, 64, 96, 128))] = Field(
        48, description="longest answer, in characters"
    )
    no_answer: Annotated[Share, Tuned(of_best=True, main=True)] = Field(
        0.0, description="answers less sure than this become none; 0: always an answer"
    )
    none: str = Field("", description="what is written where there is no answer; 'no answer' in the checklist")
    voting: Annotated[bool, Tuned((True, False))] = Field(
        True, description="let passages vote for an answer; else the surest one wins"
    )
    vote: Literal["squares", "sum"] = Field(
        "squares", description="what votes make: sum, their sum; squares, the article's rule, by which weak ones hurt"
    )
    nbest: PositiveInt = Field(1, description="candidates that predict writes; above 1 with their scores")
    batch_size: PositiveInt = 64


class EndpointDecodeSection(DecodeSection):
    """Of the heads that say where an answer starts and where it ends."""

    start: Annotated[Share, Tuned()] = Field(
        0.0, description="what the probability of an answer's start must exceed; .1 in the article"
    )
    end: Annotated[Share, Tuned()] = Field(
        0.0, description="what the probability of its end must exceed; .1 in the article"
    )


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
    """Question answering over passages. Each head's recipe narrows the sections to what acts for it."""

    data: DataSection = Field(default_factory=DataSection)
    model: ModelSection
    sampling: SamplingSection = Field(default_factory=SamplingSection)
    decode: DecodeSection = Field(default_factory=DecodeSection)
    score: ScoreSection = Field(default_factory=ScoreSection)


class PairRecipe(QaRecipe):
    """Of the heads that read pairs of texts with a pretrained encoder."""

    sampling: PairSamplingSection = Field(default_factory=PairSamplingSection)


FORMER_KEYS = {
    "data.word_vectors": "model.encoder.word_vectors",
    "data.min_char_count": "model.encoder.min_char_count",
    "model.cut_vocabulary": "model.encoder.cut_vocabulary",
    "model.hidden_size": "model.encoder.hidden_size",
    "model.question_dilations": "model.encoder.question_dilations",
    "model.passage_dilations": "model.encoder.passage_dilations",
    "model.embedding_dropout": "model.encoder.embedding_dropout",
    "model.gate_dropout": "model.encoder.gate_dropout",
    "model.part_of_speech": "model.encoder.part_of_speech",
    "model.head_dropout": "model.head.dropout",
    "model.cooccurrence": "model.head.cooccurrence",
    "model.aligned": "model.head.aligned",
    "model.loss": "model.head.loss",
    "model.masks": "model.head.masks",
}
"""See :attr:`ietool.core.contract.Task.former_keys`."""
