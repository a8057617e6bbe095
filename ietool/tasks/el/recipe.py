"""The sections of an entity-linking recipe."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, PositiveInt

from ietool.recipe import Recipe, Section, Share, Tuned, WindowedSection


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

    @property
    def rarest(self) -> int:
        """How often train and the knowledge base must hold a character for it to be known."""
        return 2


class HeadSection(Section):
    """What both heads have: layers on dictionary matches, and layers on (mention, candidate) pairs."""

    kind: str
    dropout: Share = Field(0.4, description="dropout on what the head reads; none in the article")
    habits: bool = Field(
        True, description="tell the head how often annotators took a name and linked it; not in the article"
    )
    borders: bool = Field(
        True, description="learn besides where any annotated mention starts and ends, in the knowledge base or not"
    )
    description: Annotated[int, Field(ge=8, le=1024)] = Field(
        128, description="characters of a description that are encoded; the match features see all of it"
    )
    description_choice: Literal["ranked", "front"] = Field(
        "ranked", description="which characters those are: the most telling pieces, or the first"
    )


class ModelSection(Section):
    """The network: an encoder, and a head on it."""

    encoder: Any
    head: HeadSection


class SamplingSection(Section):
    """What a training step sees of the candidates."""

    mentions: PositiveInt = Field(4, description="mentions per text and step whose candidates are looked at")
    candidates: Annotated[int, Field(ge=2)] = Field(6, description="candidates per mention and step, the gold one in")


class DecodeSection(Section):
    """From probabilities to linked mentions."""

    mention: Annotated[Share, Tuned()] = Field(0.3, description="of a mention")
    link: Annotated[Share, Tuned()] = Field(0.1, description="of the best candidate; below it the mention is dropped")
    joint: Annotated[Share, Tuned(main=True)] = Field(
        0.3, description="of mention and candidate together, the product; 0 in the article"
    )
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
    """Entity linking. Each head's recipe narrows the sections to what acts for it."""

    data: DataSection = Field(default_factory=DataSection)
    model: ModelSection
    sampling: SamplingSection = Field(default_factory=SamplingSection)
    decode: DecodeSection = Field(default_factory=DecodeSection)
    score: ScoreSection = Field(default_factory=ScoreSection)


FORMER_KEYS: dict[str, str | tuple[str, ...]] = {
    "model.cut_vocabulary": "model.encoder.cut_vocabulary",
    "model.hidden_size": ("model.encoder.hidden_size", "model.head.size"),
    "model.embedding_dropout": "model.encoder.embedding_dropout",
    "model.part_of_speech": "model.encoder.part_of_speech",
    "model.attention_heads": "model.head.attention_heads",
    "model.attention_head_size": "model.head.attention_head_size",
    "model.head_dropout": "model.head.dropout",
    "model.mentions": "model.head.mentions",
    "model.habits": "model.head.habits",
    "model.borders": "model.head.borders",
    "model.description": "model.head.description",
    "model.description_choice": "model.head.description_choice",
    "model.query": "model.head.query",
    "model.ranked": "model.head.ranked",
}
"""See :attr:`ietool.core.contract.Task.former_keys`. ``hidden_size`` was, of head joint, the width of encoder and head,
of head cross that of the head alone."""
