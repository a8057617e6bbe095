"""Events as labels: part by part looked at and changed, and written as gold."""

from __future__ import annotations

import json
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ietool.core.candidates import Candidates
from ietool.core.labelled import BOUNDARY, TYPE, Edits, edit_of, leave
from ietool.core.labelled import Labels as AnyLabels
from ietool.files.lines import OnBad, read_lines
from ietool.tasks.events.data.example import NOWHERE, TRIGGER, Argument, Event, Example, Part, parts_of
from ietool.tasks.events.data.forms import duee, fewfc
from ietool.tasks.events.data.forms.fields import Fields
from ietool.tasks.events.data.forms.recognise import FEWFC
from ietool.tasks.events.data.reading import parse_record
from ietool.tasks.events.features.featurizer import Labels
from ietool.tasks.events.heads.decoder import Extracted
from ietool.tasks.events.heads.joining import parts_found
from ietool.tasks.events.heads.rows import pair_rows, single_rows


class EventLabels(AnyLabels[Example, Part]):
    """Of either form. What is found is written in that of DuEE, which has a place for all that events hold."""

    item = "part of an event"

    @cached_property
    def labels(self) -> Labels:
        """The types and roles that there are."""
        return Labels.load(self.folder)

    def identity(self, record: Example) -> str:
        return record.text

    def gold(self, record: Example) -> Sequence[Part]:
        """Events without trigger have no place of their own; their arguments have."""
        every = (part for event in record.events for part in parts_of(event))
        return list(dict.fromkeys(part for part in every if part.first != NOWHERE))

    def found(self, prediction: Extracted) -> Sequence[tuple[Part, float]]:
        return [(one.part, one.probability) for one in parts_found(prediction)]

    def key(self, item: Part) -> Hashable:
        return item

    def row(self, item: Part) -> tuple[int, ...] | None:
        """The row that stands for a part: the trigger, or what ties it and an argument; None where the run does not
        know its type or role."""
        numbers = self.labels.numbers
        trigger, own = numbers.get((item.type, TRIGGER)), numbers.get((item.type, item.role))
        if trigger is None or own is None:
            return None
        span = np.array([[item.first, item.last, own]])
        if item.role == TRIGGER or item.start == NOWHERE:
            return tuple(single_rows(span)[0].tolist())
        return tuple(pair_rows(np.array([[item.start, item.end, trigger]]), span, self.labels.ties)[0].tolist())

    def rows(self, record: Example) -> Any:
        return [row for row in map(self.row, self.gold(record)) if row is not None]

    def scores(self, record: Example, found: Candidates, items: Sequence[Part]) -> Sequence[float]:
        best: dict[tuple[int, ...], float] = {}
        if items:
            probability = self.layout.probability(found.parts).tolist()
            for row, p in zip(map(tuple, found.rows.tolist()), probability, strict=True):
                best[row] = max(p, best.get(row, 0.0))
        mine = map(self.row, items)
        return [0.0 if own is None else best.get(own, 0.0) for own in mine]

    def differs(self, gold: Part, other: Part) -> str:
        if (gold.role == TRIGGER) != (other.role == TRIGGER):
            return ""
        one, two = (gold.first, gold.last), (other.first, other.last)
        same = gold.role == TRIGGER or (gold.type, gold.start, gold.end) == (other.type, other.start, other.end)
        if one == two:
            return TYPE if same else ""
        alike = (gold.type, gold.role) == (other.type, other.role)
        return BOUNDARY if same and alike and one[0] < two[1] and two[0] < one[1] else ""

    def along(self, record: Example, old: Part, new: Part | None) -> Sequence[Part]:
        """The arguments of an event whose trigger goes."""
        if old.role != TRIGGER or (new is not None and _moves(old, new)):
            return ()
        mine = ([*parts_of(event)][1:] for event in record.events if _same(event, old))
        return list(dict.fromkeys(part for parts in mine for part in parts))

    def plain(self, record: Example, item: Part) -> dict[str, Any]:
        text = record.text
        event: dict[str, Any] = {"event_type": item.type}
        if item.start != NOWHERE:  # some corpora annotate none, and some models need none
            event |= {"trigger": text[item.start : item.end], "trigger_start_index": item.start}
        if item.role == TRIGGER:
            return event
        name = text[item.first : item.last]
        return {**event, "role": item.role, "argument": name, "argument_start_index": item.first}

    def item_of(self, record: Example, plain: Mapping[str, Any]) -> Part:
        kind = plain.get("event_type")
        if not isinstance(kind, str) or not kind.strip():
            raise ValueError("event_type: is missing or no string")
        start, end = NOWHERE, NOWHERE
        if "role" not in plain or plain.get("trigger") not in (None, ""):
            start, end = _place(record.text, plain, "trigger", "trigger_start_index")
        if "role" not in plain:
            return Part(kind, start, end, TRIGGER, start, end)
        role = plain["role"]
        if not isinstance(role, str) or not role.strip():
            raise ValueError("role: is no string, or empty")
        return Part(kind, start, end, role, *_place(record.text, plain, "argument", "argument_start_index"))

    def places(self, record: Example, item: Part) -> Sequence[tuple[int, int]]:
        spans = [(item.start, item.end), (item.first, item.last)]
        return list(dict.fromkeys(span for span in spans if span[0] != NOWHERE))

    def written(self, record: Example, items: Sequence[Part]) -> str:
        return self._written(record, [event for event, _ in _events((), items, ())])

    def written_found(self, record: Example, prediction: Extracted) -> str:
        """Events of one type and trigger stay apart."""
        return self._written(record, prediction.plain)

    def _written(self, record: Example, events: Sequence[Event]) -> str:
        line: dict[str, Any] = {"text": record.text} if record.id is None else {"text": record.text, "id": record.id}
        return json.dumps({**line, duee.EVENTS: duee.gold_list(record.text, events)}, ensure_ascii=False) + "\n"

    def edited(self, source: Path, edits: Mapping[str, Edits[Part]], on_bad: OnBad = leave) -> Iterator[str]:
        """Line by line; what a changed record has besides its events is kept."""
        for file, number, line in read_lines(source, on_bad):
            yield self._record(line, file, number, edits) + "\n"

    def _record(self, line: str, file: str, number: int, edits: Mapping[str, Edits[Part]]) -> str:
        found = edit_of(lambda: parse_record(line, file, number), edits)
        if found is None:
            return line
        example, edit = found
        form, told = (fewfc, fewfc.answer_list) if example.form == FEWFC else (duee, duee.gold_list)
        record, fields = json.loads(line), Fields(file, number)
        own: dict[Event, dict[str, Any]] = {}  # as they stand in the file, with what else they have
        for raw in record[form.EVENTS]:
            (event,) = form.read_events({form.EVENTS: [raw]}, example.text, fields)
            own.setdefault(event, raw)
        events = [
            {**({} if of is None else own.get(of, {})), **told(example.text, [event])[0]}
            for event, of in _events(example.events, edit.added, edit.without, edit.moved)
        ]
        return json.dumps({**record, form.EVENTS: events}, ensure_ascii=False)

    def doubt(self, found: Candidates) -> float:
        """Of spans alone: what ties them is in doubt where they are."""
        alone = (found.rows[:, :2] == found.rows[:, 2:4]).all(1)
        probability = self.layout.probability(found.parts[alone])
        return float(np.minimum(probability, 1 - probability).sum())


