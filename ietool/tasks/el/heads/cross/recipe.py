"""What a recipe says of head ``cross``."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, PositiveInt, ValidationError, ValidationInfo, field_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from ietool.recipe import PretrainedSection, encoder_kind, head_kind
from ietool.tasks.el.recipe import ElRecipe, HeadSection, ModelSection


class EncoderSection(PretrainedSection):
    """An encoder that transformers' ``AutoModel`` loads."""

    cut_vocabulary: bool = Field(
        False, description="keep of its tokens those that train and the knowledge base hold: smaller and faster"
    )


class CrossSection(HeadSection):
    """Mentions, and each candidate by one pass of the encoder over text and description."""

    kind: Literal["cross"] = "cross"
    size: PositiveInt = Field(128, multiple_of=2, description="width of the head's layers")
    description: Annotated[int, Field(ge=8, le=1024)] = Field(
        128,
        description="characters of a description that are read, as many tokens at most; the match features see all",
    )
    query: Annotated[int, Field(ge=8, le=512)] = Field(
        64, description="characters around a mention that are read beside a description"
    )
    ranked: Literal["auto", "several", "every"] = Field(
        "auto",
        description="mentions whose candidates are ranked: those with several, or also with one, which may be none; "
        "auto is every where data.nil is keep, else several",
    )


class CrossModelSection(ModelSection):
    """The network."""

    encoder: Annotated[EncoderSection, BeforeValidator(encoder_kind)]
    head: Annotated[CrossSection, BeforeValidator(head_kind)] = Field(default_factory=CrossSection)


class CrossRecipe(ElRecipe):
    """Entity linking by a pretrained encoder."""

    model: CrossModelSection

    @field_validator("model")
    @classmethod
    def _knows_none(cls, model: CrossModelSection, info: ValidationInfo) -> CrossModelSection:
        data = info.data.get("data")
        if model.head.ranked == "several" and data is not None and data.nil == "keep":
            message = "must be every or auto where data.nil is keep"
            problem = InitErrorDetails(
                type=PydanticCustomError("value_error", message), loc=("head", "ranked"), input=model.head.ranked
            )
            raise ValidationError.from_exception_data("recipe", [problem])
        return model

    @property
    def fewest_ranked(self) -> int:
        """Candidates that a mention needs for them to be ranked."""
        ranked = self.model.head.ranked
        every = self.data.nil == "keep" if ranked == "auto" else ranked == "every"
        return 1 if every else 2
