"""What a row of candidates states, and what a text holds by what its windows say. No model here: ``prepare`` uses it
too."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ietool.core.candidates import Candidates, Layout, Rows
from ietool.tasks.events.features.featurizer import Ties
from ietool.text.pieces import Piece
from ietool.text.windows import owners

ROWS = ("start", "end", "other_start", "other_end", "tie")
"""What a row of every head states: one span in both places, or two of one event; ``tie`` numbers what they are, see
:class:`ietool.tasks.events.features.featurizer.Ties`."""

UnitRows = npt.NDArray[np.integer]
"""(n, 5): as rows, in units of a window."""

_NOTHING = np.zeros(0, np.float32)


def single_rows(spans: npt.NDArray[np.integer]) -> UnitRows:
    """Rows of single spans; ``spans`` (n, 3) of start, end, label."""
    return spans[:, [0, 1, 0, 1, 2]]


def swaps(one: npt.NDArray[np.integer], other: npt.NDArray[np.integer], ties: Ties) -> npt.NDArray[np.bool_]:
    """(n,): of which pairs of spans, (n, 3) of start, end, label each, the other one comes first in a row: by the
    strings of their roles, those of one role by place."""
    a, b = one.astype(np.int64), other.astype(np.int64)
    rank, start, end = ties.rank[a[:, 2]] - ties.rank[b[:, 2]], a[:, 0] - b[:, 0], a[:, 1] - b[:, 1]
    later: npt.NDArray[np.bool_] = (rank > 0) | ((rank == 0) & ((start > 0) | ((start == 0) & (end > 0))))
    return later


def pair_rows(one: npt.NDArray[np.integer], other: npt.NDArray[np.integer], ties: Ties) -> UnitRows:
    """Rows of pairs of spans of one type each, (n, 3) and (n, 3) of start, end, label, ordered by :func:`swaps`."""
    swap = swaps(one, other, ties)[:, None]
    first, second = np.where(swap, other, one), np.where(swap, one, other)
    return np.concatenate([first[:, :2], second[:, :2], ties.pair[first[:, 2], second[:, 2]][:, None]], 1)


def owners_of(cuts: Sequence[tuple[int, int]], rows: npt.NDArray[np.integer]) -> npt.NDArray[np.int64]:
    """(n,): which window of a text has the say in each row, by the place of all that it speaks of."""
    return owners(cuts, np.minimum(rows[:, 0], rows[:, 2]), np.maximum(rows[:, 1], rows[:, 3]))


def placed(
    layout: Layout, pieces: Sequence[Piece], text: npt.NDArray[np.int64], rows: UnitRows,
    parts: npt.NDArray[np.float32], left_out: npt.NDArray[np.int64],
) -> list[Candidates]:  # fmt: skip
    """The candidates of each of some windows, in characters of the text, each once and in the order of their rows.

    Args:
        text: (n,) the window of each row.
        rows: (n, 5) in units.
        left_out: (windows,) how many more each has.
    """
    units = [piece.units for piece in pieces]
    starts, ends = np.concatenate([u.starts for u in units]), np.concatenate([u.ends for u in units])
    at = np.cumsum([0, *map(len, units)])[text]  # of its window's units in those of all
    begin = np.array([piece.start for piece in pieces])[text]
    columns = [
        starts[at + rows[:, 0]] + begin, ends[at + rows[:, 1] - 1] + begin,
        starts[at + rows[:, 2]] + begin, ends[at + rows[:, 3] - 1] + begin, rows[:, 4],
    ]  # fmt: skip
    order = np.lexsort((-layout.probability(parts), *columns[3::-1], columns[4], text))
    text, parts = text[order], parts[order]
    made = np.stack(columns, 1)[order].astype(np.int32)
    # A character may be several units, as bytes are: of rows of the same characters the most probable.
    new = np.ones(len(made), bool)
    new[1:] = (made[1:] != made[:-1]).any(1) | (text[1:] != text[:-1])
    text, made, parts = text[new], made[new], parts[new]
    borders = np.searchsorted(text, np.arange(len(pieces) + 1)).tolist()
    return [
        Candidates(made[low:high], parts[low:high], _NOTHING, left)
        for low, high, left in zip(borders, borders[1:], left_out.tolist(), strict=False)
    ]


def merged_windows(layout: Layout, windows: Sequence[tuple[Piece, Candidates]]) -> Candidates:
    """The candidates of a text from those of its windows, in the order of their rows."""
    if not windows:
        return Candidates.none(layout)
    if len(windows) == 1:
        return windows[0][1]
    cuts = [(piece.start, piece.end) for piece, _ in windows]
    kept = [owners_of(cuts, found.rows) == n for n, (_, found) in enumerate(windows)]
    rows: Rows = np.concatenate([f.rows[k] for (_, f), k in zip(windows, kept, strict=True)])
    parts = np.concatenate([f.parts[k] for (_, f), k in zip(windows, kept, strict=True)])
    order = np.lexsort((*rows.T[3::-1], rows[:, 4]))
    return Candidates(rows[order], parts[order], _NOTHING, sum(f.capped for _, f in windows))
