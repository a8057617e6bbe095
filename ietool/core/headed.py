"""What a table of heads gives a task: its recipe classes, models, training sets, readers and decoders."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from ietool.core.heads import Head
from ietool.errors import WHOLE, UserError
from ietool.nearest import did_you_mean
from ietool.recipe import Recipe, head_kind
from ietool.runs.checks import read_settings
from ietool.runs.entry import CONFIG_FILE

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from ietool.core.predicting import Decoder, Predictor, Reader
    from ietool.training.sets import TrainingSet

R = TypeVar("R", bound=Recipe)
"""The recipe class of a task."""


class Headed(Generic[R]):
    """A task as its table of heads has it: a row says where each of these lies, and it is imported when asked for."""

    name: ClassVar[str]
    heads: ClassVar[tuple[Head, ...]]
    """The table of heads, the default first."""

    def head(self, recipe: R) -> Head:
        """The head of a recipe."""
        kind = getattr(getattr(getattr(recipe, "model", None), "head", None), "kind", self.heads[0].name)
        return self.head_named(str(kind))

    def head_named(self, name: str) -> Head:
        """The head of that name. Raises UserError naming those there are."""
        for head in self.heads:
            if head.name == name:
                return head
        names = [head.name for head in self.heads]
        mend = did_you_mean(name, names, f"use one of: {', '.join(names)}")
        raise UserError(f"the task {self.name} has no head {name!r}", field="model.head.kind", mend=mend)

    def recipe_class(self, data: Mapping[str, Any]) -> type[R]:
        """The recipe class of a recipe's data: that of the head which it names, or of the first.

        Raises:
            UserError: there is no such head.
        """
        model = data.get("model")
        head = head_kind(model.get("head")) if isinstance(model, dict) else None
        kind = head.get("kind") if isinstance(head, dict) else None
        chosen: type[R] = self.head_named(self.heads[0].name if kind is None else str(kind)).load("recipe")
        return chosen

    def head_of(self, settings: Mapping[str, Any]) -> Head | None:
        """The head whose model a run folder holds, by the settings of its ``config.json``; None if it is of none."""
        for head in self.heads:
            if head.load("config").model_type == settings.get("model_type"):
                return head
        return None

    def models(self) -> Iterator[tuple[Any, Any]]:
        """(configuration, model) of all that a run folder may hold."""
        for head in self.heads:
            yield head.load("config"), head.load("model")

    # -- features → batches → model (heads/)

    def training_set(self, recipe: R, prepared: Path, *, rows: Sequence[int] | None = None) -> TrainingSet:
        """The training features, memory-mapped; of the records with some row numbers alone, if they are given."""
        items: TrainingSet = self.head(recipe).load("items")(recipe, prepared, rows=rows)
        return items

    def build_model(self, recipe: R, prepared: Path) -> PreTrainedModel:
        """A fresh model. Its ``forward(**batch)`` returns a dict with ``loss``."""
        model: PreTrainedModel = self.head(recipe).load("build")(recipe, prepared)
        return model

    def load_model(self, run: Path) -> PreTrainedModel:
        """The model of a run folder, of the head that its ``config.json`` tells.

        Raises:
            UserError: the folder's files are missing or damaged.
        """
        settings = read_settings(run / CONFIG_FILE)
        head = self.head_of(settings)
        if head is None:
            kind = settings.get("model_type")
            raise UserError(f"is of an unknown model ({kind!r})", file=run / CONFIG_FILE, mend=WHOLE)
        from ietool.nn.pretrained import open_pretrained

        return open_pretrained(head.load("model"), run)

    # -- batches → candidates → predictions (heads/)

    def reader(self, recipe: R, model: PreTrainedModel, assets: Path) -> Reader[Any]:
        """What says what the model finds, on the model's device. ``assets`` is a run folder or a prepared folder.

        Raises:
            UserError: its files belong to another model.
        """
        reader: Reader[Any] = self.head(recipe).load("reader")(recipe, model, assets)
        return reader

    def decoder(self, recipe: R, assets: Path) -> Decoder[Any, Any]:
        """What makes predictions of candidates; needs no model and no torch."""
        decoder: Decoder[Any, Any] = self.head(recipe).load("decoder")(recipe, assets)
        return decoder

    def predictor(self, recipe: R, model: PreTrainedModel, assets: Path) -> Predictor[Any, Any]:
        """Both together, with the recipe's settings of ``decode``."""
        from ietool.core.predicting import Predictor

        return Predictor(self.reader(recipe, model, assets), self.decoder(recipe, assets), recipe.decode)
