"""Telling the form of a file from what is in it."""

from __future__ import annotations

import re

from ietool.tasks.ner.data.schemes import SCHEMES

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
