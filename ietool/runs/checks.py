"""Files of a run that may come from a stranger: read only if they are what they should be."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from ietool.errors import WHOLE, UserError, cause
from ietool.files.plain_json import json_kind, load_json
from ietool.runs.entry import METRICS_FILE


@dataclass(frozen=True)
class EpochScores:
    """What is read of a row of ``metrics.jsonl``: the dev scores of the weights themselves and of their average, and
    the seconds that its epoch was trained."""

    stage: int
    epoch: int
    best: bool
    loss: float | None = None
    raw: dict[str, float | None] | None = None
    ema: dict[str, float | None] | None = None
    seconds: float | None = None


_MOST = 1 << 31
"""No size of a model is larger, in any unit."""
_MOST_LAYERS = 10_000


def read_settings(path: Path) -> dict[str, Any]:
    """The settings of a model, ``config.json``.

    Raises:
        UserError: it is missing or no JSON object, or has numbers that no model has, for which memory would be taken
            before its weights tell that they do not fit.
    """
    try:
        settings = load_json(path.read_text(encoding="utf-8"))
        if not isinstance(settings, dict):
            raise ValueError(f"it is {json_kind(settings)}, an object is needed")
        _check_numbers(settings)
    except FileNotFoundError:
        raise UserError("is missing", file=path, mend=WHOLE) from None
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"is damaged ({cause(error)})", file=path, mend=WHOLE) from None
    return settings


def _check_numbers(value: Any, key: str = "") -> None:
    """Raise ValueError for a number that is out of all bounds, and for one of layers that no model has."""
    if isinstance(value, dict):
        for name, part in value.items():
            _check_numbers(part, name)
    elif isinstance(value, list):
        for part in value:
            _check_numbers(part, key)
    elif isinstance(value, int | float) and abs(value) > (_MOST_LAYERS if "layers" in key else _MOST):
        raise ValueError(f"{key} is {value}")


def read_metrics(folder: Path) -> list[EpochScores]:
    """The rows of a run's ``metrics.jsonl``; none where there is no such file.

    Raises:
        UserError: naming the line that is no row.
    """
    path = folder / METRICS_FILE
    if not path.is_file():
        return []
    rows: list[EpochScores] = []
    try:
        with path.open(encoding="utf-8") as lines:
            rows.extend(_row_of()(json.loads(line)) for line in lines)
    except (OSError, ValueError, RecursionError) as error:
        what = error.errors()[0]["msg"] if isinstance(error, ValidationError) else cause(error)
        raise UserError(f"is damaged ({what})", file=path, line=len(rows) + 1, mend=WHOLE) from None
    return rows


@cache
def _row_of() -> Callable[[Any], EpochScores]:
    return TypeAdapter(EpochScores).validate_python
