"""Which rows of a training table are passages that were mined: they stand behind those of the questions' own."""

from __future__ import annotations

import json
from pathlib import Path

MINED = "mined.json"
"""File of a prepared folder whose table has such rows."""

EACH = 4
"""Passages that are mined for a question where the recipe does not say how many."""


def write_first_mined(folder: Path, row: int) -> None:
    """Say from which row of the table on passages are mined."""
    (folder / MINED).write_text(json.dumps({"first": row}) + "\n", encoding="utf-8")


def first_mined(folder: Path) -> int | None:
    """The first row of a prepared folder's table whose passage was mined; None where there is none."""
    path = folder / MINED
    return int(json.loads(path.read_text(encoding="utf-8"))["first"]) if path.is_file() else None
