"""What a report was made of, as plain values beside its page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ietool.report.classes.study import Study, class_table
from ietool.report.summary import to_value
from ietool.scoring.classes import MISSED, SPURIOUS, ErrorClasses
from ietool.tables import as_number


@dataclass(frozen=True)
class Reported:
    """What a report was made of.

    Attributes:
        studies: the predictions with their outcomes in classes.
        classes: of the task.
    """

    studies: Sequence[Study]
    classes: ErrorClasses

    def counts(self, one: Study) -> dict[str, dict[str, int]]:
        """Class of error → its items, the spurious and the missed ones of a prediction; the most frequent first."""
        table = class_table(one, self.classes)
        columns = {name: list(table.columns).index(name) for name in ("items", SPURIOUS, MISSED)}
        return {str(row[0]): {name: int(as_number(row[n])) for name, n in columns.items()} for row in table.rows}

    def plain(self, output: Path) -> dict[str, Any]:
        """As one JSON value."""
        return {
            "output": str(output),
            "predictions": [
                {
                    "name": one.name,
                    **to_value(one.report),
                    "classes": self.counts(one),
                }
                for one in self.studies
            ],
        }
