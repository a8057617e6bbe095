"""Fields of a record, looked at one by one: what all forms have in common."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ietool.errors import UserError
from ietool.files.lines import SKIP
from ietool.files.plain_json import json_kind
from ietool.files.records import not_a
from ietool.text.spans import whereabouts

_FAR = 10**9
"""No place of a text: what lies beyond could not even be told, since it may have thousands of digits."""


@dataclass(frozen=True)
class Fields:
    """A record of a file, for messages."""

    file: str
    line: int

    def fail(self, field: str, message: str, mend: str = SKIP) -> UserError:
        """What is wrong with a field."""
        return UserError(message, file=self.file, line=self.line, field=field, mend=mend)

    def name(self, record: Mapping[str, Any], key: str, at: str) -> str:
        """A string that is not blank. ``at`` stands before the key in messages."""
        value = record.get(key)
        if not isinstance(value, str):
            raise self.fail(at + key, not_a(record, key, "a string"))
        if not value.strip():
            raise self.fail(at + key, "is empty")
        return value

    def items(self, record: Mapping[str, Any], key: str, at: str) -> list[dict[str, Any]]:
        """A list of objects."""
        value = record.get(key)
        if not isinstance(value, list):
            raise self.fail(at + key, not_a(record, key, "a list"))
        for index, item in enumerate(value):
            if not isinstance(item, dict):
                raise self.fail(f"{at}{key}[{index}]", f"is {json_kind(item)}, an object is needed")
        return value

    def identity(self, record: Mapping[str, Any]) -> Any:
        """The ``id``: a number or a string, None without one."""
        value = record.get("id")
        if isinstance(value, dict | list | bool):
            raise self.fail("id", f"is {json_kind(value)}, a number or a string is needed")
        return value

    def start(self, record: Mapping[str, Any], key: str, at: str) -> int:
        """A place of a text: a whole number, 0 or more."""
        value = record.get(key)
        if type(value) is not int:
            raise self.fail(at + key, not_a(record, key, "a whole number"))
        if not 0 <= value < _FAR:
            what = f"is {value}, which is before the text" if -_FAR < value < 0 else "is no place of any text"
            raise self.fail(at + key, what)
        return value

    def check_place(self, text: str, start: int, end: int, name: str, field: str) -> None:
        """Raise UserError unless the characters ``[start, end)`` of a text are ``name``."""
        there = text[start:end]
        if there == name and end <= len(text):
            return
        what = f"the characters from {start} to {end} are {there[:40]!r}, not {name[:40]!r}"
        if end > len(text):
            what = f"{start} to {end} lies outside the text, which has {len(text):,} characters"
        counted, found = whereabouts(name, text, start)
        mend = f"it does not stand in the text: {SKIP}" if found < 0 else f"{counted}; it stands at {found}"
        raise self.fail(field, what, mend)
