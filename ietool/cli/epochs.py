"""The growing table of ``ietool train``: a row an epoch, columns of fixed width, and the curve of the dev score."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ietool.tables import between

if TYPE_CHECKING:
    from rich.text import Text

    from ietool.training.reached import EpochRow

# (heading, width); with twice three scores of width 5 between them 72 columns in all, and one for each part of a curve.
_BEFORE = (("epoch", 5), ("loss", 7), ("rate", 7))
_BEHIND = (("sent/s", 6), ("sec", 5))
_SCORE = 5
_WIDEST, _LONGEST = 79, 16
"""Columns of a line; epochs that its curve shows at most."""
_BARS = "▁▂▃▄▅▆▇█"


class EpochTable:
    """Call it with each epoch's row; it prints the heading once, then the rows, and says where a stage begins.

    The columns are those that say something: the scores of the weights themselves, of their running average, or both,
    as the first row has them.

    Args:
        print_: prints one line (a Rich Text without line end).
        scores: (heading, name of the value) of the three that are shown, as ``Task.epoch_scores`` has them.
    """

    def __init__(
        self,
        print_: Callable[[Text], None],
        scores: Sequence[tuple[str, str]] = (("P", "precision"), ("R", "recall"), ("F1", "f1")),
    ) -> None:
        self._print = print_
        self._scores = scores
        self._weights: list[str] = []
        self._widths: list[int] = []
        self._stage = 1
        self._curve: list[float] = []
        self._room = 0

    def __call__(self, row: EpochRow) -> None:
        from rich.text import Text

        if not self._weights:
            self._head(row)
        if row.stage != self._stage:
            self._stage = row.stage
            self._print(Text(f"stage {row.stage}"))
        of = {"raw": row.raw, "ema": row.ema}
        self._curve.append(float((row.ema or row.raw or {}).get("score", math.nan)))
        # Of silent models the longest trained is kept, but nobody takes it for a find.
        best = row.best and (row.ema or row.raw or {}).get("score", 0.0) > 0.0
        cells = [
            str(row.epoch),
            f"{row.loss:.4f}" if row.loss < 100 else f"{row.loss:.1f}",
            f"{row.learning_rate:.1e}",
            *(cell for weights in self._weights for cell in self._cells(of[weights])),
            f"{row.sentences_per_second:,.0f}",
            f"{row.seconds:.0f}" if row.seconds >= 100 else f"{row.seconds:.1f}",
            sparkline(self._curve[-self._room :]).ljust(self._room) if self._room else "",
            "*" if best else "",
        ]
        self._print(Text(self._line(cells), style="green" if best else ""))
        if row.note:
            self._print(Text(f"   {row.note}", style="yellow"))

    def _head(self, row: EpochRow) -> None:
        """Choose the columns, and print their headings."""
        from rich.text import Text

        self._weights = [name for name, scores in (("raw", row.raw), ("ema", row.ema)) if scores is not None]
        headings = [heading for heading, _ in self._scores]
        # Which weights a group of three is of stands over its first, where there are two groups, and room.
        groups = [_over(name, headings) if len(self._weights) > 1 else headings for name in self._weights]
        columns = [*_BEFORE, *((name, _SCORE) for group in groups for name in group), *_BEHIND]
        room = _WIDEST - sum(width + 1 for _, width in columns) - 2  # for the star
        self._room = min(room, _LONGEST) if room >= len("curve") and _drawable() else 0
        columns += [("curve".ljust(self._room) if self._room else "", self._room), ("", 1)]
        self._widths = [width for _, width in columns]
        self._print(Text(self._line([name for name, _ in columns]), style="bold"))

    def _cells(self, scores: Mapping[str, Any] | None) -> list[str]:
        # Five characters each: .6283, and 1.000 rather than 1.0000.
        return [
            "–" if scores is None or key not in scores else f"{scores[key]:.4f}".removeprefix("0")[:_SCORE]
            for _, key in self._scores
        ]

    def _line(self, cells: Sequence[str]) -> str:
        return " ".join(cell.rjust(width) for cell, width in zip(cells, self._widths, strict=True)).rstrip()


def sparkline(values: Sequence[float]) -> str:
    """A curve of a character a value, from the least to the greatest; a dot for what is no number."""
    real = [value for value in values if math.isfinite(value)]
    if not real:
        return "·" * len(values)
    low, high = min(real), max(real)
    steps = len(_BARS) - 1
    return "".join(
        "·" if not math.isfinite(value) else _BARS[round((value - low) / (high - low) * steps) if high > low else 0]
        for value in values
    )


def _drawable() -> bool:
    """Whether standard output can show a curve."""
    try:
        _BARS.encode(getattr(sys.stdout, "encoding", None) or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def _over(weights: str, headings: Sequence[str]) -> list[str]:
    first = f"{weights} {headings[0]}"
    return [first if len(first) <= _SCORE else f"{weights[0]} {headings[0]}", *headings[1:]]


def of_best(best: Mapping[str, Any]) -> str:
    """The best dev score of a training in words: ``0.9507 (seqeval), epoch 4, 95 % interval .935 – .965``."""
    if not best["score"]:
        return f"nothing was found on dev in any epoch ({best['metric']})"
    stage = f"stage {best['stage']}, " if best.get("stage", 1) > 1 else ""
    words = f"{best['score']:.4f} ({best['metric']}), {stage}epoch {best['epoch']}"
    interval = best.get("interval")
    return words + (f", 95 % interval {between(interval)}" if interval else "")
