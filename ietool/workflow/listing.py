"""What ``ietool runs`` tells of a run besides its recipe: its score, its data, how long it was trained."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from ietool.errors import UserError
from ietool.nearest import did_you_mean
from ietool.prepared import DONE
from ietool.runs.checks import read_metrics
from ietool.runs.entry import RunEntry


@dataclass(frozen=True)
class Listed:
    """A run in a list.

    Attributes:
        score, metric: the best of dev, or of what ``best["source"]`` names; None where there is none yet.
        interval: 95 % of it.
        data: the folder of the competition's files; that of the prepared ones where these are gone; empty for none.
        epochs: how many were trained.
        best_epoch: that whose weights are kept.
        seconds: of training, dev left out; None where nothing was trained.
        members: of an ensemble, how many.
    """

    entry: RunEntry
    score: float | None
    metric: str
    interval: tuple[float, float] | None
    data: str
    epochs: int
    best_epoch: int | None
    seconds: float | None
    members: int


def listed(entry: RunEntry) -> Listed:
    """A run with what its folder tells of it. Raises UserError where its ``metrics.jsonl`` is damaged."""
    info, best = entry.info, entry.info.best or {}
    rows = read_metrics(entry.folder)
    spent = [row.seconds for row in rows if row.seconds is not None and math.isfinite(row.seconds)]
    interval = best.get("interval")
    return Listed(
        entry,
        best.get("score"),
        str(best.get("metric", "")),
        None if interval is None else (float(interval[0]), float(interval[1])),
        data_folder(info.prepared),
        len(rows),
        best.get("epoch"),
        sum(spent) if spent else None,
        len(info.members),
    )


def data_folder(prepared: str) -> str:
    """The folder that the files of a preparation came from, as seen from here where it lies below; that of the
    preparation where it does not tell."""
    if not prepared:
        return ""
    place = Path(prepared)
    try:
        done = json.loads((place / DONE).read_text(encoding="utf-8"))
        files = [str(path) for path in done["sources"].values()]
        found = Path(os.path.commonpath([Path(path).parent for path in files])) if files else place
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        found = place
    try:
        return str(found.relative_to(Path.cwd()))
    except (ValueError, OSError):
        return str(found)


def span_of(seconds: float | None) -> str | None:
    """A length of time in words: ``41 s``, ``12:05 min``, ``3:20 h``."""
    if seconds is None or not math.isfinite(seconds):
        return None
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60}:{whole % 60:02d} min"
    return f"{whole // 3600}:{whole % 3600 // 60:02d} h"


# -- order

_Key = Callable[[Sequence[Listed]], Any]


def _mean_score(runs: Sequence[Listed]) -> tuple[bool, float]:
    scores = [run.score for run in runs if run.score is not None and math.isfinite(run.score)]
    return (not scores, -sum(scores) / max(1, len(scores)))


def _moment(runs: Sequence[Listed]) -> float:
    moments = []
    for run in runs:
        try:
            moments.append(-datetime.fromisoformat(run.entry.info.created).timestamp())
        except (ValueError, OverflowError, OSError):  # no moment
            moments.append(0.0)
    return min(moments, default=0.0)


SORTS: dict[str, _Key] = {
    "when": _moment,
    "score": _mean_score,
    "recipe": lambda runs: runs[0].entry.info.recipe,
    "state": lambda runs: runs[0].entry.state,
    "where": lambda runs: str(runs[0].entry.folder),
    "data": lambda runs: runs[0].data,
    "epochs": lambda runs: -sum(run.epochs for run in runs),
    "duration": lambda runs: -sum(run.seconds or 0.0 for run in runs),
}
"""How runs are sorted: newest, best, longest first; names by their letters. A group counts as its members together."""


def sort_key(name: str) -> _Key:
    """The order of that name. Raises UserError if there is none."""
    if name not in SORTS:
        mend = did_you_mean(name, SORTS, f"use one of: {', '.join(SORTS)}")
        raise UserError(f"knows no order {name!r}", field="--sort", mend=mend)
    return SORTS[name]
