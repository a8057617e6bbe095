"""What a recipe says of head ``joint``."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, PositiveInt

from ietool.recipe import CharactersSection, Share, Tuned, encoder_kind, head_kind
from ietool.tasks.el.recipe import DataSection, DecodeSection, ElRecipe, HeadSection, ModelSection, SamplingSection


class JointDataSection(DataSection):
    """How texts, names and descriptions become features."""

    min_char_count: PositiveInt = Field(2, description="rarer characters of the training texts become [UNK]")

    @property
    def rarest(self) -> int:
        return self.min_char_count


class EncoderSection(CharactersSection):
    """A BiLSTM over embeddings of characters, words and parts of speech, trained from scratch."""

    hidden_size: PositiveInt = Field(128, multiple_of=2, description="width of all layers, those of the head too")
    embedding_dropout: Share = 0.3
    part_of_speech: bool = Field(True, description="add an embedding of the word's part of speech; not in the article")


class JointSection(HeadSection):
    """Mentions, and each candidate's description read with the text by BiLSTMs and attention (kexue.fm 6919)."""

    kind: Literal["joint"] = "joint"
    attention_heads: PositiveInt = 8
    attention_head_size: PositiveInt = 16
    mentions: Literal["spans", "pointers"] = Field(
        "spans", description="score every dictionary match, or start and end marks as in the article"
    )


class JointModelSection(ModelSection):
    """The network."""

    encoder: Annotated[EncoderSection, BeforeValidator(encoder_kind)] = Field(default_factory=EncoderSection)
    head: Annotated[JointSection, BeforeValidator(head_kind)] = Field(default_factory=JointSection)


class JointSamplingSection(SamplingSection):
    """What a training step sees of the candidates."""

    loss: Literal["listwise", "pair"] = Field(
        "listwise", description="all sampled candidates of a mention at once, or one at random as in the article"
    )


class JointDecodeSection(DecodeSection):
    """From probabilities to linked mentions."""

    mention: Annotated[Share, Tuned()] = Field(
        0.3, description="of a mention (spans), or of its start and its end (pointers)"
    )


class JointRecipe(ElRecipe):
    """Entity linking by characters, trained from scratch."""

    data: JointDataSection = Field(default_factory=JointDataSection)
    model: JointModelSection = Field(default_factory=JointModelSection)
    sampling: JointSamplingSection = Field(default_factory=JointSamplingSection)
    decode: JointDecodeSection = Field(default_factory=JointDecodeSection)
