"""Stretches of a question, and the values that they may stand for, as arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ietool.tasks.nl2sql.data.example import AGGREGATES, OPERATORS
from ietool.tasks.nl2sql.features.featurizer import Piece
from ietool.tasks.nl2sql.features.marks import TEXTS
from ietool.tasks.nl2sql.features.values import OF_VALUE, Span, features_of, form_of, is_inner, values_at

Array = npt.NDArray[Any]

NOT_SELECTED, NO_OPERATOR = len(AGGREGATES), len(OPERATORS)
"""The class of a column that is not selected, and of a unit that belongs to no value."""

NEAR = 4
"""What tells how near to a stretch the question names a column, see :func:`near`."""

FEATURES = OF_VALUE + NEAR
"""Of a stretch as a value of a column."""


def stretches_of(piece: Piece, spans: Sequence[Span]) -> dict[str, Array]:
    """Stretches of a question as arrays; those that are no whole units, or stand for nothing in the columns that are
    read, are left out.

    Returns:
        ``spans`` (S, 4): characters ``[start, end)`` and first and last unit; ``values`` (E, 4): stretch, place among
        the columns that are read, column, form; ``features`` (E, FEATURES), 0 to 255: those of
        :func:`~ietool.tasks.nl2sql.features.values.features_of` and of :func:`near`.
    """
    example, mentioned = piece.example, piece.values
    place = {column: n for n, column in enumerate(piece.columns.tolist())}
    units = piece.units.spans_of(np.array(spans, np.int64).reshape(-1, 2))
    names = _names(piece)
    found: list[tuple[int, ...]] = []
    rows: list[tuple[int, ...]] = []
    features = [np.zeros((0, FEATURES), np.uint8)]
    for (start, end), (first, behind) in zip(spans, units.tolist(), strict=True):
        if first < 0:
            continue
        values = values_at(example.question, example.table, start, end)
        own = [n for n, one in enumerate(values) if one.column in place]
        if not own:
            continue
        of_value = features_of(values, example.table, inner=is_inner((start, end), mentioned))[own]
        of_column = near(names, first, behind)[[place[values[n].column] for n in own]]
        features.append(np.concatenate([of_value, of_column], 1))
        for n in own:
            column, form = form_of(values, n)
            rows.append((len(found), place[column], column, form))
        found.append((start, end, first, behind - 1))
    return {
        "spans": np.array(found, np.int32).reshape(-1, 4),
        "values": np.array(rows, np.int32).reshape(-1, 4),
        "features": np.concatenate(features),
    }


def _names(piece: Piece) -> list[Array]:
    """Of each column that is read, the units of the question that say a part of its header, ascending."""
    place, unit, kind = piece.links.T
    return [np.sort(unit[(kind == TEXTS) & (place == n)]) for n in range(len(piece.columns))]


def near(names: Sequence[Array], first: int, behind: int) -> npt.NDArray[np.uint8]:
    """How near to the units ``[first, behind)`` the question names each column: before them and behind them, 255 for
    the unit beside, half of it one further; and for both whether no other column is named nearer.

    Args:
        names: of C columns the units that name them, ascending.

    Returns:
        (C, NEAR).
    """
    out = np.zeros((len(names), NEAR), np.uint8)
    for row, units in zip(out, names, strict=True):
        before, after = np.searchsorted(units, first), np.searchsorted(units, behind)
        if before > 0:
            row[0] = 255 // (first - units[before - 1])
        if after < len(units):
            row[1] = 255 // (units[after] - behind + 1)
    for side in (0, 1):
        out[:, 2 + side] = 255 * ((out[:, side] > 0) & (out[:, side] == out[:, side].max(initial=0)))
    return out
