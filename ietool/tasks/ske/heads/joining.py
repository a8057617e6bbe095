"""Triples that several models have decided on, as those of one."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace

from ietool.core.joining import picked, with_probability
from ietool.tasks.ske.heads.assembly import Extraction


def joined(predictions: Sequence[Extraction], chosen: Mapping[Hashable, float]) -> Extraction:
    """As :meth:`ietool.core.contract.Task.joined` has it; triples do not disturb each other."""
    found = [t for p in predictions for t in p.triples]
    return replace(predictions[0], triples=tuple(with_probability(picked(found, lambda t: t.triple, chosen))))
