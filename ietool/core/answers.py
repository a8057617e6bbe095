"""Answers held against what is asked, on disk, so that memory does not grow with the files."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from itertools import takewhile

from ietool.core.checking import Check, Place
from ietool.errors import UserError
from ietool.files.records import digest

Key = Mapping[str, str]
"""What a text or question is known by: name of the field → value (``{"text_id": "7", "text": …}``)."""

_write = json.JSONEncoder(ensure_ascii=False).encode
"""JSON of a key; ``json.dumps`` would make an encoder each time."""


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

    def __init__(self, check: Check, mend: str = "predict on the input file itself") -> None:
        self._tell, self._source, self._result = check.tell, check.source, check.result
        self._mend, self._any_order = mend, check.any_order
        self.asked = 0
        self._next = 1
        """The position in the input that the next record of the submission answers, if all is well."""
        self._last = self._answered = 0
        self._disordered = self._rejected = 0
        self._first_rejected: UserError | None = None
        self._whole, self._indexed = True, False
        self._first_disordered: tuple[Place, str] | None = None
        self._db = sqlite3.connect(check.scratch / "answers.sqlite")
        self._db.executescript(
            "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA cache_size=-16384;"
            "CREATE TABLE asked "
            "(position INTEGER PRIMARY KEY, hash BLOB, key TEXT, content TEXT, place TEXT, answered TEXT);"
            "CREATE TABLE strange (position INTEGER, key TEXT, file TEXT, line INTEGER, at TEXT);"
        )

    def ask(self, key: Key, place: Place, content: str = "") -> None:
        """One more of the input. ``content`` is what a check wants to have again with the answer."""
        self.asked += 1
        text = _write(dict(key))
        row = (self.asked, digest(text), text, content, str(place), None)
        self._db.execute("INSERT INTO asked VALUES (?, ?, ?, ?, ?, ?)", row)

    def answer(self, key: Key, place: Place) -> str | None:
        """Note that a record of the submission answers something; gives the ``content`` of what it answers, None where
        it answers nothing that is still open."""
        if not self._indexed:
            self._db.execute("CREATE INDEX by_hash ON asked (hash, position)")
            self._indexed = True
        text = _write(dict(key))
        mark = digest(text)
        wanted = self._next
        self._next += 1
        row = self._db.execute(
            "SELECT position, content FROM asked WHERE position = ? AND hash = ? AND answered IS NULL", (wanted, mark)
        ).fetchone()
        if row is None:
            row = self._db.execute(
                "SELECT position, content FROM asked WHERE hash = ? AND answered IS NULL ORDER BY position LIMIT 1",
                (mark,),
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
        self._answered += 1
        if self._rejected:
            self._tell_rejected()
        self._db.execute("UPDATE asked SET answered = ? WHERE position = ?", (str(place), position))
        return str(content)

    def reject(self, error: UserError, line: str) -> None:
        """Tell of a record that cannot be read, as :data:`ietool.files.lines.OnBad`: what it answers is not known."""
        self._strange(None, Place(error.file or "", error.line))
        if self._answered:
            self._tell(error)
        else:  # in all of them it would be one fault
            self._rejected += 1
            self._first_rejected = self._first_rejected or error

    def broken(self, error: UserError) -> None:
        """Tell of what ends the submission early: what it does not answer is no further fault."""
        self._tell(error)
        self._whole = False

    def _tell_rejected(self) -> bool:
        """Tell of the records that could not be read before the first that could be; whether there are any."""
        error, count = self._first_rejected, self._rejected
        if error is not None:
            more = "" if count == 1 else f" (and the {count - 1:,} records behind it cannot be read either)"
            self._tell(
                UserError(error.message + more, file=error.file, line=error.line, field=error.field, mend=error.mend)
            )
        self._first_rejected, self._rejected = None, 0
        return error is not None

    def _again_or_strange(self, key: Key, text: str, mark: bytes, place: Place) -> None:
        earlier = self._db.execute("SELECT answered FROM asked WHERE hash = ? LIMIT 1", (mark,)).fetchone()
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
        self._db.execute("CREATE INDEX by_position ON strange (position)")
        # What answers nothing mostly stands in the place of what it was to answer: both are one fault.
        pairs = self._db.execute(
            "SELECT s.key, s.file, s.line, s.at, a.key, a.place FROM strange s LEFT JOIN asked a "
            "ON a.position = s.position AND a.answered IS NULL "
            "AND s.rowid = (SELECT MIN(rowid) FROM strange WHERE position = s.position) "
            "WHERE s.key IS NOT NULL ORDER BY s.rowid"
        )
        strange = (self._strange_fault(*row) for row in pairs)
        rejected = self._tell_rejected()
        nothing = not self._answered and self.asked > 1
        first = next(strange, None) if nothing else None
        if first is not None:  # one fault: it is of something else
            message = f"{first.message}; not one of its records answers one of {self._source}"
            mend = "name the input that it answers: --input FILE"
            self._tell(UserError(message, file=first.file, line=first.line, field=first.field, mend=mend))
        if nothing and (rejected or first is not None):
            return
        for fault in strange:
            self._tell(fault)
        missing = self._db.execute(
            "SELECT key, place FROM asked a WHERE answered IS NULL AND position NOT IN (SELECT position FROM strange) "
            "ORDER BY position"
        )
        for text, there in missing if self._whole else ():
            key = json.loads(text)
            what = f"is not answered: {_shown(key)} of {there}"
            self._tell(UserError(what, file=self._result, field=next(iter(key)), mend=self._mend))
        if self._disordered and not self._any_order:
            place, shown = self._first_disordered or (Place(""), "")
            more = f" (and so do {self._disordered - 1:,} more)" if self._disordered > 1 else ""
            what = f"stands behind what comes later in {self._source}: {shown}{more}"
            mend = "keep the order of the input, or say --any-order where it is known to count for nothing"
            self._tell(place.error("", what, mend))

    def _strange_fault(
        self, text: str, file: str, line: int | None, at: str, wanted: str | None, there: str | None
    ) -> UserError:
        """What is told of a record that answers nothing; ``wanted`` is what is asked in its place, ``there``."""
        place, key = Place(file, line, at), json.loads(text)
        if wanted is None:
            mend = "take the record out, or name the input that it answers"
            return place.error(next(iter(key)), f"is not in {self._source}: {_shown(key)}", mend)
        name, what = _difference(key, json.loads(wanted))
        return place.error(name, f"{what} in {there}", self._mend)

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
        at = _alike(other, value)
        alike = at + _alike(other[at:][::-1], value[at:][::-1])
        if len(value) < 10 or alike * 2 < len(value):  # something else altogether
            return name, f"is {_shown({name: other})}, where {_shown({name: value})} stands"
        here, there = other[at : at + 10], value[at : at + 10]
        return name, f"differs at character {at + 1}: {here!r}, where {there!r} stands"
    return next(iter(wanted)), "is none that is asked for"


def _alike(one: str, other: str) -> int:
    """Characters that two texts begin with alike."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))
