"""Tables of scores by relation, type or whatever else divides them."""

from __future__ import annotations

from collections.abc import Mapping

from ietool.scoring.prf import PRFScore
from ietool.tables import Cell, Table


def prf_table(title: str, what: str, scores: Mapping[str, PRFScore], *, found: bool = False) -> Table:
    """One row a name, worst F1 first; of equal ones the more frequent first.

    Args:
        title: stands above the table.
        what: heads the column of names.
        scores: name → counts.
        found: show gold items found apart from right predictions, which differ only under alias rules.
    """
    order = sorted(scores.items(), key=lambda entry: (entry[1].f1, -entry[1].gold, -entry[1].predicted, entry[0]))
    columns = [what, "P", "R", "F1", "gold", "predicted", "right"]
    rows: list[list[Cell]] = []
    for name, s in order:
        row: list[Cell] = [name, s.precision, s.recall, s.f1, s.gold, s.predicted, s.hits]
        rows.append([*row, s.found] if found else row)
    return Table(title, [*columns, "found"] if found else columns, rows)
