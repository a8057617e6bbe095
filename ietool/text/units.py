"""A text as the units that an encoder reads: its characters, or the tokens of a pretrained encoder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

TOKENIZER = "tokenizer_config.json"
"""The file by which a folder with a tokenizer is known."""


@dataclass(frozen=True)
class Units:
    """The T units of a text. Unit i stands for the characters ``[starts[i], ends[i])``; a special token for none.

    ``ids``, ``words`` and ``tags`` are (T,): characters or tokens, rows of word vectors and parts of speech (zeros
    where the units are tokens); ``starts`` and ``ends`` are (T,).
    """

    ids: npt.NDArray[np.int32]
    words: npt.NDArray[np.int32]
    tags: npt.NDArray[np.uint8]
    starts: npt.NDArray[np.int32]
    ends: npt.NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def inside(self) -> npt.NDArray[np.bool_]:
        """(T,): where a unit stands for characters; false for special tokens."""
        return self.ends > self.starts

    def span_of(self, start: int, end: int) -> tuple[int, int] | None:
        """The units ``[i, j)`` that stand for exactly the characters ``[start, end)``; None where no unit begins or
        ends there, as with a subword across the border."""
        first = np.flatnonzero((self.starts == start) & self.inside)
        last = np.flatnonzero((self.ends == end) & self.inside)
        if not len(first) or not len(last) or last[-1] < first[0]:
            return None
        return int(first[0]), int(last[-1]) + 1

    def spans_of(self, spans: npt.NDArray[np.integer]) -> npt.NDArray[np.int32]:
        """:meth:`span_of` of many at once, (n, 2) to (n, 2); −1 in both places where there are no such units."""
        spans = np.asarray(spans, np.int64).reshape(-1, 2)
        length = max(int(self.ends.max(initial=0)), int(spans.max(initial=0))) + 1
        at = np.flatnonzero(self.inside)
        first, last = np.full(length, -1, np.int32), np.full(length, -1, np.int32)
        first[self.starts[at][::-1]] = at[::-1]
        last[self.ends[at]] = at
        found = np.stack([first[spans[:, 0]], last[spans[:, 1]]], 1)
        bad = (found < 0).any(1) | (found[:, 1] < found[:, 0]) | (spans < 0).any(1)
        found[:, 1] += 1
        found[bad] = -1
        return found

    def text_span(self, first: int, last: int) -> tuple[int, int]:
        """The characters ``[start, end)`` of the units ``[first, last)``."""
        return int(self.starts[first]), int(self.ends[last - 1])


class UnitReader(Protocol):
    """Turns texts into units; ``cut`` counts the texts that lost their end, being too long for the encoder."""

    cut: int

    @property
    def size(self) -> int:
        """How many different ids there are."""
        ...

    @property
    def unknown(self) -> int:
        """The id of all that is unknown."""
        ...

    def units(self, text: str) -> Units: ...

    def units_all(self, texts: Sequence[str]) -> list[Units]:
        """The same for many texts, which is faster where the units are tokens."""
        ...


def cut_note(windows: int) -> str:
    """A remark on so many windows that were too long for an encoder."""
    return (
        f"{windows:,} windows lose their end, having more tokens than the encoder has positions; "
        "training with a smaller data.window keeps it"
    )


def character_units(ids: npt.NDArray[np.int32], words: npt.NDArray[np.int32], tags: npt.NDArray[np.uint8]) -> Units:
    """Units that are one character each."""
    at = np.arange(len(ids) + 1, dtype=np.int32)
    return Units(ids, words, tags, at[:-1], at[1:])
