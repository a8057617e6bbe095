"""Fields of a record, each checked for its kind."""

from __future__ import annotations

from typing import Any

from ietool.errors import UserError
from ietool.files.documents import Place
from ietool.files.lines import SKIP
from ietool.files.plain_json import json_kind


def without_gold(place: Place, record: dict[str, Any], *keys: str) -> UserError:
    """What is told of a question without answers, which may stand under one of some keys."""
    null = next((key for key in keys if key in record), None)
    what = "is missing" if null is None else "is null"
    return place.error(null or keys[0], f"{what}: is this a test file? training and scoring need answers", SKIP)


def string(place: Place, record: dict[str, Any], key: str, *, at: str = "", empty: bool = False) -> str:
    """A field that must be a string, not blank unless ``empty``."""
    if key not in record:
        raise place.error(at + key, "is missing", SKIP)
    value = record[key]
    if not isinstance(value, str):
        raise place.error(at + key, f"is {json_kind(value)}, a string is needed", SKIP)
    if not empty and not value.strip():
        raise place.error(at + key, "is empty", SKIP)
    return value


def identifier(place: Place, record: dict[str, Any], keys: tuple[str, ...], default: str, *, at: str = "") -> str:
    """The id under the first of ``keys`` that the record has, integers as strings; else ``default``.

    Raises:
        UserError: it is neither a string nor an integer, or is empty; or there is none, and no default.
    """
    for key in keys:
        if key in record and record[key] is not None:
            value = record[key]
            if isinstance(value, bool) or not isinstance(value, (str, int)):
                raise place.error(at + key, f"is {json_kind(value)}, a string or an integer is needed", SKIP)
            text = str(value).strip()
            # A submission has one id a line; a tab in it would be another column.
            if not text or any(char in text for char in "\t\r\n"):
                raise place.error(at + key, "is empty" if not text else "has a tab or a line end in it", SKIP)
            return text
    if default:
        return default
    null = next((key for key in keys if key in record), None)
    raise place.error(at + (null or keys[0]), "is null, an id is needed" if null else "is missing", SKIP)


def items(place: Place, record: dict[str, Any], key: str, *, at: str = "") -> list[Any]:
    """A field that must be a list; empty where it is missing or null."""
    value = record.get(key)
    if value is None:
        return []
    if not isinstance(value, list):
        raise place.error(at + key, f"is {json_kind(value)}, a list is needed", SKIP)
    return value


def objects(place: Place, record: dict[str, Any], key: str, *, at: str = "") -> list[dict[str, Any]]:
    """A field that must be a list of objects; empty where it is missing or null."""
    value = items(place, record, key, at=at)
    for number, entry in enumerate(value):
        if not isinstance(entry, dict):
            raise place.error(f"{at}{key}[{number}]", f"is {json_kind(entry)}, an object is needed", SKIP)
    return value


def strings(place: Place, record: dict[str, Any], key: str, *, at: str = "") -> tuple[str, ...]:
    """A field that must be a list of strings, or one string; empty where it is missing or null."""
    if isinstance(record.get(key), str):
        return (record[key],)
    value = items(place, record, key, at=at)
    for number, entry in enumerate(value):
        if not isinstance(entry, str):
            raise place.error(f"{at}{key}[{number}]", f"is {json_kind(entry)}, a string is needed", SKIP)
    return tuple(value)
