"""Tables as plain data: tasks build them, ``cli`` renders them with Rich, ``--json`` dumps them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

Cell = str | int | float | None


@dataclass(frozen=True)
class Table:
    """A titled table. Floats are shown with four decimals, None as a dash.

    Attributes:
        whole: columns whose cells are copied by users: never broken, though they may hold blanks.
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]] = field(default_factory=list)
    note: str = ""
    whole: Sequence[str] = ()
