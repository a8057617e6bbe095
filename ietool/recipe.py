"""A recipe: one validated YAML file, plus overrides. Tasks subclass :class:`Recipe` with sections of their own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, ValidationInfo, field_validator

Share = Annotated[float, Field(ge=0.0, le=1.0)]
"""A probability or a share, 0 to 1."""


@dataclass(frozen=True)
class Tuned:
    """Stands beside a key of ``decode`` that may be chosen on kept scores, without the model.

    Attributes:
        values: what is tried besides the value that it has; nothing: it is a threshold, and a grid of shares is tried.
        of_best: a threshold for the best row of a text alone, which may be small everywhere: quantiles are tried.
        main: the threshold over which the score is drawn.
        by_label: thresholds by name, which go before the threshold of this key.
    """

    values: Sequence[bool | int | float] = ()
    of_best: bool = False
    main: bool = False
    by_label: str | None = None


LARGEST = 2**32 - 1
"""Of all whole numbers in recipes: the libraries below take no larger ones for seeds and sizes."""


class Section(BaseModel):
    """Base of every part of a recipe: unknown keys are errors, values are checked also on assignment."""

    model_config = ConfigDict(extra="forbid", validate_assignment=True, validate_default=True, allow_inf_nan=False)

    @field_validator("*")
    @classmethod
    def _countable(cls, value: Any) -> Any:
        for number in value if isinstance(value, list) else [value]:
            if isinstance(number, int) and not -LARGEST <= number <= LARGEST:
                raise ValueError(f"should be at most {LARGEST:,}")
        return value


class WindowedSection(Section):
    """Base of a section with ``window`` and ``overlap``, in characters."""

    @field_validator("overlap", check_fields=False)
    @classmethod
    def _less_than_a_window(cls, overlap: int, info: ValidationInfo) -> int:
        if overlap >= info.data.get("window", overlap + 1):
            raise ValueError("must be less than data.window")
        return overlap


class CharactersSection(Section):
    """An encoder of our own, trained from scratch on characters. Tasks subclass it with its sizes."""

    kind: Literal["characters"] = "characters"


class VocabularySection(CharactersSection):
    """One that has an embedding of every character, and perhaps vectors of words."""

    word_vectors: Path | None = Field(
        None, description="word2vec text or binary, gensim KeyedVectors, or a folder with vectors*.npy and words.txt"
    )
    min_char_count: PositiveInt = Field(2, description="rarer characters of the training texts become [UNK]")


class DGCNNSection(VocabularySection):
    """A stack of DGCNN blocks over embeddings of characters, words and parts of speech (kexue.fm 6671)."""

    hidden_size: PositiveInt = Field(128, multiple_of=2)
    dilations: list[PositiveInt] = Field(
        default_factory=lambda: [1, 2, 5, 1, 2, 5, 1, 2, 5, 1, 1, 1], min_length=1, description="one block each"
    )
    positions: Annotated[int, Field(ge=0)] = Field(512, description="rows of the position table; 0: none")
    embedding_dropout: Share = 0.25
    gate_dropout: Share = 0.1
    part_of_speech: bool = Field(
        False, description="add an embedding of the word's part of speech (not in the article)"
    )


class PretrainedSection(Section):
    """An encoder that transformers' ``AutoModel`` loads."""

    kind: Literal["pretrained"] = "pretrained"
    name: Annotated[str, Field(min_length=1)] = Field(
        description="a folder, or a hub id such as hfl/chinese-roberta-wwm-ext"
    )
    cut_vocabulary: bool = Field(
        False, description="keep of its tokens those that training texts hold: smaller and faster"
    )
    dropout: Share | None = Field(
        None, description="all its rates of dropout; null: as published. 0 is a quarter faster on a CPU"
    )


def encoder_kind(value: Any) -> Any:
    """What stands under ``model.encoder``, with its kind: ``characters`` (once ``dgcnn``) or the name of a pretrained
    encoder may stand there alone."""
    if isinstance(value, str):
        own = value in ("characters", "dgcnn")
        return {"kind": "characters"} if own else {"kind": "pretrained", "name": value}
    if isinstance(value, dict) and "kind" not in value:
        return {"kind": "pretrained" if "name" in value else "characters", **value}
    return value


def head_kind(value: Any) -> Any:
    """What stands under ``model.head``: its kind may stand there alone."""
    return {"kind": value} if isinstance(value, str) else value


class Best(Section):
    """The best score measured with this recipe, and what it may be compared with."""

    score: Share = Field(description="the primary metric, 0 to 1")
    metric: str = Field(description="the scoring variant, for example duie2")
    split: str = Field(description="what it was measured on")


