"""CCKS 2019 and 2020 entity-linking files: what an example is, reading and validating them, writing submissions.

The only room that knows the form of texts with mentions; the knowledge base has its own (``kb.py``), and so have the
names under which the organisers publish (``sources.py``) and the looser reading of what is scored (``submission.py``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ietool.errors import UserError
from ietool.files.lines import SKIP, OnBad, parse_json, read_lines
from ietool.files.plain_json import json_kind
from ietool.files.records import Told, read_records
from ietool.tasks.el.data.example import Example, Mention, form_of
from ietool.text.characters import fold
from ietool.text.spans import whereabouts

if TYPE_CHECKING:
    from ietool.files.lines import Line


_OR_SKIP = " (prepare leaves the record out with --skip-bad)"
_INPUT = 'write one {"text_id": "1", "text": …} a line'


def load_examples(path: str | Path, on_bad: OnBad | None = None, *, need_ids: bool = True) -> Iterator[Example]:
    """Stream the examples of a file. As :func:`read_examples`; raises UserError also when the file holds no record."""
    unread = None if on_bad is None else Told(on_bad)
    empty = True
    for example in read_examples(read_lines(path, unread), on_bad, need_ids=need_ids):
        empty = False
        yield example
    if empty and unread is not None:
        unread.check()
    if empty:
        mend = 'bring a file with one {"text_id": …, "text": …, "mention_data": […]} a line'
        raise UserError("holds no record", file=path, mend=mend)


def read_examples(lines: Iterable[Line], on_bad: OnBad | None = None, *, need_ids: bool = True) -> Iterator[Example]:
    """Stream validated examples from lines of a training or dev file.

    Repeated mentions of a record (same name, place and id) are merged. A mention must stand at its offset, upper or
    lower case aside.

    Args:
        lines: (file, 1-based number, text) as :func:`ietool.files.lines.read_lines` gives them.
        on_bad: told of bad records, which are then skipped; without it the first one raises.
        need_ids: whether each mention must have a ``kb_id``; False for files that mark mentions only (it is kept where
            it is there).

    Raises:
        UserError: naming file, line and field; with ``on_bad`` only when no record at all is usable.
    """

    def parse(line: str, file: str, number: int) -> Example:
        record = parse_json(line, file, number)
        text_id = _string(record, "text_id", file, number)
        text = _string(record, "text", file, number)
        if "mention_data" not in record:
            what = "is this a test file? training needs gold mentions"
            raise UserError("is missing", file=file, line=number, field="mention_data", mend=what)
        mentions = _mentions(record["mention_data"], text, file, number, need_ids=need_ids)
        return Example(text_id, text, mentions, file, number, form_of(mentions))

    return read_records(lines, parse, on_bad)


def read_inputs(lines: Iterable[Line], on_bad: OnBad | None = None) -> Iterator[Example]:
    """Stream the texts of a test file, with the mentions that it gives (CCKS 2020 does), without their ids.

    A text without ``text_id`` gets the number of its line. An empty text is let through, since a submission needs its
    line: nothing can be found in it.

    Args:
        on_bad: told of bad records, which are then skipped; without it the first one raises.

    Raises:
        UserError: naming file, line and field of what is not of that form.
    """

    def parse(line: str, file: str, number: int) -> Example:
        record = parse_json(line, file, number)
        text_id = str(number)
        if "text_id" in record:
            text_id = _string(record, "text_id", file, number, mend=_INPUT)
        text = _string(record, "text", file, number, empty=True, mend=_INPUT)
        given: tuple[Mention, ...] = ()
        if record.get("mention_data") is not None:
            marked = _mentions(record["mention_data"], text, file, number, need_ids=False)
            given = tuple(dict.fromkeys(Mention(m.mention, m.start) for m in marked))
        return Example(text_id, text, given, file, number)

    return read_records(lines, parse, on_bad)


def _string(
    record: dict[str, Any], key: str, file: str, line: int, *, at: str = "", empty: bool = False, mend: str = SKIP
) -> str:
    """A field that must be a string, not blank unless ``empty``. ``at`` stands before its name in messages."""
    field = at + key
    if key not in record:
        raise UserError("is missing", file=file, line=line, field=field, mend=mend)
    value = record[key]
    if not isinstance(value, str):
        what = f"is {json_kind(value)}, a string is needed"
        if isinstance(value, int) and not isinstance(value, bool):
            # Ids and offsets are compared as strings; whoever writes numbers will do so in all lines.
            what, mend = f'{what}: "{key}": "{value}"', f"write it as a string{'' if mend == _INPUT else _OR_SKIP}"
        raise UserError(what, file=file, line=line, field=field, mend=mend)
    if not empty and not value.strip():
        raise UserError("is empty", file=file, line=line, field=field, mend=mend)
    return value


def _mentions(data: Any, text: str, file: str, line: int, *, need_ids: bool) -> tuple[Mention, ...]:
    """The validated ``mention_data`` of one record, repeated mentions merged."""

    def fail(field: str, message: str, mend: str = SKIP) -> UserError:
        return UserError(message, file=file, line=line, field=field, mend=mend)

    if not isinstance(data, list):
        raise fail("mention_data", f"is {json_kind(data)}, a list is needed")
    found: dict[Mention, None] = {}
    folded = fold(text)
    for index, entry in enumerate(data):
        at = f"mention_data[{index}]."
        if not isinstance(entry, dict):
            raise fail(at[:-1], f"is {json_kind(entry)}, an object is needed")
        name = _string(entry, "mention", file, line, at=at)
        offset = _string(entry, "offset", file, line, at=at)
        if not (offset.isascii() and offset.isdigit()):
            raise fail(f"{at}offset", f"is no number of characters: {offset!r}")
        # A number of thousands of digits cannot be read, but is outside of any text.
        start = int(offset) if len(offset) < 10 else len(text)
        if start >= len(text):
            counted, elsewhere = whereabouts(fold(name), folded, start)
            mend = f"{counted}; {name!r} stands at {elsewhere}" if elsewhere >= 0 else SKIP
            raise fail(f"{at}offset", f"{offset[:10]} is outside the text of {len(text)} characters", mend)
        there = text[start : start + len(name)]
        if fold(name) != fold(there):
            counted, elsewhere = whereabouts(fold(name), folded, start)
            mend = counted + (f"; {name!r} stands at {elsewhere}" if elsewhere >= 0 else "")
            raise fail(f"{at}offset", f"at {start} stands {there!r}, but the mention is {name!r}", mend)
        if need_ids:
            kb_id = _string(entry, "kb_id", file, line, at=at)
            if "\n" in kb_id:
                raise fail(f"{at}kb_id", "has a line break", "write an id of the knowledge base, NIL or a type of it")
        else:
            kb_id = entry["kb_id"] if isinstance(entry.get("kb_id"), str) else ""
        found.setdefault(Mention(name, start, kb_id))
    return tuple(found)
