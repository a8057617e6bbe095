"""Reading what is scored: gold and submission files of CCKS 2019 and 2020 entity linking.

Apart from ``data/`` because the organisers' script reads more loosely than training may: a text may be empty, a
mention need not stand where it says. What that script refuses is refused here as well, with its place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ietool.errors import UserError
from ietool.files.lines import parse_json, read_lines
from ietool.files.plain_json import json_kind
from ietool.tasks.el.data.example import Mention, form_of

TextKey = tuple[str, str]
"""(text_id, text): what a line is found by."""

_FORMAT = 'write {"text_id": "1", "text": …, "mention_data": […]} a line, each mention with kb_id, mention and offset'


@dataclass(frozen=True)
class ScoringFile:
    """A file to be scored.

    Attributes:
        mentions: (text_id, text) → its mentions in file order; those of repeated lines one after another.
        records: lines read.
    """

    mentions: Mapping[TextKey, Sequence[Mention]]
    records: int

    @property
    def repeated(self) -> int:
        """Lines whose text stood further up, under the same text_id."""
        return self.records - len(self.mentions)

    @property
    def form(self) -> str:
        """The variant that scores a gold file: ``ccks2020`` if a mention has a NIL with a type, else ``ccks2019``."""
        return "ccks2020" if any(form_of(found) == "ccks2020" for found in self.mentions.values()) else "ccks2019"


def read_for_scoring(path: str | Path) -> ScoringFile:
    """Read gold or predictions, plain, gzip or zip (every member).

    Raises:
        UserError: naming file, line and field of what is not of the form; an offset or id that is a number instead of
            a string is a format error.
    """
    mentions: dict[TextKey, list[Mention]] = {}
    records = 0
    for file, number, line in read_lines(path):
        record = parse_json(line, file, number)
        text_id, text, data = text_and_mentions(record, file, number)
        found = mentions.setdefault((text_id, text), [])
        for index, entry in enumerate(data):
            found.append(mention_of(entry, f"mention_data[{index}]", file, number))
        records += 1
    return ScoringFile(mentions, records)


def text_and_mentions(record: dict[str, Any], file: str, line: int) -> tuple[str, str, list[Any]]:
    """``text_id``, ``text`` and ``mention_data`` of a record, the last not looked into. Raises UserError where one of
    them is none."""
    text_id, text, data = record.get("text_id"), record.get("text"), record.get("mention_data")
    if type(text_id) is not str or type(text) is not str or type(data) is not list:
        raise _complain_of_record(record, file, line)
    return text_id, text, data


def mention_of(entry: Any, at: str, file: str, line: int) -> Mention:
    """A mention of a record; ``at`` is its field. Raises UserError where it is not of the form."""
    try:
        name, offset, kb_id = entry["mention"], entry["offset"], entry["kb_id"]
        # Compared as strings: a zero too many would be another offset. No text is longer than nine digits tell.
        valid = offset.isdigit() and offset.isascii() and len(offset) < 10 and (offset[0] != "0" or offset == "0")
    except (KeyError, TypeError, AttributeError):
        valid = False
    if not valid or type(name) is not str or type(kb_id) is not str:
        raise _complain_of_mention(entry, at, file, line)
    return Mention(name, int(offset), kb_id)


def _complain_of_record(record: dict[str, Any], file: str, line: int) -> UserError:
    """What is wrong with a record that is not of the form."""
    for key, kind, word in (("text_id", str, "a string"), ("text", str, "a string"), ("mention_data", list, "a list")):
        if key not in record:
            mend = "is this the gold file? a test file has no mentions" if key == "mention_data" else _FORMAT
            return UserError("is missing", file=file, line=line, field=key, mend=mend)
        if not isinstance(record[key], kind):
            return _wrong_kind(key, record[key], word, key, file, line)
    raise AssertionError("the record is of the form")


def _complain_of_mention(entry: Any, at: str, file: str, line: int) -> UserError:
    """What is wrong with a mention that is not of the form."""
    if not isinstance(entry, dict):
        return _wrong_kind(at, entry, "an object", "", file, line)
    for key in ("kb_id", "mention", "offset"):
        field = f"{at}.{key}"
        if key not in entry:
            return UserError("is missing", file=file, line=line, field=field, mend=_FORMAT)
        if not isinstance(entry[key], str):
            return _wrong_kind(field, entry[key], "a string", key, file, line)
    offset = entry["offset"]
    if not (offset.isascii() and offset.isdigit()):
        what, mend = f"is no number of characters: {offset!r}", "count characters from 0, in digits"
    elif len(offset) - len(offset.lstrip("0")) and offset.lstrip("0"):
        what, mend = f"has leading zeros: {offset[:20]!r}", "leave them out: offsets are compared as strings"
    elif not offset.lstrip("0"):
        what, mend = f"has leading zeros: {offset[:20]!r}", 'write "offset": "0"'
    else:
        what, mend = f"is longer than any text: {offset[:20]}", "count characters from 0"
    return UserError(what, file=file, line=line, field=f"{at}.offset", mend=mend)


def _wrong_kind(field: str, value: Any, needed: str, key: str, file: str, line: int) -> UserError:
    what, mend = f"is {json_kind(value)}, {needed} is needed", _FORMAT
    if isinstance(value, int) and not isinstance(value, bool) and needed == "a string":
        mend = f'write it as a string: "{key}": "{value}"'
    return UserError(what, file=file, line=line, field=field, mend=mend)
