"""What a model finds in texts, whatever its head: windows read in batches of like length, merged by who has the say."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar, Generic, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
import torch

from ietool.core.candidates import Candidates, Floor, Layout, capped
from ietool.core.fit import check_fit
from ietool.core.pools import Reading, read_in_pools
from ietool.core.predicting import with_parts
from ietool.nn.transfer import ahead_on, sent
from ietool.tasks.events.data.example import Example
from ietool.tasks.events.features.featurizer import LABELS, Featurizer, Labels
from ietool.tasks.events.heads.base import EventsModel
from ietool.tasks.events.heads.rows import merged_windows, owners_of, placed
from ietool.tasks.events.recipe import EventsRecipe
from ietool.text.pieces import Piece
from ietool.text.windows import HasText, batches
from ietool.training.batches import inputs_of, item_of

POOL_CHARACTERS = 1 << 18
"""At most so many characters are turned into tokens at once, some 450 bytes each."""

MOST = 1024
"""Candidates of a text, at most; a text of more characters may have one a character."""

Integers = npt.NDArray[np.int64]

Model = TypeVar("Model", bound=EventsModel)
Text = TypeVar("Text", bound=HasText)
W = TypeVar("W")
Raw = TypeVar("Raw")


class Found(NamedTuple):
    """What a batch of windows holds: ``text`` (n,), the number of the window; ``rows`` (n, 5) in units; their
    ``parts`` (n, m); and ``left_out`` (B,), how many more each window has."""

    text: Integers
    rows: Integers
    parts: npt.NDArray[np.float32]
    left_out: Integers


class Encoded(NamedTuple):
    """A batch of windows on the device: ``h`` (B, T, H), ``inside`` (B, T) bool, true for units that stand for
    characters."""

    h: torch.Tensor
    inside: torch.Tensor


class _Asked(NamedTuple):
    """A text whose rows are to be scored."""

    example: Example
    given: Candidates

    @property
    def text(self) -> str:
        return self.example.text


class _Window(NamedTuple):
    """A window and the rows that it has the say in: their numbers, and as units."""

    piece: Piece
    at: np.ndarray
    rows: np.ndarray


class EventsReader(ABC, Generic[Model]):
    """A model with the tokenizer beside it; heads say what a batch of windows holds.

    Raises:
        UserError: the files of ``assets`` belong to another model.
    """

    layout: ClassVar[Layout]
    kind: ClassVar[type[EventsModel]]
    """The models that this reads."""
    most = MOST

    def __init__(self, recipe: EventsRecipe, model: Model, assets: Path, *, pool: int = 16) -> None:
        self.model, self.featurizer = model, Featurizer.open(recipe, assets)
        self.labels = Labels.load(assets)
        self.ties = self.labels.ties
        self.batch_size, self.pool = recipe.decode.batch_size, pool
        self.highest_probability = 0.0
        self.notes: Sequence[str] = ()
        config, own = model.config, self.labels
        sizes = (config.labels, config.types, config.roles)
        further = {
            LABELS: sizes != (len(own.names), len(own.types), max(1, len(own.roles))),
            "recipe.yaml": not isinstance(model, self.kind),
        }
        check_fit(assets, self.featurizer.reader, config, further)

    @abstractmethod
    def found(self, encoded: Encoded, floor: Floor) -> Reading[Found]:
        """What a batch of windows holds above the floor, of each about :attr:`most` at most."""

    @abstractmethod
    def parts(self, encoded: Encoded, text: Integers, rows: Integers) -> Reading[np.ndarray]:
        """What is said of ``rows`` (n, 5) in the windows ``text`` (n,), as in :class:`Found`: (n, parts)."""

    @torch.inference_mode()
    def propose(self, inputs: Iterable[Example], *, floor: Floor) -> Iterator[tuple[Example, Candidates]]:
        """As in :class:`ietool.core.predicting.Reader`."""

        def read(pieces: Sequence[Piece]) -> Reading[list[tuple[Piece, Candidates]]]:
            found = yield from self.found(self._encode(pieces), floor)
            every = placed(self.layout, pieces, *found)
            return [(piece, capped(self.layout, one, self.most)) for piece, one in zip(pieces, every, strict=True)]

        for example, windows in self._pools(inputs, self._cut, lambda piece: len(piece.units), read):
            merged = merged_windows(self.layout, windows)
            yield example, capped(self.layout, merged, max(self.most, len(example.text)))

    @torch.inference_mode()
    def score(self, inputs: Iterable[tuple[Example, Candidates]]) -> Iterator[tuple[Example, Candidates]]:
        """As in :class:`ietool.core.predicting.Reader`."""

        def cut(some: Sequence[_Asked]) -> Iterator[tuple[int, _Window]]:
            pieces: list[list[Piece]] = [[] for _ in some]
            for number, piece in self._cut([asked.example for asked in some]):
                pieces[number].append(piece)
            for number, (asked, mine) in enumerate(zip(some, pieces, strict=True)):
                rows = asked.given.rows
                whose = owners_of([(p.start, p.end) for p in mine], rows)
                for n, piece in enumerate(mine):
                    at = np.flatnonzero(whose == n)
                    if not len(at):
                        continue
                    spans = piece.units.spans_of(rows[at, :4].reshape(-1, 2) - piece.start).reshape(-1, 4)
                    can = (spans >= 0).all(1)
                    units = np.concatenate([spans[can], rows[at[can], 4:]], 1).astype(np.int64)
                    yield number, _Window(piece, at[can], units)

        def read(windows: Sequence[_Window]) -> Reading[list[tuple[np.ndarray, np.ndarray]]]:
            counts = [len(w.at) for w in windows]
            text, rows = np.repeat(np.arange(len(windows)), counts), np.concatenate([w.rows for w in windows])
            parts = np.zeros((0, len(self.layout.parts)), np.float32)
            if len(rows):
                parts = yield from self.parts(self._encode([w.piece for w in windows]), text, rows)
            return [(w.at, own) for w, own in zip(windows, np.split(parts, np.cumsum(counts)[:-1]), strict=True)]

        stream = (_Asked(example, given) for example, given in inputs)
        for asked, windows in self._pools(stream, cut, lambda w: len(w.piece.units), read):
            yield asked.example, with_parts(asked.given, windows, len(self.layout.parts))

    def _cut(self, examples: Sequence[Example]) -> Iterator[tuple[int, Piece]]:
        """Their windows; where a device reads meanwhile, of a few texts at a time."""
        step = self.batch_size if ahead_on(self.model.device) else max(1, len(examples))
        for low in range(0, len(examples), step):
            for number, piece in self.featurizer.cut(examples[low : low + step]):
                yield low + number, piece

    def _pools(
        self,
        inputs: Iterable[Text],
        cut: Callable[[Sequence[Text]], Iterable[tuple[int, W]]],
        size: Callable[[W], int],
        read: Callable[[Sequence[W]], Reading[Sequence[Raw]]],
    ) -> Iterator[tuple[Text, list[Raw]]]:
        return read_in_pools(
            inputs, cut, size, read,
            batch_size=self.batch_size, pool=self.pool, ahead=ahead_on(self.model.device),
            chunk=lambda stream, limit: batches(stream, POOL_CHARACTERS, limit),
        )  # fmt: skip

    def _encode(self, pieces: Sequence[Piece]) -> Encoded:
        batch = sent(inputs_of([item_of(p.units) for p in pieces]), self.model.device)
        h = self.model.encode(batch["ids"], batch["lengths"], batch["words"], batch["tags"])
        return Encoded(h, batch["inside"])

    def _seen(self, highest: float) -> None:
        self.highest_probability = max(self.highest_probability, highest)


def places(device: torch.device, *columns: Any) -> tuple[torch.Tensor, ...]:
    """Columns of whole numbers, (n,) each, as tensors on a device: one copy."""
    there = sent({"at": torch.from_numpy(np.stack(columns).astype(np.int64))}, device)["at"]
    return tuple(there)
