"""What conditional pointers say of spans, before any threshold."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple, cast

import numpy as np
import torch

from ietool.core.candidates import PRODUCT, Floor
from ietool.core.fit import check_fit
from ietool.core.pools import Reading
from ietool.core.span_reader import Places, SpanReader, Spans
from ietool.nn.above import AboveFloor
from ietool.nn.transfer import Asked, sent
from ietool.tasks.event_subject.data.example import Example
from ietool.tasks.event_subject.features.featurizer import TYPES, Featurizer, TypedPiece, load_types
from ietool.tasks.event_subject.heads.decoder import LAYOUT
from ietool.tasks.event_subject.heads.pointer.model import SubjectModel
from ietool.tasks.event_subject.heads.pointer.recipe import PointerRecipe
from ietool.text.pieces import Piece
from ietool.training.batches import inputs_of, item_of

SHOWN = 5
"""Unknown types that a note names."""


class Said(NamedTuple):
    """A batch of windows: ``spans`` (B, T · T), on the device, the probability of each; ``kinds`` (B,), the numbers of
    the types that they were asked for; and ``length``, T."""

    spans: torch.Tensor
    kinds: Places
    length: int


class PointerReader(SpanReader[Example, Said]):
    """Spans with their probability.

    Raises:
        UserError: the files of ``assets`` belong to another model.
    """

    layout = LAYOUT
    most = 64

    def __init__(self, recipe: PointerRecipe, model: SubjectModel, assets: Path, *, pool: int = 16) -> None:
        super().__init__(recipe.decode.batch_size, model.device, pool=pool)
        self._strange: dict[str, int] = {}
        self.model, self.featurizer = model, Featurizer.open(recipe, assets)
        further = {TYPES: len(load_types(assets)) != model.config.types}
        check_fit(assets, self.featurizer.reader, model.config, further)

    @property
    def notes(self) -> Sequence[str]:
        """Which types of the inputs so far the model was not taught."""
        if not self._strange:
            return ()
        names = ", ".join(list(self._strange)[:SHOWN]) + (" …" if len(self._strange) > SHOWN else "")
        count = sum(self._strange.values())
        return (f"{count:,} texts have an event type that the model was not taught ({names}): they get no subject",)

    def windows(self, examples: Sequence[Example]) -> Iterable[tuple[int, Piece]]:
        for example in examples:
            if example.type not in self.featurizer.numbers:
                self._strange[example.type] = self._strange.get(example.type, 0) + 1
        return self.featurizer.cut(examples)

    def encode(self, pieces: Sequence[Piece]) -> Said:
        kinds = torch.tensor([cast(TypedPiece, piece).type for piece in pieces])
        here = inputs_of([item_of(p.units) for p in pieces]) | {"type": kinds}
        batch = sent(here, self.device)
        choices = self.model.choices(**{name: batch[name] for name in here})
        return Said(choices[:, :-1].exp(), kinds.numpy(), here["ids"].shape[1])

    def found(self, encoded: Said, floor: Floor) -> Reading[Spans]:
        spans, length = encoded.spans, encoded.length
        hits = AboveFloor(spans, floor.of("probability"), self.most, lambda: spans)
        asked = Asked([spans.max(), *hits.tensors])
        yield
        highest, *arrays = asked.wait()
        self.highest_probability = max(self.highest_probability, float(highest))
        text, place, value, left_out = hits.found(arrays)
        rows = np.stack([place // length, place % length + 1, encoded.kinds[text]], 1)
        reached = value >= np.float32(floor.of(PRODUCT))
        return Spans(text[reached], rows[reached], value[reached, None], left_out)

    def parts(self, encoded: Said, text: Places, rows: Places) -> Reading[np.ndarray]:
        places = torch.from_numpy(np.stack([text, rows[:, 0] * encoded.length + rows[:, 1] - 1]))
        at, place = sent({"places": places}, encoded.spans.device)["places"]
        asked = Asked([encoded.spans[at, place][:, None]])
        yield
        (said,) = asked.wait()
        # Of a row of another type than the text is asked for nothing is said.
        return np.where((rows[:, 2] == encoded.kinds[text])[:, None], said, np.float32(0)).astype(said.dtype)


def open_reader(recipe: PointerRecipe, model: SubjectModel, assets: Path) -> PointerReader:
    """A reader with the tokenizer that a run folder or prepared folder carries. Raises UserError if it belongs to
    another model."""
    return PointerReader(recipe, model, assets)
