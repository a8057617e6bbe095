"""Why an entity was right, spurious or missed, in words."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterator, Mapping, Sequence

from ietool.scoring.report import Outcome
from ietool.tasks.ner.data.example import Entity

Names = Mapping[Entity, Sequence[str]]
"""Under which strings a file has its entities: several where they name one place, as no sound file does."""


def names_of(entity: Entity, text: str, names: Names) -> Sequence[str]:
    """The strings of an entity: those of the file, else what stands at its place."""
    return names.get(entity) or (text[entity.start : entity.end],)


def explain_text(
    key: Hashable, text: str, gold: Collection[Entity], found: Collection[Entity], metric: str, *,
    names: tuple[Names, Names] = ({}, {}), answered: bool,
) -> Iterator[Outcome]:  # fmt: skip
    """The verdicts on one text: its predictions by place, then the gold entities that none hits.

    ``right``, ``spurious`` and ``missed`` add up to the scores, but under ``cluener``, where a name counts once however
    often it stands.

    Args:
        names: of gold and of what was found; they count under ``cluener`` alone.
    """
    by_name = metric == "cluener"
    own, theirs = names if by_name else ({}, {})
    gold, found = sorted(set(gold)), sorted(set(found))  # of entities that are equally near the first is told
    in_gold, in_found = set(gold), set(found)
    wanted = {(name, e.type) for e in gold for name in names_of(e, text, own)}
    given = {(name, e.type) for e in found for name in names_of(e, text, theirs)}

    def outcome(entity: Entity, name: str, verdict: str, why: str) -> Outcome:
        spans = [(entity.type, entity.start, entity.end)]
        item = {"entity": name, "type": entity.type, "start": entity.start, "end": entity.end}
        return Outcome(key, text, verdict, why, item, spans=spans)

    for entity in found:
        for name in names_of(entity, text, theirs):
            if (name, entity.type) in wanted if by_name else entity in in_gold:
                yield outcome(entity, name, "right", "the name stands in gold" if by_name else "exact")
            else:
                yield outcome(entity, name, "spurious", "not in gold: " + _nearest(entity, gold, text, "gold"))
    for entity in gold:
        for name in names_of(entity, text, own):
            if (name, entity.type) not in given if by_name else entity not in in_found:
                why = _nearest(entity, found, text, "the prediction") if answered else "the text has no prediction"
                yield outcome(entity, name, "missed", "missed: " + why)


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
