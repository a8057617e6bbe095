"""How a long step tells how far it is."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[str, int, int | None], None]
"""``progress(step, done, total)``: told now and then how far a step is; total None where unknown. ``cli`` draws it."""


def no_progress(step: str, done: int, total: int | None) -> None:
    """The progress callback of those who want none."""
