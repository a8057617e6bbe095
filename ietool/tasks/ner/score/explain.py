"""Why an entity was right, spurious or missed, in words."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterator
from typing import Any

from ietool.scoring.report import Outcome
from ietool.tasks.ner.data.example import Entity


def explain_text(
    key: Hashable, text: str, gold: Collection[Entity], found: Collection[Entity], metric: str, *, answered: bool
) -> Iterator[Outcome]:
    """The verdicts on one text: its predictions by place, then the gold entities that none hits.

    ``right``, ``spurious`` and ``missed`` add up to the scores, but under ``cluener``, where a name counts once however
    often it stands.
    """
    names = metric == "cluener"

    def same(one: Entity, other: Entity) -> bool:
        if names:
            return one.type == other.type and text[one.start : one.end] == text[other.start : other.end]
        return one == other

    def outcome(entity: Entity, verdict: str, why: str) -> Outcome:
        spans = [(entity.type, entity.start, entity.end)]
        return Outcome(key, text, verdict, why, _item(entity, text), spans=spans)

    for entity in sorted(set(found)):
        if any(same(entity, other) for other in gold):
            yield outcome(entity, "right", "the name stands in gold" if names else "exact")
        else:
            yield outcome(entity, "spurious", "not in gold: " + _nearest(entity, gold, text, "gold"))
    for entity in sorted(set(gold)):
        if not any(same(entity, other) for other in found):
            why = _nearest(entity, found, text, "the prediction") if answered else "the text has no prediction"
            yield outcome(entity, "missed", "missed: " + why)


def _item(entity: Entity, text: str) -> dict[str, Any]:
    return {
        "entity": text[entity.start : entity.end],
        "type": entity.type,
        "start": entity.start,
        "end": entity.end,
    }


def _nearest(entity: Entity, others: Collection[Entity], text: str, side: str) -> str:
    """How an entity differs from what stands nearest among the ``others``, which are those of ``side``."""
    touching = [o for o in others if o.start < entity.end and entity.start < o.end]
    if not touching:
        return f"nothing there in {side}"

    def shared(other: Entity) -> int:
        return min(entity.end, other.end) - max(entity.start, other.start)

    best = max(
        touching, key=lambda o: (o.start == entity.start and o.end == entity.end, shared(o), o.type == entity.type)
    )
    name = text[best.start : best.end]
    if (best.start, best.end) == (entity.start, entity.end):
        return f"type differs: {side} has {best.type}"
    what = "boundary differs" if best.type == entity.type else "boundary and type differ"
    return f"{what}: {side} has {name} ({best.type})"
