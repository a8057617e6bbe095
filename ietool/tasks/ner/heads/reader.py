"""What a model finds in texts, whatever its head."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Generic, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
import torch

from ietool.core.fit import check_fit
from ietool.core.span_reader import SpanReader
from ietool.nn.transfer import sent
from ietool.tasks.ner.data.example import Example
from ietool.tasks.ner.features.featurizer import LABELS, Featurizer, Labels
from ietool.tasks.ner.heads.base import NerModel
from ietool.tasks.ner.recipe import NerRecipe
from ietool.text.pieces import Piece
from ietool.training.batches import inputs_of, item_of

Model = TypeVar("Model", bound=NerModel)


class Encoded(NamedTuple):
    """A batch of windows on the device: ``h`` (B, T, H), ``inside`` (B, T) bool, true for units that stand for
    characters; ``within``, the same on the CPU."""

    h: torch.Tensor
    inside: torch.Tensor
    within: npt.NDArray[np.bool_]


class NerReader(SpanReader[Example, Encoded], Generic[Model]):
    """A model with the tokenizer beside it; heads say what a batch of windows holds.

    Raises:
        UserError: the files of ``assets`` belong to another model.
    """

    def __init__(self, recipe: NerRecipe, model: Model, assets: Path, *, pool: int = 16) -> None:
        super().__init__(recipe.decode.batch_size, model.device, pool=pool)
        self.model, self.featurizer = model, Featurizer.open(recipe, assets)
        self.types = len(Labels.load(assets).types)
        further = {LABELS: self.types != model.config.types, "recipe.yaml": not self.fits(recipe)}
        check_fit(assets, self.featurizer.reader, model.config, further)

    def fits(self, recipe: NerRecipe) -> bool:
        """Whether the model is one that the recipe makes."""
        return True

    def windows(self, examples: Sequence[Example]) -> Iterator[tuple[int, Piece]]:
        return self.featurizer.cut(examples)

    def encode(self, pieces: Sequence[Piece]) -> Encoded:
        here = inputs_of([item_of(p.units) for p in pieces])
        batch = sent(here, self.device)
        h = self.model.encode(batch["ids"], batch["lengths"], batch["words"], batch["tags"])
        return Encoded(h, batch["inside"], here["inside"].numpy())
