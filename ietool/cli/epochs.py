"""The growing table of ``ietool train``: a row an epoch, columns of fixed width."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.text import Text

    from ietool.training.trainer import EpochRow

# (heading, width); 79 columns in all.
_COLUMNS = (
    ("st", 2), ("epoch", 5), ("loss", 7), ("rate", 7),
    ("raw P", 5), ("R", 5), ("F1", 5),
    ("ema P", 5), ("R", 5), ("F1", 5),
    ("sent/s", 6), ("sec", 5), ("", 1),
)  # fmt: skip


class EpochTable:
    """Call it with each epoch's row; it prints the heading once, then the rows.

    Args:
        print_: prints one line (a Rich Text without line end).
    """

    def __init__(self, print_: Callable[[Text], None]) -> None:
        self._print = print_
        self._headed = False

    def __call__(self, row: EpochRow) -> None:
        from rich.text import Text

        if not self._headed:
            self._headed = True
            self._print(Text(_line([name for name, _ in _COLUMNS]), style="bold"))
        cells = [
            str(row.stage),
            str(row.epoch),
            f"{row.loss:.4f}" if row.loss < 100 else f"{row.loss:.1f}",
            f"{row.learning_rate:.1e}",
            *_scores(row.raw),
            *_scores(row.ema),
            f"{row.sentences_per_second:,.0f}",
            f"{row.seconds:.0f}" if row.seconds >= 100 else f"{row.seconds:.1f}",
            "*" if row.best else "",
        ]
        self._print(Text(_line(cells), style="green" if row.best else ""))
        if row.note:
            self._print(Text(f"   {row.note}", style="yellow"))


def _scores(scores: Mapping[str, Any] | None) -> list[str]:
    if scores is None:
        return ["–"] * 3
    # Five characters each: .6283, and 1.000 rather than 1.0000.
    return [f"{scores[key]:.4f}".removeprefix("0")[:5] for key in ("precision", "recall", "f1")]


def _line(cells: list[str]) -> str:
    return " ".join(cell.rjust(width) for cell, (_, width) in zip(cells, _COLUMNS, strict=True)).rstrip()
