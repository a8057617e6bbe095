"""Records of a knowledge base (kb_data of CCKS 2019 and 2020): what an entity is, reading and validating them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from ietool.errors import UserError
from ietool.files.lines import SKIP, Line, OnBad, parse_json
from ietool.files.plain_json import json_kind
from ietool.files.records import read_records
from ietool.tasks.el.data.example import NIL


@dataclass(frozen=True, slots=True)
class Entity:
    """One entity. ``facts``: (predicate, object) in the order of the file, whole; names and objects as they are."""

    kb_id: str
    subject: str
    aliases: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()

    def names(self) -> list[str]:
        """Subject and aliases, once each."""
        return list(dict.fromkeys((self.subject, *self.aliases)))


class EntityReader:
    """Streams the entities of a file, and counts what it leaves out of them.

    Attributes:
        empty_aliases, empty_objects: how many blank strings were dropped.
        line: the line read last.
    """

    def __init__(self) -> None:
        self.empty_aliases = 0
        self.empty_objects = 0
        self.line = 0
        self._places: dict[str, tuple[str, int]] = {}
        self._digest = hashlib.blake2b(digest_size=16)

    @property
    def fingerprint(self) -> str:
        """Stands for the records read so far: the same for a packed file, another one if a character differs."""
        return self._digest.hexdigest()

    def read(self, lines: Iterable[Line], on_bad: OnBad | None = None) -> Iterator[Entity]:
        """The entities of some lines, one JSON object each; no two have an id in common.

        Args:
            lines: (file, 1-based number, text) as :func:`ietool.files.lines.read_lines` gives them.
            on_bad: told of bad records, which are then skipped; without it the first one raises.

        Raises:
            UserError: naming file, line and field; with ``on_bad`` only when no record at all is usable.
        """
        return read_records(lines, self._parse, on_bad)

    def _parse(self, line: str, file: str, number: int) -> Entity:
        self.line = number
        entity, aliases, objects = _entity(line, file, number)
        place = self._places.setdefault(entity.kb_id, (file, number))
        if place != (file, number):
            earlier = f"line {place[1]}" + ("" if place[0] == file else f" of {place[0]}")
            raise UserError(
                f"{entity.kb_id!r} stands already in {earlier}", file=file, line=number, field="subject_id", mend=SKIP
            )
        self.empty_aliases += aliases
        self.empty_objects += objects
        self._digest.update(line.encode())
        self._digest.update(b"\n")
        return entity


def _entity(line: str, file: str, number: int) -> tuple[Entity, int, int]:
    """One validated entity, and how many empty aliases and empty objects were left out."""

    def fail(field: str, message: str) -> UserError:
        return UserError(message, file=file, line=number, field=field, mend=SKIP)

    def string(value: Any, field: str) -> str:
        if not isinstance(value, str):
            raise fail(field, f"is {json_kind(value)}, a string is needed")
        return value

    def needed(key: str) -> str:
        if key not in record:
            raise fail(key, "is missing")
        value = string(record[key], key)
        if not value.strip():
            raise fail(key, "is empty")
        return value

    def items(key: str) -> list[Any]:
        value = record.get(key, [])
        if not isinstance(value, list):
            raise fail(key, f"is {json_kind(value)}, a list is needed")
        return value

    record = parse_json(line, file, number)
    kb_id = needed("subject_id")
    if kb_id == NIL or kb_id.startswith(NIL + "_"):
        raise fail("subject_id", f"is {kb_id!r}, which stands for no entity")
    subject = needed("subject")
    aliases = [string(alias, f"alias[{i}]") for i, alias in enumerate(items("alias"))]
    # CCKS 2020 writes several types in one string, as Person|Other.
    types = record.get("type", [])
    types = types.split("|") if isinstance(types, str) else items("type")
    types = [string(name, f"type[{i}]") for i, name in enumerate(types)]
    facts = []
    data = items("data")
    for index, fact in enumerate(data):
        at = f"data[{index}]"
        if not isinstance(fact, dict):
            raise fail(at, f"is {json_kind(fact)}, an object is needed")
        for key in ("predicate", "object"):
            if key not in fact:
                raise fail(f"{at}.{key}", "is missing")
        predicate, value = string(fact["predicate"], f"{at}.predicate"), string(fact["object"], f"{at}.object")
        if value.strip():
            facts.append((predicate, value))
    kept = tuple(alias for alias in aliases if alias.strip())
    entity = Entity(kb_id, subject, kept, tuple(name for name in types if name.strip()), tuple(facts))
    return entity, len(aliases) - len(kept), len(data) - len(facts)
