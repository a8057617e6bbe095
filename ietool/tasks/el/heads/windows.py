"""What passes through a reader: windows of a text, the mentions in them, and what is said of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import torch

from ietool.core.candidates import Candidates, Parts
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


class GivenRows(NamedTuple):
    """A text and candidates that are to be scored."""

    example: Example
    found: Candidates


def size_of(window: LinkWindow) -> int:
    return window.end - window.start


def scored_parts(rows: np.ndarray, at: Sequence[Sequence[int]], said: Sequence[RankedMention], width: int) -> Parts:
    """(n, width): what is said of each of a window's ``rows`` (n, 5); ``at`` are those of each mention."""
    parts = np.zeros((len(rows), width), np.float32)
    for mine, one in zip(at, said, strict=True):
        shares = dict(zip(one.mention.candidates, one.shares.tolist(), strict=True))
        shares[none_row(one.nil_type)] = one.none
        parts[mine, :-1] = one.mention.parts
        parts[mine, -1] = [shares.get(entity, 0.0) for entity in rows[mine, 3].tolist()]
    return parts


def match_spans(features: Sequence[Features]) -> torch.Tensor:
    """(3, n) of window, first and last unit of all matches of a batch."""
    return columns([(i, a, b - 1) for i, f in enumerate(features) for a, b in f.spans.tolist()], 3)
