"""Checking a submission against the input that it answers: what a check is told, and the answers held against what is
asked, on disk, so that memory does not grow with the files."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from os.path import commonprefix
from pathlib import Path

from ietool.errors import UserError
from ietool.files.records import digest

Key = Mapping[str, str]
"""What a text or question is known by: name of the field → value (``{"text_id": "7", "text": …}``)."""

Tell = Callable[[UserError], None]
"""Told of each fault."""


@dataclass(frozen=True)
class Place:
    """Where a record stands; ``at`` before the names of its fields in files that are one JSON value."""

    file: str
    line: int | None = None
    at: str = ""

    def error(self, field: str, message: str, mend: str) -> UserError:
        """What is wrong with a field of the record; ``field`` may be empty."""
        name = (self.at + field).rstrip(".") or None
        return UserError(message, file=self.file, line=self.line, field=name, mend=mend)

    def __str__(self) -> str:
        return self.file + (f":{self.line}" if self.line is not None else "")


@dataclass
class Check:
    """A submission, what it is held against, and what came of it.

    Attributes:
        competition: whose rules hold.
        source: the input file that it answers.
        result: the submission, plain or packed.
        tell: told of each fault.
        any_order: whether its records may stand in another order than the input's.
        scratch: an empty folder for files of the check.
        options: further files, by name (``schema``, ``kb``).
        counts: how many of what there are: texts, triples, empty answers.
        rules: what was checked, for the user.
        notes: what the user should know, though it is no fault.
    """

    competition: str
    source: Path
    result: Path
    tell: Tell
    scratch: Path
    any_order: bool = False
    options: Mapping[str, Path] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    rules: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def answers(self, mend: str = "predict on the input file itself") -> Answers:
        """What holds the answers against what is asked."""
        return Answers(self, mend)


CONTROLS = frozenset(map(chr, range(32))) - set("\t\n\r")
"""Characters that no answer has, whatever its escapes: NUL among them."""


def control_in(text: str) -> str | None:
    """The first control character of an answer, as an escape; None if there is none."""
    if text.isprintable():  # nearly always
        return None
    return next((f"\\u{ord(char):04x}" for char in text if char in CONTROLS), None)


class Answers:
    """The texts or questions of an input, in order, and which of them are answered.

    All of them are asked first (:meth:`ask`), then come the answers (:meth:`answer`), and :meth:`finish` tells what is
    missing. A text that stands several times is to be answered as often.

    Args:
        check: what is checked; it is told of the faults.
        mend: what to do about answers that do not fit.

    Raises:
        sqlite3.OperationalError: from every method, when the disk is full.
    """

    def __init__(self, check: Check, mend: str) -> None:
        self._tell, self._source, self._result = check.tell, check.source, check.result
        self._mend, self._any_order = mend, check.any_order
        self.asked = 0
        self._next = 1
        """The position in the input that the next record of the submission answers, if all is well."""
        self._last = 0
        self._disordered = 0
        self._first_disordered: tuple[Place, str] | None = None
        self._db = sqlite3.connect(check.scratch / "answers.sqlite")
        self._db.executescript(
            "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA cache_size=-16384;"
            "CREATE TABLE asked (position INTEGER PRIMARY KEY, hash BLOB, key TEXT, content TEXT, place TEXT, by TEXT);"
            "CREATE TABLE strange (position INTEGER, key TEXT, file TEXT, line INTEGER, at TEXT);"
        )

    def ask(self, key: Key, place: Place, content: str = "") -> None:
        """One more of the input. ``content`` is what a check wants to have again with the answer."""
        self.asked += 1
        text = json.dumps(key, ensure_ascii=False)
        row = (self.asked, digest(text), text, content, str(place), None)
        self._db.execute("INSERT INTO asked VALUES (?, ?, ?, ?, ?, ?)", row)

    def answer(self, key: Key, place: Place) -> str | None:
        """Note that a record of the submission answers something; gives the ``content`` of what it answers, None where
        it answers nothing that is still open."""
        if self._next == 1:
            self._db.execute("CREATE INDEX IF NOT EXISTS by_hash ON asked (hash, position)")
        text = json.dumps(key, ensure_ascii=False)
        mark = digest(text)
        wanted = self._next
        self._next += 1
        row = self._db.execute(
            "SELECT position, content FROM asked WHERE position = ? AND hash = ? AND by IS NULL", (wanted, mark)
        ).fetchone()
        if row is None:
            row = self._db.execute(
                "SELECT position, content FROM asked WHERE hash = ? AND by IS NULL ORDER BY position LIMIT 1", (mark,)
            ).fetchone()
        if row is None:
            self._next = wanted  # the one whose turn it was has its turn still
            self._again_or_strange(key, text, mark, place)
            return None
        position, content = row
        if position < self._last:
            self._disordered += 1
            self._first_disordered = self._first_disordered or (place, _shown(key))
        self._last, self._next = position, position + 1
        self._db.execute("UPDATE asked SET by = ? WHERE position = ?", (str(place), position))
        return str(content)

    def unreadable(self, place: Place) -> None:
        """A record of the submission that cannot be read, of which the fault is told: what it answers is not known."""
        self._strange(None, place)

    def reject(self, error: UserError, line: str) -> None:
        """Tell of a line that cannot be read, as :data:`ietool.files.lines.OnBad`."""
        self._tell(error)
        self.unreadable(Place(error.file or "", error.line))

    def _again_or_strange(self, key: Key, text: str, mark: bytes, place: Place) -> None:
        earlier = self._db.execute("SELECT by FROM asked WHERE hash = ? LIMIT 1", (mark,)).fetchone()
        if earlier is None:
            self._strange(text, place)
            return
        file, _, line = str(earlier[0]).rpartition(":")
        where = f"line {line}" if file == place.file and line.isdecimal() else earlier[0]
        name = next(iter(key))
        told = "" if where == str(place) else f", first in {where}"
        self._tell(place.error(name, f"is answered again{told}: {_shown(key)}", "keep one answer of each"))

    def _strange(self, text: str | None, place: Place) -> None:
        row = (self._next, text, place.file, place.line, place.at)
        self._db.execute("INSERT INTO strange VALUES (?, ?, ?, ?, ?)", row)
        self._next += 1

    def finish(self) -> None:
        """Tell of what answers nothing, of what is not answered, and of the order."""
        # What answers nothing mostly stands in the place of what it was to answer: both are one fault.
        pairs = self._db.execute(
            "SELECT s.key, s.file, s.line, s.at, a.key, a.place FROM strange s LEFT JOIN asked a "
            "ON a.position = s.position AND a.by IS NULL "
            "AND s.rowid = (SELECT MIN(rowid) FROM strange WHERE position = s.position) ORDER BY s.rowid"
        )
        for text, file, line, at, wanted, there in pairs:
            if text is None:
                continue
            place, key = Place(file, line, at), json.loads(text)
            if wanted is None:
                name = next(iter(key))
                what = f"is not in {self._source}: {_shown(key)}"
                self._tell(place.error(name, what, "take the record out, or name the input that it answers"))
            else:
                name, what = _difference(key, json.loads(wanted))
                self._tell(place.error(name, f"{what} in {there}", self._mend))
        missing = self._db.execute(
            "SELECT key, place FROM asked a WHERE by IS NULL AND position NOT IN (SELECT position FROM strange) "
            "ORDER BY position"
        )
        for text, there in missing:
            key = json.loads(text)
            what = f"is not answered: {_shown(key)} of {there}"
            self._tell(UserError(what, file=self._result, field=next(iter(key)), mend=self._mend))
        if self._disordered and not self._any_order:
            place, shown = self._first_disordered or (Place(""), "")
            more = f" (and so do {self._disordered - 1:,} more)" if self._disordered > 1 else ""
            what = f"stands behind what comes later in {self._source}: {shown}{more}"
            mend = "keep the order of the input, or say --any-order where it is known to count for nothing"
            self._tell(place.error("", what, mend))

    def close(self) -> None:
        """Let go of the scratch file."""
        self._db.close()


def _shown(key: Key) -> str:
    """The value that a record is known by, as messages show it."""
    value = next(iter(key.values()))
    return repr(value if len(value) <= 40 else value[:40] + "…")


def _difference(given: Key, wanted: Key) -> tuple[str, str]:
    """(field, how it differs from what is asked at its place, which is named behind it)."""
    for name, value in wanted.items():
        other = given.get(name, "")
        if other == value:
            continue
        at = next(
            (i for i, (a, b) in enumerate(zip(other, value, strict=False)) if a != b), min(len(other), len(value))
        )
        alike = at + _common_end(other[at:], value[at:])
        if len(value) < 10 or alike * 2 < len(value):  # something else altogether
            return name, f"is {_shown({name: other})}, where {_shown({name: value})} stands"
        here, there = other[at : at + 10], value[at : at + 10]
        return name, f"differs at character {at + 1}: {here!r}, where {there!r} stands"
    return next(iter(wanted)), "is none that is asked for"
