"""What a page draws of a prediction, as JSON: pieces of texts, marks, arrows, a table. Nothing in it is HTML."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ietool.core.view import Mark, View
from ietool.report.html import spans
from ietool.report.html.spans import segments, shown
from ietool.tables import Cell, Table


def drawn(view: View, table: Table) -> dict[str, Any]:
    """A view and its table. Characters that would turn a text round or hide in it are signs that can be seen.

    A text's ``pieces`` are [text, numbers of the marks that cover it…], its ``marks`` [label, start, probability].
    """
    texts = []
    for number, (title, text) in enumerate(view.texts):
        mine = _once([mark for mark in view.marks if mark.text == number])
        cut = segments(text, [[spans.Mark(mark.label, mark.start, mark.end) for mark in mine]])
        texts.append(
            {
                "title": shown(title),
                "pieces": [[shown(piece.text), *piece.marks[0]] for piece in cut],
                "marks": [[shown(mark.label), mark.start, mark.probability] for mark in mine],
            }
        )
    return {
        "texts": texts,
        "links": [[shown(one.source), shown(one.label), shown(one.target), one.probability] for one in view.links],
        "table": {
            "columns": list(table.columns),
            "rows": [[_cell(value) for value in row] for row in table.rows],
            "note": shown(table.note),
        },
    }


def _once(marks: Sequence[Mark]) -> list[Mark]:
    """Marks of which none says the same of the same span twice: the surest stays."""
    found: dict[tuple[int, int, str], Mark] = {}
    for mark in marks:
        key = mark.start, mark.end, mark.label
        if key not in found or (mark.probability or 0.0) > (found[key].probability or 0.0):
            found[key] = mark
    return list(found.values())


def _cell(value: Cell) -> Cell:
    return shown(value) if isinstance(value, str) else value