def _place(text: str, plain: Mapping[str, Any], name: str, start: str) -> tuple[int, int]:
    word, at = plain.get(name), plain.get(start)
    if not isinstance(word, str) or not word:
        raise ValueError(f"{name}: is missing or no string")
    if type(at) is not int or at < 0 or text[at : at + len(word)] != word:
        raise ValueError(f"{start}: at {at!r} the text does not have {word!r}")
    return at, at + len(word)


def _events(
    events: Sequence[Event], added: Sequence[Part], without: Sequence[Part], moved: Sequence[tuple[Part, Part]] = ()
) -> list[tuple[Event, Event | None]]:
    """Events without some parts and with others, each with the one that it was. A trigger that goes takes its arguments
    along, one that is moved keeps them; an argument joins the events of its type and trigger, and is left out where
    there is none, unless it needs none: then it makes one without."""
    gone = set(without)
    to = {old: new for old, new in moved if _moves(old, new)}
    kept: list[tuple[Event, list[Argument], Event | None]] = []
    added = [_with_trigger(part, to) for part in added]
    for event in events:
        own, *others = parts_of(event)
        left = [argument for argument, part in zip(event.arguments, others, strict=True) if part not in gone]
        if own not in gone:
            kept.append((event, left, event))
        elif own in to and any(_same(other, to[own]) for other in events):
            added += [_with_trigger(part, to) for part in others if part not in gone]
        elif own in to:
            kept.append((Event(own.type, to[own].start, to[own].end), left, event))
    for part in sorted(added):
        alone = part.role == TRIGGER or part.start == NOWHERE
        if alone and not any(_same(event, part) for event, _, _ in kept):
            kept.append((Event(part.type, part.start, part.end), [], None))
    for part in added:
        for event, arguments, _ in kept:
            known = {(a.start, a.end, a.role) for a in arguments}
            if part.role != TRIGGER and _same(event, part) and (part.first, part.last, part.role) not in known:
                arguments.append(Argument(part.first, part.last, part.role))
    return [(replace(event, arguments=tuple(sorted(arguments))), of) for event, arguments, of in kept]


def _moves(old: Part, new: Part) -> bool:
    """Whether an event is the same with another trigger: its arguments stay."""
    return old.role == new.role == TRIGGER and old.type == new.type


def _with_trigger(part: Part, to: Mapping[Part, Part]) -> Part:
    """An argument with the trigger that its event has now."""
    new = None if part.role == TRIGGER else to.get(Part(part.type, part.start, part.end, TRIGGER, part.start, part.end))
    return part if new is None else Part(part.type, new.start, new.end, part.role, part.first, part.last)


def _same(event: Event, part: Part) -> bool:
    return (event.type, event.start, event.end) == (part.type, part.start, part.end)
