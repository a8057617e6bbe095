"""What passes through a reader: windows of a text, the mentions in them, and what is said of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
import torch

from ietool.core.candidates import Candidates, Layout, capped
from ietool.tasks.el.data.example import Example
from ietool.tasks.el.features.featurizer import Features
from ietool.tasks.el.heads.decoder import none_row
from ietool.training.batches import columns


@dataclass(frozen=True)
class LinkWindow:
    """A window ``[start, end)`` of a text; where candidates are to be scored, the ``rows`` (n, 5) of those that are
    scored here, and their numbers, ``at`` (n,)."""

    example: Example
    start: int
    end: int
    rows: np.ndarray = field(default_factory=lambda: np.zeros((0, 5), np.int32))
    at: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))

    @property
    def text(self) -> str:
        return self.example.text[self.start : self.end]


class FoundMention(NamedTuple):
    """A mention ``[start, end)`` in a window, the number of its name, its parts, and the rows of its candidates."""

    start: int
    end: int
    number: int
    parts: Sequence[float]
    candidates: Sequence[int]


class RankedMention(NamedTuple):
    """What is said of a mention: its parts, and the share of each candidate and of none, which is a NIL of a type."""

    mention: FoundMention
    shares: np.ndarray
    none: float
    nil_type: int


def size_of(window: LinkWindow) -> int:
    return window.end - window.start


def match_spans(features: Sequence[Features]) -> torch.Tensor:
    """(3, n) of window, first and last unit of all matches of a batch."""
    return columns([(i, a, b - 1) for i, f in enumerate(features) for a, b in f.spans.tolist()], 3)


def match_inputs(features: Sequence[Features]) -> dict[str, torch.Tensor]:
    """What is known of all n matches of a batch: ``matches`` (3, n), ``signals`` (n, SIGNALS) and ``names`` (n, 2)."""
    return {
        "matches": match_spans(features),
        "signals": torch.from_numpy(np.concatenate([f.signals for f in features])),
        "names": torch.from_numpy(np.concatenate([f.names for f in features])).long(),
    }


def rows_of(layout: Layout, start: int, linked: Sequence[RankedMention], left_out: int) -> Candidates:
    """What is said of the mentions of the window that begins at ``start``, as candidates of its text."""
    rows: list[tuple[int, int, int, int, int]] = []
    parts: list[tuple[float, ...]] = []
    for one in linked:
        m = one.mention
        entities = [*m.candidates, none_row(one.nil_type)]
        rows += [(m.start + start, m.end + start, m.number, entity, start) for entity in entities]
        parts += [(*m.parts, share) for share in (*one.shares.tolist(), one.none)]
    return Candidates(
        np.array(rows, np.int32).reshape(-1, len(layout.rows)),
        np.array(parts, np.float32).reshape(-1, len(layout.parts)),
        np.zeros(0, np.float32),
        left_out,
    )


def joined(layout: Layout, found: Sequence[Candidates], most: int) -> Candidates:
    """The candidates of a text from those of its windows, ``most`` at most."""
    if not found:
        return Candidates.none(layout)
    every = found[0]
    if len(found) > 1:
        every = replace(
            every,
            rows=np.concatenate([one.rows for one in found]),
            parts=np.concatenate([one.parts for one in found]),
            capped=sum(one.capped for one in found),
        )
    return capped(layout, every, most)
