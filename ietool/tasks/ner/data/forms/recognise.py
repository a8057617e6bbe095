"""Telling the form of a file from what is in it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import chain, islice
from typing import Any

from ietool.tasks.ner.data.schemes import SCHEMES, is_tag

CLUENER, CMEEE = "cluener", "cmeee"
RECORDS = (CLUENER, CMEEE)
"""Forms with a text a line, whose entities may overlap."""
FORMS = ("auto", *RECORDS, *SCHEMES)
"""What ``data.form`` may be. Files of tokens and tags are called by their scheme."""

KNOWN = (
    '{"text": …, "label": {…}} a line (CLUENER), text|||begin end type|||… a line (CMeEE), or a token and its tag a '
    "line with blank lines between sentences"
)
"""The forms, for messages."""

DIVIDER = "|||"
PROSE = re.compile(r"[\u3400-\u9fff][，。！？；：]|[，。！？；：][\u3400-\u9fff]|[\u3400-\u9fff]{25}")
"""What no token has, but nearly every line of prose: punctuation beside Han characters, or so many of those."""
_LOOKED_AT = 32

Line = tuple[str, int, str]
_JSON = re.compile(r'\s*(\[\s*)?\{\s*(["}]|$)|\s*\[\s*$')


def is_json(line: str) -> bool:
    """Whether a line begins a JSON object, or a list of some, which the reader of JSON refuses with a good reason;
    ``{ O`` is a token and its tag."""
    return _JSON.match(line) is not None


def divided(line: str) -> bool:
    """Whether a line is a text with entities behind it; ``||| O`` is a token and its tag."""
    return line.find(DIVIDER) > 0


def told(lines: Iterator[Line], *, texts: bool = False) -> tuple[str, Iterator[Line]]:
    """The form of some lines, empty for tokens, and all of the lines again.

    Args:
        texts: whether lines of prose without any entity are such of CMeEE, too: its test files.
    """
    begin = list(islice(lines, 1))
    if begin and is_json(begin[0][2]):
        return CLUENER, chain(begin, lines)
    begin += islice(lines, _LOOKED_AT - 1)
    marked = any(divided(text) and not is_tag(text.split()[-1]) for _, _, text in begin)
    prose = texts and sum(bool(PROSE.search(text)) for _, _, text in begin) * 2 > len(begin)
    return CMEEE if marked or prose else "", chain(begin, lines)


def begins_spans(begin: Mapping[str, Any] | list[str]) -> bool:
    """Whether a file that begins so holds texts with spans behind them, as CMeEE's."""
    return not isinstance(begin, Mapping) and any(divided(line) and not is_tag(line.split()[-1]) for line in begin)


def begins_entities(begin: Mapping[str, Any] | list[str]) -> bool:
    """Whether a file that begins so holds records of CLUENER."""
    return isinstance(begin, Mapping) and isinstance(begin.get("label"), Mapping)


def begins_tags(begin: Mapping[str, Any] | list[str]) -> bool:
    """Whether a file that begins so holds tokens and tags."""
    columns = [] if isinstance(begin, Mapping) else [line.split() for line in begin]
    return any(len(row) > 1 for row in columns) and all(is_tag(row[-1]) for row in columns)
