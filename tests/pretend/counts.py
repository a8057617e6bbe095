"""Counting what a host and its accelerator say to each other: copies, and waits of the host for the device."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import torch

import ietool

_OURS = str(Path(ietool.__file__).parent)
_THESE = str(Path(__file__).parent)
_TORCH = str(Path(torch.__file__).parent)

COPY_IN, COPY_OUT, WAIT = "copy in", "copy out", "wait"
"""Kinds of events: a tensor to the device, a tensor to the host, the host waiting for what the device computes.

A copy that is not ``non_blocking`` makes the host wait, too; it counts as a copy alone, with :attr:`Event.blocks`.
"""


class Event(NamedTuple):
    """One kind of event at one place.

    Attributes:
        kind: COPY_IN, COPY_OUT or WAIT.
        operator: of torch, as ``aten.nonzero``.
        place: file and line of the innermost frame within ietool; where there is none, of the innermost that is not
            torch's.
        blocks: whether the host waits.
    """

    kind: str
    operator: str
    place: str
    blocks: bool


class Told(NamedTuple):
    """How many events there were; ``blocking`` are those of the copies in for which the host waits."""

    copies_in: int = 0
    blocking: int = 0
    copies_out: int = 0
    waits: int = 0


@dataclass
class Counts:
    """Events since the beginning of :func:`counting`."""

    events: Counter[Event] = field(default_factory=Counter)

    def told(self) -> Told:
        """The numbers alone."""
        of = {kind: sum(n for e, n in self.events.items() if e.kind == kind) for kind in (COPY_IN, COPY_OUT, WAIT)}
        blocking = sum(n for e, n in self.events.items() if e.kind == COPY_IN and e.blocks)
        return Told(of[COPY_IN], blocking, of[COPY_OUT], of[WAIT])

    def places(self, *kinds: str) -> str:
        """A line for each event of some kinds, the most frequent first."""
        found = [(e, n) for e, n in self.events.most_common() if e.kind in kinds]
        return "\n".join(f"{n} × {e.kind} ({e.operator}) at {e.place}" for e, n in found)


_open: list[Counts] = []


@contextmanager
def counting() -> Iterator[Counts]:
    """Count what happens on the pretend device within, in whatever thread."""
    counts = Counts()
    _open.append(counts)
    try:
        yield counts
    finally:
        # By identity: counts of nothing are all equal.
        del _open[next(at for at, other in enumerate(_open) if other is counts)]


def happened(kind: str, operator: str, *, blocks: bool = True) -> None:
    """Told by the device."""
    if _open:
        event = Event(kind, operator, _place(), blocks)
        for counts in _open:
            counts.events[event] += 1


def _place() -> str:
    frame, first = sys._getframe(2), ""
    while frame is not None:
        file = frame.f_code.co_filename
        if file.startswith(_OURS):
            return f"ietool{file[len(_OURS) :]}:{frame.f_lineno}"
        if not first and not file.startswith((_THESE, _TORCH)):
            first = f"{'/'.join(Path(file).parts[-3:])}:{frame.f_lineno}"
        frame = frame.f_back  # type: ignore[assignment]
    return first or "the backward pass"
