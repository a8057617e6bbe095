"""A curve in characters: for terminals, and for files that a terminal's output goes to."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

HEIGHT, WIDTH = 10, 60


def plot(points: Sequence[tuple[float, float]], mark: float | None = None, *, x: str = "", y: str = "") -> list[str]:
    """The lines of a plot of some points, which are joined; the place of ``mark`` on the axis is shown by ``^``.

    Args:
        points: (x, y), in the order of x.
        x, y: names of the axes.
    """
    if not points:
        return []
    xs, ys = zip(*points, strict=True)
    low, high = min(ys), max(ys)
    left, right = float(xs[0]), float(xs[-1])
    span = right - left or 1.0

    def column(value: float) -> int:
        return round((value - left) / span * (WIDTH - 1))

    def row(value: float) -> int:
        return round((value - low) / (high - low) * (HEIGHT - 1)) if high > low else 0

    drawn = [[" "] * WIDTH for _ in range(HEIGHT)]
    for (x0, y0), (x1, y1) in pairwise(points):
        for at in range(column(x0), column(x1)):
            share = (at - column(x0)) / max(1, column(x1) - column(x0))
            drawn[row(y0 + share * (y1 - y0))][at] = "·"
    for value, height in points:
        drawn[row(height)][column(value)] = "o"
    labels = {HEIGHT - 1: f"{high:.4f}", 0: f"{low:.4f}"}
    lines = [f"{y} over {x}"] if x or y else []
    lines += [f"{labels.get(n, ''):>7} |{''.join(drawn[n])}".rstrip() for n in reversed(range(HEIGHT))]
    axis = ["-"] * WIDTH
    if mark is not None and left <= mark <= right:
        axis[column(mark)] = "^"
    ends = f"{left:g}{f'{right:g}':>{WIDTH - len(f'{left:g}')}}"
    return [*lines, f"{'':>7} +{''.join(axis)}", f"{'':>9}{ends}"]
