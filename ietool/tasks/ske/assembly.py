"""From scored label spans to triples, with where they stand. No model here: ``prepare`` uses it too."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ietool.tasks.ske.data import VALUE, Triple, order_slots

Scored = tuple[int, int, int, int, int, float]
"""(subject start, end, label, object start, end, probability), half-open."""


@dataclass(frozen=True)
class Span:
    """A slice of the original text: ``text == source[start:end]``."""

    text: str
    start: int
    end: int


@dataclass(frozen=True)
class ExtractedTriple:
    """A triple with where it stands and how probable the model finds it (0 to 1).

    ``subject`` and ``slots`` are None and empty for a triple that a rule made from strings.
    """

    triple: Triple
    probability: float
    subject: Span | None = None
    slots: tuple[tuple[str, Span], ...] = ()


@dataclass(frozen=True)
class Extraction:
    """What was found in one text."""

    text: str
    triples: tuple[ExtractedTriple, ...]


def assemble(text: str, found: Iterable[Scored], labels: Sequence[tuple[str, str]]) -> list[ExtractedTriple]:
    """Scored label spans of one text as triples.

    Every (predicate, slot) is tagged on its own. A subject's ``@value`` of a predicate is an object; each other slot of
    that predicate joins the object it is nearest to (ties: the earlier object), and of several in one slot the nearest
    stays. A slot without a ``@value`` is dropped. Of occurrences with the same strings the most probable stays.
    """
    groups: dict[tuple[str, str], dict[str, list[Scored]]] = {}
    for row in found:
        predicate, slot = labels[row[2]]
        groups.setdefault((text[row[0] : row[1]], predicate), {}).setdefault(slot, []).append(row)
    best: dict[Triple, ExtractedTriple] = {}
    for (subject, predicate), slots in groups.items():
        objects = slots.pop(VALUE, [])
        extra: list[dict[str, tuple[int, Scored]]] = [{} for _ in objects]
        for slot, fillers in slots.items():
            for filler in fillers:
                if not objects:
                    break
                distance, at = min((_gap(filler, value), i) for i, value in enumerate(objects))
                kept = extra[at].get(slot)
                if kept is None or distance < kept[0]:
                    extra[at][slot] = (distance, filler)
        # Slots found at another occurrence of the same object string belong to it too.
        shared: dict[str, dict[str, tuple[int, Scored]]] = {}
        for value, own in zip(objects, extra, strict=True):
            merged = shared.setdefault(text[value[3] : value[4]], {})
            for slot, candidate in own.items():
                if slot not in merged or candidate[0] < merged[slot][0]:
                    merged[slot] = candidate
        for value in objects:
            parts = [(VALUE, value)] + [(s, row) for s, (_, row) in shared[text[value[3] : value[4]]].items()]
            spans = tuple((slot, Span(text[row[3] : row[4]], row[3], row[4])) for slot, row in parts)
            triple = Triple(subject, predicate, order_slots((slot, span.text) for slot, span in spans))
            old = best.get(triple)
            if old is None or value[5] > old.probability:
                best[triple] = ExtractedTriple(triple, value[5], Span(subject, value[0], value[1]), spans)
    return list(best.values())


def _gap(a: Scored, b: Scored) -> int:
    """Characters between two object spans; 0 where they touch or overlap."""
    return max(a[3] - b[4], b[3] - a[4], 0)
