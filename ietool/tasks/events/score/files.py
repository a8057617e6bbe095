"""Reading what is scored: gold and submission files, of either form.

Apart from ``data/`` because a submission has no places and no gold text, and what training may not read is merely wrong
here.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ietool.errors import UserError
from ietool.files.lines import parse_json, read_lines
from ietool.files.plain_json import json_kind
from ietool.scoring.coverage import check_shared
from ietool.scoring.occurrences import numbered, numbered_as
from ietool.scoring.report import coverage_notes
from ietool.tasks.events.data.forms.duee import aliases_of
from ietool.tasks.events.data.forms.fewfc import TRIGGER_ROLE
from ietool.tasks.events.data.forms.fields import Fields
from ietool.tasks.events.data.forms.recognise import FEWFC, form_of
from ietool.tasks.events.score.judge import Slot, Told, add_argument

FORMAT = 'write {"id": …, "event_list": [{"event_type": …, "arguments": [{"role": …, "argument": …}]}]} a line'


@dataclass
class Scored:
    """A file to be scored: (id, text, what it says) of each record; id and text None where they are missing."""

    path: str
    told: list[tuple[str | None, str | None, Told]] = field(default_factory=list)

    def paired(self, given: Scored) -> tuple[list[Hashable], list[tuple[Told, Told | None]], list[str]]:
        """Keys of this file's texts, each text with its prediction (None without one), and remarks.

        By ``id`` where all records of both have one, else by text; of what stands several times the first of gold goes
        with the first prediction. Where predictions have an id more often than gold, the last ones count.

        Raises:
            UserError: the files cannot be held against one another.
        """
        by_id = all(record[0] is not None for record in (*self.told, *given.told))
        if not by_id and any(record[1] is None for record in (*self.told, *given.told)):
            without = next(one for one in (self, given) if any(record[1] is None for record in one.told))
            raise UserError("has records without a text, and ids are not in both files", file=without.path, mend=FORMAT)
        names, given_names = self._names(by_id), given._names(by_id)
        mine = numbered(names)
        others = numbered_as(names, given_names) if by_id else numbered(given_names)
        notes = []
        found = {key: told for key, (_, _, told) in zip(others, given.told, strict=True) if key[1] >= 0}
        if repeated := len(others) - len(found):
            notes.append(f"predictions: {repeated:,} lines have an id that stands again further down; the last wins")
        check_shared(len(set(mine)), len(found), len(found.keys() & set(mine)), file=given.path)
        notes += coverage_notes(set(mine), set(found))
        # With the text, by which near-duplicates are told.
        keys: list[Hashable] = [(n, told.text or str(key[0])) for n, (key, (_, _, told)) in
                                enumerate(zip(mine, self.told, strict=True))]  # fmt: skip
        pairs = [(told, found.get(key)) for key, (_, _, told) in zip(mine, self.told, strict=True)]
        return keys, pairs, notes

    def _names(self, by_id: bool) -> list[str | None]:
        return [identity if by_id else text for identity, text, _ in self.told]


def read_for_scoring(path: str | Path) -> Scored:
    """Read gold or predictions, plain, gzip or zip (every member).

    Raises:
        UserError: naming file, line and field of what is not of the form.
    """
    scored = Scored(str(path))
    for file, number, line in read_lines(path):
        record = parse_json(line, file, number)
        scored.told.append(read_answer(record, Fields(file, number)))
    return scored


def read_answer(record: dict[str, Any], fields: Fields) -> tuple[str | None, str | None, Told]:
    """(id, text, what it says) of a record.

    Raises:
        UserError: it is not of the form.
    """
    form = form_of(record)
    key = "content" if form == FEWFC else "text"
    text, identity = record.get(key), fields.identity(record)
    if text is None and identity is None:
        null = next((name for name in (key, "id") if name in record), None)
        raise fields.fail(null or "id", "is null" if null else "is missing, and so is the text", FORMAT)
    if text is not None and not isinstance(text, str):
        raise fields.fail(key, f"is {json_kind(text)}, a string is needed", FORMAT)
    arguments: dict[Slot, dict[str, tuple[str, ...]]] = {}
    triggers = set()
    read = _fewfc if form == FEWFC else _duee
    for slot, name, aliases in read(record, fields):
        if slot[1]:
            add_argument(arguments, slot, name, aliases)
        else:
            triggers.add((slot[0], name))
    identity = None if identity is None else str(identity)
    return identity, text, Told(text if text is not None else str(identity), arguments, frozenset(triggers))


_Read = list[tuple[Slot, str, tuple[str, ...]]]
"""(type, role), string and aliases of arguments; of triggers the role is empty."""


def _duee(record: dict[str, Any], fields: Fields) -> _Read:
    found: _Read = []
    for index, event in enumerate(fields.items(record, "event_list", "")):
        at = f"event_list[{index}]."
        kind = fields.name(event, "event_type", at)
        trigger = event.get("trigger")
        if trigger is not None and not isinstance(trigger, str):
            raise fields.fail(f"{at}trigger", f"is {json_kind(trigger)}, a string is needed", FORMAT)
        if trigger:
            found.append(((kind, ""), trigger, ()))
        for number, argument in enumerate(fields.items(event, "arguments", at)):
            inner = f"{at}arguments[{number}]."
            role = fields.name(argument, "role", inner)
            found.append(
                ((kind, role), _string(argument, "argument", inner, fields), aliases_of(argument, inner, fields))
            )
    return found


def _fewfc(record: dict[str, Any], fields: Fields) -> _Read:
    found: _Read = []
    for index, event in enumerate(fields.items(record, "events", "")):
        at = f"events[{index}]."
        kind = fields.name(event, "type", at)
        for number, mention in enumerate(fields.items(event, "mentions", at)):
            inner = f"{at}mentions[{number}]."
            role = fields.name(mention, "role", inner)
            word = _string(mention, "word", inner, fields)
            found.append(((kind, "" if role == TRIGGER_ROLE else role), word, ()))
    return found


def _string(record: dict[str, Any], key: str, at: str, fields: Fields) -> str:
    """A string, which may be empty: then it is merely wrong."""
    value = record.get(key)
    if not isinstance(value, str):
        what = f"is {json_kind(value)}, a string is needed" if key in record else "is missing"
        raise fields.fail(at + key, what, FORMAT)
    return value
