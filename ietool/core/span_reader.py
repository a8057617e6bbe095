"""What a model says of spans of texts: windows read in batches of like length, merged by who has the say."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, Generic, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
import torch

from ietool.core.candidates import Candidates, Floor, Layout, capped
from ietool.core.pools import Reading, read_in_pools
from ietool.core.predicting import with_parts
from ietool.nn.transfer import ahead_on
from ietool.text.pieces import Piece
from ietool.text.windows import HasText, batches, owners

POOL_CHARACTERS = 1 << 18
"""At most so many characters are turned into tokens at once, some 450 bytes each."""

MOST = 1024
"""Candidates of a text, at most; a text of more characters may have one a character."""

Places = npt.NDArray[np.int64]

_NOTHING = np.zeros(0, np.float32)

Example = TypeVar("Example", bound=HasText)
Text = TypeVar("Text", bound=HasText)
State = TypeVar("State")
W = TypeVar("W")
Raw = TypeVar("Raw")


class Spans(NamedTuple):
    """What a batch of windows holds: ``text`` (n,), the number of the window; ``rows`` (n, 3) of first unit, the one
    behind the last, type; their ``parts`` (n, m); and ``left_out`` (B,), how many more each window has."""

    text: Places
    rows: Places
    parts: npt.NDArray[np.float32]
    left_out: Places


@dataclass(frozen=True)
class _Asked(Generic[Example]):
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


class SpanReader(ABC, Generic[Example, State]):
    """Cuts texts, has heads say what a batch of windows holds, and puts together what belongs to a text.

    Rows are (start, end, type), spans of characters. ``State`` is what a head keeps of a batch of windows, mostly on
    the device.

    Args:
        batch_size: windows that are read at once.
        device: of the model.
        pool: batches whose windows are sorted together.
    """

    layout: ClassVar[Layout]
    most = MOST

    def __init__(self, batch_size: int, device: torch.device, *, pool: int = 16) -> None:
        self.batch_size, self.device, self.pool = batch_size, device, pool
        self.highest_probability = 0.0

    @property
    def notes(self) -> Sequence[str]:
        """As in :class:`ietool.core.predicting.Reader`."""
        return ()

    @abstractmethod
    def windows(self, examples: Sequence[Example]) -> Iterable[tuple[int, Piece]]:
        """The windows of some texts, each with the number of its text, in order."""

    @abstractmethod
    def encode(self, pieces: Sequence[Piece]) -> State:
        """A batch of windows on the device."""

    @abstractmethod
    def found(self, encoded: State, floor: Floor) -> Reading[Spans]:
        """What a batch of windows holds above the floor, of each about :attr:`most` at most."""

    @abstractmethod
    def parts(self, encoded: State, text: Places, rows: Places) -> Reading[np.ndarray]:
        """What is said of ``rows`` (n, 3) in the windows ``text`` (n,), as in :class:`Spans`: (n, parts)."""

    def worth(self, parts: np.ndarray) -> np.ndarray:
        """(n,): by what rows are chosen where there are too many; parts (n, m)."""
        return self.layout.probability(parts)

    @torch.inference_mode()
    def propose(self, inputs: Iterable[Example], *, floor: Floor) -> Iterator[tuple[Example, Candidates]]:
        """As in :class:`ietool.core.predicting.Reader`."""

        def read(pieces: Sequence[Piece]) -> Reading[list[tuple[Piece, Candidates]]]:
            found = yield from self.found(self.encode(pieces), floor)
            return list(zip(pieces, self._placed(pieces, found), strict=True))

        for example, windows in self._pools(inputs, self._cut, lambda piece: len(piece.units), read):
            yield example, self._capped(self._merged(windows), max(self.most, len(example.text)))

    @torch.inference_mode()
    def score(self, inputs: Iterable[tuple[Example, Candidates]]) -> Iterator[tuple[Example, Candidates]]:
        """As in :class:`ietool.core.predicting.Reader`."""

        def cut(some: Sequence[_Asked[Example]]) -> Iterator[tuple[int, _Window]]:
            pieces: list[list[Piece]] = [[] for _ in some]
            for number, piece in self._cut([asked.example for asked in some]):
                pieces[number].append(piece)
            for number, (asked, mine) in enumerate(zip(some, pieces, strict=True)):
                rows = asked.given.rows
                whose = owners([(p.start, p.end) for p in mine], rows[:, 0], rows[:, 1])
                for n, piece in enumerate(mine):
                    at = np.flatnonzero(whose == n)
                    if not len(at):
                        continue
                    spans = piece.units.spans_of(rows[at, :2] - piece.start)
                    can = spans[:, 0] >= 0
                    units = np.concatenate([spans[can], rows[at[can], 2:]], 1).astype(np.int32)
                    yield number, _Window(piece, at[can], units)

        def read(windows: Sequence[_Window]) -> Reading[list[tuple[np.ndarray, np.ndarray]]]:
            counts = [len(w.at) for w in windows]
            text, rows = np.repeat(np.arange(len(windows)), counts), np.concatenate([w.rows for w in windows])
            parts = yield from self.parts(self.encode([w.piece for w in windows]), text, rows.astype(np.int64))
            return [(w.at, own) for w, own in zip(windows, np.split(parts, np.cumsum(counts)[:-1]), strict=True)]

        stream = (_Asked(example, given) for example, given in inputs)
        for asked, windows in self._pools(stream, cut, lambda w: len(w.piece.units), read):
            yield asked.example, with_parts(asked.given, windows, len(self.layout.parts))

    def _cut(self, examples: Sequence[Example]) -> Iterator[tuple[int, Piece]]:
        """Their windows; where a device reads meanwhile, of a few texts at a time."""
        step = self.batch_size if ahead_on(self.device) else max(1, len(examples))
        for low in range(0, len(examples), step):
            for number, piece in self.windows(examples[low : low + step]):
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
            batch_size=self.batch_size, pool=self.pool, ahead=ahead_on(self.device),
            chunk=lambda stream, limit: batches(stream, POOL_CHARACTERS, limit),
        )  # fmt: skip

    def _placed(self, pieces: Sequence[Piece], found: Spans) -> list[Candidates]:
        """The candidates of each of a batch of windows, in characters of the text, each once and by place."""
        units, text = [piece.units for piece in pieces], found.text
        starts, ends = np.concatenate([u.starts for u in units]), np.concatenate([u.ends for u in units])
        at = np.cumsum([0, *map(len, units)])[text]  # of its window's units in those of all
        begin = np.array([piece.start for piece in pieces])[text]
        first, last = starts[at + found.rows[:, 0]] + begin, ends[at + found.rows[:, 1] - 1] + begin
        order = np.lexsort((-self.worth(found.parts), found.rows[:, 2], last, first, text))
        text, parts = text[order], found.parts[order]
        rows = np.stack([first[order], last[order], found.rows[order, 2]], 1).astype(np.int32)
        # A character may be several units, as bytes are: of spans of the same characters the strongest.
        new = np.ones(len(rows), bool)
        new[1:] = (rows[1:] != rows[:-1]).any(1) | (text[1:] != text[:-1])
        text, rows, parts = text[new], rows[new], parts[new]
        cuts, left_out = np.searchsorted(text, np.arange(len(pieces) + 1)).tolist(), found.left_out.tolist()
        every = (
            Candidates(rows[low:high], parts[low:high], _NOTHING, left)
            for low, high, left in zip(cuts, cuts[1:], left_out, strict=False)
        )
        return [self._capped(one, self.most) for one in every]

    def _merged(self, windows: Sequence[tuple[Piece, Candidates]]) -> Candidates:
        """The candidates of a text from those of its windows, by place."""
        if not windows:
            return Candidates.none(self.layout)
        if len(windows) == 1:
            return windows[0][1]
        cuts = [(piece.start, piece.end) for piece, _ in windows]
        kept = [owners(cuts, f.rows[:, 0], f.rows[:, 1]) == n for n, (_, f) in enumerate(windows)]
        rows = np.concatenate([f.rows[k] for (_, f), k in zip(windows, kept, strict=True)])
        parts = np.concatenate([f.parts[k] for (_, f), k in zip(windows, kept, strict=True)])
        order = np.lexsort(rows.T[::-1])
        return Candidates(rows[order], parts[order], _NOTHING, sum(f.capped for _, f in windows))

    def _capped(self, found: Candidates, most: int) -> Candidates:
        return found if len(found) <= most else capped(self.layout, found, most, self.worth(found.parts))
