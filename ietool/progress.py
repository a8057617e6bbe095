"""How a long step tells how far it is."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[str, int, int | None], None]
"""``progress(step, done, total)``: told now and then how far a step is; total None where unknown. ``cli`` draws it."""


TRAINING = "training"
"""The step that goes through all epochs of all stages: how long a training takes yet."""


def no_progress(step: str, done: int, total: int | None) -> None:
    """The progress callback of those who want none."""