class Stage(Section):
    """A later stage: reload the best weights so far, reset the optimiser, go on at another rate.

    ``head_learning_rate`` changes as ``learning_rate`` does; where nothing is pretrained, all learn at the stage's.
    """

    epochs: PositiveInt
    learning_rate: Annotated[float, Field(gt=0)]


class TrainingSection(Section):
    """What the Trainer is told. Shared by all tasks."""

    epochs: PositiveInt = Field(20, description="epochs of the first stage, at most")
    learning_rate: Annotated[float, Field(gt=0)] = Field(1e-3, description="after warm-up, first stage")
    later_stages: list[Stage] = Field(default_factory=list, description="stages after the first")
    batch_size: PositiveInt = Field(64, description="sentences a step and device")
    gradient_accumulation: PositiveInt = Field(1, description="steps whose gradients are added up")
    warmup_epochs: Annotated[float, Field(ge=0, le=1e6)] = Field(
        1.0, description="epochs over which the rate rises from zero"
    )
    head_learning_rate: Annotated[float, Field(gt=0)] | None = Field(
        None, description="of all that is not a pretrained encoder; null: learning_rate"
    )
    layer_decay: Annotated[float, Field(gt=0, le=1)] = Field(
        1.0, description="a layer of a pretrained encoder has the rate of the one above times this"
    )
    frozen_layers: Annotated[int, Field(ge=0)] = Field(
        0, description="lowest layers of a pretrained encoder that stay as they are, the embeddings with them"
    )
    gradient_checkpointing: bool = Field(
        False, description="compute a pretrained encoder's activations twice: less memory, more time"
    )
    adversarial: Annotated[float, Field(ge=0)] = Field(
        0.0, description="a second pass with embeddings moved so far against the model (FGM, often 0.5); 0: none"
    )
    r_drop: Annotated[float, Field(ge=0)] = Field(
        0.0, description="weight of the difference between two passes with other dropout (R-Drop, often 4); 0: none"
    )
    checkpoint_steps: Annotated[int, Field(ge=0)] = Field(
        0, description="a checkpoint to resume from after so many steps too; 0: after each epoch alone"
    )
    schedule: Literal["constant_with_warmup", "linear", "cosine"] = Field("constant_with_warmup")
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    max_grad_norm: Annotated[float, Field(ge=0)] = Field(1.0, description="gradients are clipped to this; 0: never")
    ema_decay: Annotated[float, Field(ge=0, lt=1)] = Field(0.999, description="of the averaged weights; 0: none")
    precision: Literal["auto", "fp32", "bf16", "fp16"] = Field(
        "auto",
        description="auto: bf16 where the hardware has it (on a CPU for pretrained encoders alone), else fp16 on a GPU "
        "and fp32 on a CPU",
    )
    patience: Annotated[int, Field(ge=0)] = Field(
        5, description="epochs without a better dev score, once anything is found, before the stage ends; 0: never"
    )
    evaluate_raw: bool = Field(True, description="score the raw weights beside the averaged ones after each epoch")
    seed: Annotated[int, Field(ge=0, le=LARGEST)] = 42
    workers: Annotated[int, Field(ge=0, le=512)] | None = Field(
        None, description="processes that make batches; 0: the training process; null: on a GPU up to 4, else 0"
    )
    bucket: Annotated[int, Field(ge=0, le=4096)] = Field(
        0,
        description="pad batches up to a multiple of so many positions: fewer different shapes; 0: to the longest text",
    )
    compile: bool = Field(
        False,
        description="compile encoders to train them (torch.compile): minutes at the start, then faster steps",
    )
    tf32: bool = Field(
        True, description="on a GPU multiply fp32 matrices with 10 bits of mantissa while training; never to predict"
    )
    tensorboard: bool = Field(
        False, description="log to the run's tensorboard/ folder (pip install 'ietool[tensorboard]')"
    )


class Recipe(Section):
    """One YAML file. A task's subclass narrows ``data``, ``model``, ``decode`` and ``score`` to sections of its own."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]*$")]
    task: str = Field(description="the registered task that runs it")
    title: str = Field("", description="one line for the list of recipes")
    best: Best | None = None
    data: Section = Field(default_factory=Section)
    model: Section = Field(default_factory=Section)
    training: TrainingSection = Field(default_factory=TrainingSection)
    decode: Section = Field(default_factory=Section)
    score: Section = Field(default_factory=Section)


def pretrained_of(recipe: Recipe) -> PretrainedSection | None:
    """The pretrained encoder of a recipe; None where it has none."""
    encoder = getattr(getattr(recipe, "model", None), "encoder", None)
    return encoder if isinstance(encoder, PretrainedSection) else None
