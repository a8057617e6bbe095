"""Tables of scores by relation, type or whatever else divides them."""

from __future__ import annotations

from collections.abc import Mapping

from ietool.scoring.prf import PRFScore
from ietool.tables import Cell, Table


def prf_table(title: str, what: str, scores: Mapping[str, PRFScore], *, found: bool = False) -> Table:
    """One row a name, worst F1 first; of equal ones the more frequent first. A name that neither gold nor predictions
    hold has nothing to be right or wrong about: it stands last, without figures.

    Args:
        title: stands above the table.
        what: heads the column of names.
        scores: name → counts.
        found: show gold items found apart from right predictions, which differ only under alias rules.
    """

    def place(entry: tuple[str, PRFScore]) -> tuple[bool, float, int, int, str]:
        name, s = entry
        return not (s.gold or s.predicted), s.f1, -s.gold, -s.predicted, name

    order = sorted(scores.items(), key=place)
    columns = [what, "P", "R", "F1", "gold", "predicted", "right"]
    rows: list[list[Cell]] = []
    for name, s in order:
        shares = (s.precision, s.recall, s.f1) if s.gold or s.predicted else (None, None, None)
        row: list[Cell] = [name, *shares, s.gold, s.predicted, s.hits]
        rows.append([*row, s.found] if found else row)
    return Table(title, [*columns, "found"] if found else columns, rows)
