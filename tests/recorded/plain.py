"""Predictions as plain values, and comparing these. What is renamed in a prediction is to be changed here alone."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from typing import Any

RELATIVE, ABSOLUTE = 1e-4, 1e-5
"""How far numbers may differ: nothing on the machine that recorded them, roundings elsewhere."""

INTERVAL = re.compile(r"/interval\[\d\]|/(low|high)|/from|/to \(95 %\)$")
"""Ends of bootstrap intervals."""

CANDIDATES = 4
"""Of the many answers to a question so many are written down; of the others their number and what they add up to."""


def _triples(p: Any) -> list[Any]:
    return [
        [
            t.triple.subject,
            t.triple.predicate,
            [list(slot) for slot in t.triple.object],
            t.probability,
            [t.subject.start, t.subject.end] if t.subject else None,
            [[slot, span.start, span.end] for slot, span in t.slots],
        ]
        for t in p.triples
    ]


def _linking(p: Any) -> list[Any]:
    mentions = [
        [m.mention, m.start, m.end, m.kb_id, m.probability, [[c.kb_id, c.probability] for c in m.candidates]]
        for m in p.mentions
    ]
    return [p.text_id, mentions]


def _answered(p: Any) -> list[Any]:
    best = [[c.answer, c.score, c.probability, c.passage, c.start, c.end] for c in p.candidates[:CANDIDATES]]
    every = [len(p.candidates), sum(c.score for c in p.candidates), sum(c.probability for c in p.candidates)]
    return [p.question_id, p.answer, p.form, p.kind, p.label, p.nbest, best, every]


def _recognised(p: Any) -> list[Any]:
    return [p.example.id, [[e.text, e.start, e.end, e.type, e.probability] for e in p.entities]]


def _subject(p: Any) -> list[Any]:
    found = p.subject
    return [p.example.id, None if found is None else [found.text, found.start, found.end, found.probability]]


def _events(p: Any) -> list[Any]:
    told = []
    for event in p.events:
        trigger = (
            None if event.trigger is None else [event.trigger.text, event.trigger.start, event.trigger.probability]
        )
        arguments = [[a.text, a.start, a.end, a.role, a.probability] for a in event.arguments]
        told.append([event.type, trigger, arguments, event.probability])
    return [p.example.id, told]


def _asked(p: Any) -> list[Any]:
    return [p.chosen, p.passed, [[one.query.plain, one.probability] for one in p.queries]]


PLAIN: dict[str, Callable[[Any], list[Any]]] = {
    "ske": _triples,
    "el": _linking,
    "qa": _answered,
    "ner": _recognised,
    "event_subject": _subject,
    "events": _events,
    "nl2sql": _asked,
}
"""Task → one of its predictions as lists."""


def rounded(value: Any) -> Any:
    """Numbers with so many digits as are compared, and some more."""
    if isinstance(value, float):
        return float(f"{value:.7g}") if math.isfinite(value) else str(value)
    if isinstance(value, dict):
        return {key: rounded(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(part) for part in value]
    return value


def differences(recorded: Any, found: Any, at: str = "") -> Iterator[str]:
    """A line for each place where two values are not the same, numbers with a fraction not nearly."""
    if isinstance(recorded, float) and isinstance(found, float):
        if not math.isclose(recorded, found, rel_tol=RELATIVE, abs_tol=ABSOLUTE):
            yield f"{at}: {found!r} was {recorded!r}"
    elif isinstance(recorded, dict) and isinstance(found, dict):
        for key in [*recorded, *(key for key in found if key not in recorded)]:
            if key not in found or key not in recorded:
                yield f"{at}/{key}: {'is gone' if key in recorded else 'is new'}"
            else:
                yield from differences(recorded[key], found[key], f"{at}/{key}")
    elif isinstance(recorded, list) and isinstance(found, list):
        if len(recorded) != len(found):
            yield f"{at}: has {len(found)} entries, had {len(recorded)}: {str(found)[:200]} was {str(recorded)[:200]}"
        else:
            for index, (old, new) in enumerate(zip(recorded, found, strict=True)):
                yield from differences(old, new, f"{at}[{index}]")
    elif type(recorded) is not type(found) or recorded != found:
        yield f"{at}: {str(found)[:300]!r} was {str(recorded)[:300]!r}"
