"""Telling the form of a file from what is in it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ietool.tasks.ner.data.schemes import SCHEMES, is_tag

CLUENER = "cluener"
FORMS = ("auto", CLUENER, *SCHEMES)
"""What ``data.form`` may be. Files of tokens and tags are called by their scheme."""

KNOWN = '{"text": …, "label": {…}} a line (CLUENER), or a token and its tag a line with blank lines between sentences'
"""The forms, for messages."""

_JSON = re.compile(r'\s*(\[\s*)?\{\s*(["}]|$)|\s*\[\s*$')


def is_json(line: str) -> bool:
    """Whether a line begins a JSON object, or a list of some, which the reader of JSON refuses with a good reason;
    ``{ O`` is a token and its tag."""
    return _JSON.match(line) is not None


def begins_entities(begin: Mapping[str, Any] | list[str]) -> bool:
    """Whether a file that begins so holds records of CLUENER."""
    return isinstance(begin, Mapping) and isinstance(begin.get("label"), Mapping)


def begins_tags(begin: Mapping[str, Any] | list[str]) -> bool:
    """Whether a file that begins so holds tokens and tags."""
    columns = [] if isinstance(begin, Mapping) else [line.split() for line in begin]
    return any(len(row) > 1 for row in columns) and all(is_tag(row[-1]) for row in columns)
