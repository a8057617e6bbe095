"""Entities that several models have decided on, as those of one."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

from ietool.core.joining import picked, with_probability
from ietool.tasks.ner.data.forms.recognise import RECORDS
from ietool.tasks.ner.heads.decoder import FoundEntity, Recognised
from ietool.tasks.ner.heads.merging import without_overlaps


def joined(predictions: Sequence[Recognised], chosen: Mapping[Hashable, float]) -> Recognised:
    """As :meth:`ietool.core.contract.Task.joined` has it. Entities overlap only where those of one model do, and the
    text's form can say so."""
    first = predictions[0]
    found = [e for p in predictions for e in p.entities]
    kept: list[FoundEntity] = with_probability(picked(found, lambda e: (e.start, e.end, e.type), chosen))
    if first.example.form not in ("", *RECORDS) or not any(_overlap(p.entities) for p in predictions):
        numbered = [(e.start, e.end, n, e.probability) for n, e in enumerate(kept)]
        kept = [kept[n] for _, _, n, _ in without_overlaps(numbered)]
    return replace(first, entities=tuple(sorted(kept, key=lambda e: (e.start, e.end, e.type))))


def _overlap(entities: Sequence[FoundEntity]) -> bool:
    order = sorted((e.start, e.end) for e in entities)
    return any(start < end for (_, end), (start, _) in pairwise(order))
