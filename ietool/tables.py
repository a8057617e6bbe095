"""Tables as plain data: tasks build them, ``cli`` renders them with Rich, ``--json`` dumps them; and how scores and
intervals are written in their cells."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field


class Difference(float):
    """A difference of scores, shown with its sign: ``+0.0123``."""


@dataclass(frozen=True)
class Interval:
    """Two ends of an interval as one cell: ``.902 – .951``; of a difference, ``signed``, as ``-.004 – +.021``. Programs
    get them as two columns."""

    low: float
    high: float
    signed: bool = False

    def __str__(self) -> str:
        return between((self.low, self.high), signed=self.signed)


Cell = str | int | float | Interval | None


def as_number(cell: Cell) -> float:
    """A cell that is a number or a dash, for drawing: a dash is 0."""
    return float(cell) if isinstance(cell, int | float) else 0.0


def interval(ends: Sequence[float] | None, *, signed: bool = False) -> Interval | None:
    """A cell of an interval; None where there is none."""
    return None if ends is None else Interval(float(ends[0]), float(ends[1]), signed)


@dataclass(frozen=True)
class Table:
    """A titled table. Floats are shown with four decimals, None as a dash.

    The columns that matter stand first: where there is no room for all, the last ones come into a second table.

    Attributes:
        whole: columns whose cells are copied by users: never broken, though they may hold blanks.
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]] = field(default_factory=list)
    note: str = ""
    whole: Sequence[str] = ()


def share(value: float, *, signed: bool = False) -> str:
    """A score in three decimals: ``.902``, ``1.000``; of a difference with its sign: ``+.012``."""
    if not math.isfinite(value):
        return "–"
    text = f"{abs(value):.3f}".removeprefix("0")
    zero = text == ".000"
    sign = "-" if value < 0 and not zero else "+" if signed and not zero else ""
    return sign + text


def between(interval: Sequence[float] | None, *, signed: bool = False) -> str:
    """An interval: ``.902 – .951``; of a difference ``-.004 – +.021``; empty where there is none."""
    return "" if interval is None else " – ".join(share(float(end), signed=signed) for end in interval)
