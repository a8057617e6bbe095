"""JSON as files may hold it: values that all readers know, and what is wrong with a line that is none."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from typing import Any

from ietool.errors import cut

ONE_A_LINE = "write each record on one line, without a list around them (for example: jq -c '.[]' OLD > NEW)"
"""The mend where a list stands and records are wanted."""


_KINDS = {str: "a string", int: "a number", float: "a number", list: "a list", dict: "an object"}


def json_kind(value: Any) -> str:
    """What a JSON value is, in the words of its format: ``a list``, ``null``."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    return _KINDS[type(value)]


class RepeatedKey(ValueError):
    """A key that an object has twice: which of its values holds, readers do not agree on."""


class UnknownNumber(ValueError):
    """NaN or an infinite number, which JSON does not have."""


def _constant(name: str) -> float:
    raise UnknownNumber(name)


def _finite(digits: str) -> float:
    value = float(digits)
    if math.isinf(value):
        raise UnknownNumber(digits)
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        counted = Counter(key for key, _ in pairs)
        raise RepeatedKey(next(key for key, count in counted.items() if count > 1))
    return found


DECODER = json.JSONDecoder(parse_constant=_constant, parse_float=_finite)
_STRICT = json.JSONDecoder(parse_constant=_constant, parse_float=_finite, object_pairs_hook=_once)


def load_json(text: str, *, once: bool = False) -> Any:
    """The value of a JSON text.

    Args:
        once: whether an object may have a key but once; else the last value holds.

    Raises:
        RepeatedKey: with ``once``, of a key that stands again in its object.
        UnknownNumber: NaN, Infinity or a number beyond all bounds stands in it.
        ValueError, RecursionError: as :func:`json.loads`.
    """
    return (_STRICT if once else DECODER).decode(text)


_LONE = re.compile("[\ud800-\udfff]")
"""Halves of surrogate pairs, as Python has them in names of files that are not UTF-8."""


def dump_json(value: Any, **options: Any) -> str:
    """A value as JSON, Chinese readable; null for numbers that JSON does not have. ``options`` as for json.dumps."""
    options = {"ensure_ascii": False, **options}
    try:
        text = json.dumps(value, allow_nan=False, **options)
    except ValueError:
        text = json.dumps(_without_unknown(json.loads(json.dumps(value, **options))), **options)
    if _LONE.search(text):  # of a file's name that is not UTF-8: escaped it can be written
        text = _LONE.sub(lambda half: f"\\u{ord(half[0]):04x}", text)
    return text


def _without_unknown(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_unknown(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_without_unknown(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def what_is_wrong(line: str, error: ValueError | RecursionError) -> tuple[str, str | None]:
    """(what is wrong with a line that is no JSON, the mend; None: that of any bad record).

    Args:
        line: the whole of it.
        error: what :func:`load_json` raised.
    """
    text = line.strip()
    if isinstance(error, RepeatedKey):
        return f"has the key {cut(str(error), 20)!r} twice in one object", "keep one of them"
    if isinstance(error, UnknownNumber):
        return f"has the number {cut(str(error), 20)}, which JSON does not know", "write null, or leave the field out"
    if text in ("[", "{", "[{"):
        mend = "write each record on one line (for example: jq -c . OLD > NEW)" if text == "{" else ONE_A_LINE
        return f"is only the beginning of something ({text})", mend
    if isinstance(error, json.JSONDecodeError):
        if error.msg == "Extra data":
            rest = line[error.pos :].strip()
            if rest == ",":
                mend = "take the commas off the ends of the lines (for example: sed 's/,[[:space:]]*$//' OLD > NEW)"
                return "has a comma behind the object", mend
            if rest[:1] in ("{", "["):
                return "holds several objects", "write one object a line"
        if text[:1] == "[" and text[1:].lstrip()[:1] == "{":
            return "is the beginning of a JSON list", ONE_A_LINE
        where = f" at character {error.pos + 1}"
    elif isinstance(error, RecursionError):
        where = ""
    else:  # what json raises on an integer of thousands of digits
        return "has a number too long to read", None
    mend = "mend the line (prepare leaves it out with --skip-bad)"
    half = "" if text.endswith(("}", "]")) else ", perhaps cut in half"
    return f"is not JSON{where} ({len(line)} characters{half})", mend
