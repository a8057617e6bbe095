"""Long texts as overlapping windows: nothing is cut in silence."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Protocol, TypeVar

import numpy as np
import numpy.typing as npt

BREAKS = frozenset("。！？；!?;\n")
RECORD = "record"
"""The column of a training table that holds the row number of the record which a window was cut from."""


class HasText(Protocol):
    """An example of any task."""

    @property
    def text(self) -> str: ...


Example = TypeVar("Example", bound=HasText)


def batches(examples: Iterable[Example], characters: int, most: int | None = None) -> Iterator[list[Example]]:
    """Batches of at most so many characters, or of one longer text, and of at most so many texts."""
    batch: list[Example] = []
    size = 0
    for example in examples:
        if batch and (size + len(example.text) > characters or len(batch) == most):
            yield batch
            batch, size = [], 0
        batch.append(example)
        size += len(example.text)
    if batch:
        yield batch


def windows(text: str, size: int, overlap: int) -> list[tuple[int, int]]:
    """Half-open windows that cover the text, each at most ``size`` long; ``[(0, len)]`` for a text that fits.

    Neighbours share about ``overlap`` characters: a span of up to ``overlap`` characters lies whole in some window. A
    window starts after a sentence end where one lies in the earlier half of the overlap.
    """
    if not 0 <= overlap < size:
        raise ValueError("the overlap must be smaller than the window")
    length = len(text)
    found = []
    start = 0
    while True:
        end = min(start + size, length)
        found.append((start, end))
        if end == length:
            return found
        following = end - overlap
        # Step back, never forward, so that the shared stretch is never shorter than promised.
        for candidate in range(following, max(start + 1, following - overlap // 2), -1):
            if text[candidate - 1] in BREAKS:
                following = candidate
                break
        start = max(following, start + 1)


def window_batches(
    texts: Sequence[str], size: int, overlap: int, batch_size: int
) -> Iterator[list[tuple[int, int, int]]]:
    """The windows of some texts in batches of like length, shortest first: (index of the text, start, end) each.

    Empty texts have none.
    """
    pieces = [(i, a, b) for i, text in enumerate(texts) if text for a, b in windows(text, size, overlap)]
    pieces.sort(key=lambda piece: piece[2] - piece[1])
    for at in range(0, len(pieces), batch_size):
        yield pieces[at : at + batch_size]


def owners(
    windows: Sequence[tuple[int, int]], starts: npt.NDArray[np.integer], ends: npt.NDArray[np.integer]
) -> npt.NDArray[np.int64]:
    """Which window of a text has the say in each of some spans: (n,).

    Where two windows overlap, the earlier one has the say up to the middle of what they share: a span is its own if the
    span's middle lies there. So one of up to half an overlap is seen with context on both sides, and what the edge of a
    window cut in two is left out, as long as all of it is shorter than the overlap.

    Args:
        windows: [start, end) of each, in order.
        starts, ends: (n,) of the spans, half-open.
    """
    # Twice the places, so that middles are whole numbers.
    borders = [end + start for (_, end), (start, _) in pairwise(windows)]
    found: npt.NDArray[np.int64] = np.searchsorted(borders, starts.astype(np.int64) + ends, side="right")
    return found
