"""Which types of events there are, and which roles each has: a file of the organisers, or what train has."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ietool.errors import UserError
from ietool.files.lines import parse_json, read_lines
from ietool.tasks.events.data.example import Event
from ietool.tasks.events.data.forms.fields import Fields

_COPY = "copy the line from the published schema"


@dataclass(frozen=True)
class Schema:
    """Type of event → its roles, in the published order; ``source`` is the file, for messages."""

    roles: Mapping[str, tuple[str, ...]]
    source: str = ""

    def fault(self, kind: str, role: str = "") -> str:
        """What is wrong with a type, or with a role of it; empty where nothing is."""
        known = self.roles.get(kind)
        if known is None:
            near = difflib.get_close_matches(kind, self.roles, 1, 0.5)
            hint = f" (the nearest it has is {near[0]!r})" if near else ""
            return f"{kind!r} is no type of {self.source}{hint}"
        if role and role not in known:
            return f"{role!r} is no role of {kind!r} in {self.source} (which has {', '.join(known)})"
        return ""

    def check(self, events: Iterable[Event], file: str, line: int) -> None:
        """Raise UserError for the first type or role of some events that the schema does not have."""
        mend = "bring the schema that belongs to the data (--schema), mend the record, or leave it out with --skip-bad"
        for event in events:
            for role in ("", *(a.role for a in event.arguments)):
                if what := self.fault(event.type, role):
                    raise UserError(what, file=file, line=line, field="role" if role else "event_type", mend=mend)


def read_schema(path: str | Path) -> Schema:
    """A schema as DuEE's organisers publish it: ``{"event_type": …, "role_list": [{"role": …}]}`` a line, plain or
    packed. A type that stands again adds its roles.

    Raises:
        UserError: naming file, line and field of what cannot be read, or the file where it holds no type.
    """
    roles: dict[str, dict[str, None]] = {}
    for file, number, line in read_lines(path):
        record, fields = parse_json(line, file, number), Fields(file, number)
        try:
            kind = fields.name(record, "event_type", "")
            own = roles.setdefault(kind, {})
            for index, role in enumerate(fields.items(record, "role_list", "")):
                own[fields.name(role, "role", f"role_list[{index}].")] = None
        except UserError as error:
            raise UserError(error.message, file=file, line=number, field=error.field, mend=_COPY) from None
    if not roles:
        raise UserError("holds no type of event", file=path, mend="bring the published schema, or leave --schema out")
    return Schema({kind: tuple(own) for kind, own in roles.items()}, str(path))


class SchemaBuilder:
    """Collects the types and roles of events, in the order of first sight."""

    def __init__(self, known: Schema | None = None) -> None:
        self._roles: dict[str, dict[str, None]] = {}
        for kind, roles in (known.roles if known is not None else {}).items():
            self._roles[kind] = dict.fromkeys(roles)

    def add(self, events: Iterable[Event]) -> None:
        """The types and roles of some events."""
        for event in events:
            own = self._roles.setdefault(event.type, {})
            own.update(dict.fromkeys(a.role for a in event.arguments))

    def build(self, source: str = "train") -> Schema:
        """The schema of all that was added."""
        return Schema({kind: tuple(roles) for kind, roles in self._roles.items()}, source)
