"""The growing table of ``ietool train``: a row an epoch, columns of fixed width."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.text import Text

    from ietool.training.reached import EpochRow

# (heading, width); with twice three scores of width 5 between them 79 columns in all.
_BEFORE = (("st", 2), ("epoch", 5), ("loss", 7), ("rate", 7))
_BEHIND = (("sent/s", 6), ("sec", 5), ("", 1))
_SCORE = 5


class EpochTable:
    """Call it with each epoch's row; it prints the heading once, then the rows.

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
        self._keys = [key for _, key in scores]
        headings = [heading for heading, _ in scores]
        # Which weights a group of three is of stands over its first, where there is room.
        raw, ema = (_over(weights, headings) for weights in ("raw", "ema"))
        self._columns = (*_BEFORE, *((name, _SCORE) for name in (*raw, *ema)), *_BEHIND)
        self._headed = False

    def __call__(self, row: EpochRow) -> None:
        from rich.text import Text

        if not self._headed:
            self._headed = True
            self._print(Text(self._line([name for name, _ in self._columns]), style="bold"))
        cells = [
            str(row.stage),
            str(row.epoch),
            f"{row.loss:.4f}" if row.loss < 100 else f"{row.loss:.1f}",
            f"{row.learning_rate:.1e}",
            *self._scores(row.raw),
            *self._scores(row.ema),
            f"{row.sentences_per_second:,.0f}",
            f"{row.seconds:.0f}" if row.seconds >= 100 else f"{row.seconds:.1f}",
            "*" if row.best else "",
        ]
        self._print(Text(self._line(cells), style="green" if row.best else ""))
        if row.note:
            self._print(Text(f"   {row.note}", style="yellow"))

    def _scores(self, scores: Mapping[str, Any] | None) -> list[str]:
        # Five characters each: .6283, and 1.000 rather than 1.0000.
        return [
            "–" if scores is None or key not in scores else f"{scores[key]:.4f}".removeprefix("0")[:_SCORE]
            for key in self._keys
        ]

    def _line(self, cells: list[str]) -> str:
        return " ".join(cell.rjust(width) for cell, (_, width) in zip(cells, self._columns, strict=True)).rstrip()


def _over(weights: str, headings: Sequence[str]) -> list[str]:
    first = f"{weights} {headings[0]}"
    return [first if len(first) <= _SCORE else f"{weights[0]} {headings[0]}", *headings[1:]]
