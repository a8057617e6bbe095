"""Numbers of labels in rows: every run numbers its labels itself, so rows of several runs are told apart by names."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from ietool.core.candidates import Candidates, Layout, Rows


@dataclass(frozen=True)
class LabelColumn:
    """A column of rows that numbers labels.

    Attributes:
        column: its name in :attr:`Layout.rows`.
        names: of the labels, by number.
        below_zero: whether label n stands there as −1 − n, and what is not below zero is no label.
    """

    column: str
    names: Sequence[Hashable]
    below_zero: bool = False


def renumber(rows: Rows, layout: Layout, of: LabelColumn | None, to: LabelColumn | None) -> tuple[Rows, Places]:
    """Rows with another run's numbers for the same labels.

    Where labels stand below zero one that the other run lacks becomes its first; else rows of such labels are left out.

    Args:
        rows: (n, columns of the layout).
        of: whose numbers they have; None: there are no labels.
        to: whose they get.

    Returns:
        (m, columns) rows, and (m,) which of the n they are.
    """
    every = np.arange(len(rows))
    if of is None or to is None or list(of.names) == list(to.names):
        return rows, every
    at = layout.rows.index(of.column)
    numbers = {name: number for number, name in enumerate(to.names)}
    table = np.array([numbers.get(name, -1) for name in of.names] or [0], np.int32)
    if of.below_zero:
        table = np.maximum(table, 0)
        said = rows[:, at]
        new = np.where(said < 0, -1 - table[np.clip(-1 - said, 0, len(table) - 1)], said)
        kept = every
    else:
        new = table[rows[:, at]]
        kept = np.flatnonzero(new >= 0)
    changed = rows.copy()
    changed[:, at] = new
    return changed[kept], kept


def doubled(
    rows: Rows, own: Rows, layout: Layout, of: LabelColumn | None, to: LabelColumn | None
) -> npt.NDArray[np.int64]:
    """The rows that stand for a label which a run lacks, where another row has become the same to it: what it says of
    them it says once.

    Args:
        rows: in the numbers of ``of``.
        own: the same by :func:`renumber`, in those of ``to``.
    """
    if of is None or to is None or not of.below_zero or list(of.names) == list(to.names):
        return np.zeros(0, np.int64)
    known, said = np.isin(np.array([*map(str, of.names)]), [*map(str, to.names)]), rows[:, layout.rows.index(of.column)]
    lacking = (said < 0) & ~known[np.clip(-1 - said, 0, max(len(known) - 1, 0))] if len(known) else said < 0
    order = np.argsort(lacking, kind="stable")  # those that it knows go before
    _, first = np.unique(own[order], axis=0, return_index=True)
    kept = np.zeros(len(rows), bool)
    kept[order[first]] = True
    return np.flatnonzero(lacking & ~kept)


def renumbered(found: Candidates, layout: Layout, of: LabelColumn | None, to: LabelColumn | None) -> Candidates:
    """Candidates with the numbers that another run has for their labels; see :func:`renumber`."""
    rows, kept = renumber(found.rows, layout, of, to)
    return found if rows is found.rows else replace(found, rows=rows, parts=found.parts[kept])


def most_labels(columns: Sequence[LabelColumn | None]) -> tuple[int, list[Hashable]]:
    """Which of several runs knows most labels, the first of such, and those of the others that it lacks."""
    sizes = [0 if one is None else len(one.names) for one in columns]
    best = int(np.argmax(sizes))
    chosen = columns[best]
    known = set(() if chosen is None else chosen.names)
    lacking = dict.fromkeys(name for one in columns if one is not None for name in one.names if name not in known)
    return best, list(lacking)


Places = npt.NDArray[np.int64]
