"""CMeEE: ``text|||begin end type|||…|||`` a line, the last character inclusive, blanks between the fields of an entity.

Test files hold the texts alone.
"""

from __future__ import annotations

from collections.abc import Iterable

from ietool.errors import UserError
from ietool.files.lines import SKIP
from ietool.tasks.ner.data.example import Entity, Example
from ietool.tasks.ner.data.forms.recognise import CMEEE, DIVIDER

_BLANKS = " " * 4
"""Between the fields of an entity, as the organisers write them."""
_FORM = f"write begin, end and type between {DIVIDER}, the end inclusive"


def parse_line(line: str, file: str, number: int, *, labels: bool = True) -> Example:
    """One validated example of a line.

    Args:
        labels: read the entities; else the text alone, which may then be empty.

    Raises:
        UserError: naming file, line and entity.
    """
    text = line.partition(DIVIDER)[0]
    if not labels:
        return Example(text, (), CMEEE, None, file=file, line=number)
    text, entities, empty = read_line(line, file, number)
    if not text.strip():
        raise UserError("is empty", file=file, line=number, field="text", mend=SKIP)
    for at, entity in enumerate(entities):
        check_inside(entity, text, file, number, at)
    return Example(text, tuple(sorted(set(entities))), CMEEE, None, broken=empty, file=file, line=number)


def read_line(line: str, file: str, number: int) -> tuple[str, list[Entity], int]:
    """The text of a line, its entities in order, not held against the text, and how many more there are that end just
    before they begin, as the published files have some: they are none.

    Raises:
        UserError: naming file, line and entity of what is not of the form.
    """
    text, *parts = line.split(DIVIDER)
    found: list[Entity] = []
    empty = 0
    for part in parts:
        fields = part.split()
        if not fields:
            continue

        def fail(what: str, at: int = len(found) + empty) -> UserError:
            return UserError(what, file=file, line=number, field=f"entity {at + 1}", mend=f"{_FORM}; or {SKIP}")

        shown = " ".join(fields)[:60]
        if len(fields) != 3:
            raise fail(f"{shown!r} has {len(fields)} fields, 3 are needed")
        begin, end = (int(field) if field.isascii() and field.isdigit() and len(field) < 10 else -1
                      for field in fields[:2])  # fmt: skip
        if end == begin - 1 >= 0:
            empty += 1
            continue
        if not 0 <= begin <= end:
            raise fail(f"{shown!r} has no place: two whole numbers, the second not below the first")
        found.append(Entity(begin, end + 1, fields[2]))
    return text, found, empty


def check_inside(entity: Entity, text: str, file: str, number: int, at: int) -> None:
    """Raise UserError unless an entity, the n-th of its line, lies in the text."""
    if entity.end > len(text):
        what = f"ends at {entity.end - 1}, outside the text, which has {len(text)} characters"
        mend = "the end is inclusive, and the first character is 0"
        raise UserError(what, file=file, line=number, field=f"entity {at + 1}", mend=mend)


def format_line(text: str, entities: Iterable[Entity]) -> str:
    """A line of a training file or submission, without line end."""
    parts = [_BLANKS.join((str(e.start), str(e.end - 1), e.type)) for e in entities]
    return DIVIDER.join((text, *parts, ""))
