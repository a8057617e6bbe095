"""Events that several models have decided on, as those of one."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from ietool.core.joining import picked
from ietool.tasks.events.data.example import NOWHERE, TRIGGER, Part
from ietool.tasks.events.heads.decoder import Extracted, FoundArgument, FoundEvent, event_key


@dataclass(frozen=True)
class FoundPart:
    """A part of a predicted event, with its probability."""

    part: Part
    probability: float


def parts_found(prediction: Extracted) -> Iterator[FoundPart]:
    """The events of a prediction, and their arguments. An event without trigger has no part of its own."""
    for event in prediction.events:
        start, end = (NOWHERE, NOWHERE) if event.trigger is None else (event.trigger.start, event.trigger.end)
        if event.trigger is not None:
            yield FoundPart(Part(event.type, start, end, TRIGGER, start, end), event.trigger.probability)
        for a in event.arguments:
            yield FoundPart(Part(event.type, start, end, a.role, a.start, a.end), a.probability)


def joined(predictions: Sequence[Extracted], chosen: Mapping[Hashable, float]) -> Extracted:
    """As :meth:`ietool.core.contract.Task.joined` has it. Parts that name one type and trigger are one event; arguments
    whose trigger is not chosen are left out."""
    first = predictions[0]
    found = [one for prediction in predictions for one in parts_found(prediction)]
    events: dict[tuple[str, int, int], list[tuple[Part, float]]] = {}
    for one, probability in picked(found, lambda one: one.part, chosen):
        events.setdefault((one.part.type, one.part.start, one.part.end), []).append((one.part, probability))
    made = []
    for (kind, start, _), parts in events.items():
        spans = [
            FoundArgument(first.example.text[p.first : p.last], p.first, p.last, p.role, probability)
            for p, probability in sorted(parts)
        ]
        trigger = next((span for span in spans if span.role == TRIGGER), None)
        if trigger is None and start != NOWHERE:
            continue
        arguments = sorted((s for s in spans if s.role != TRIGGER), key=lambda a: (a.start, a.end, a.role))
        probability = trigger.probability if trigger else max(a.probability for a in arguments)
        made.append(FoundEvent(kind, trigger, tuple(arguments), probability))
    return replace(first, events=tuple(sorted(made, key=lambda e: (e.type, event_key(e)))))
