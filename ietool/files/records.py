"""Records of a competition's files, one JSON object a line: validated, the bad ones set aside, repeats told."""

from __future__ import annotations

import hashlib
import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TextIO, TypeVar

from ietool.errors import UserError
from ietool.files.lines import OnBad
from ietool.files.plain_json import dump_json, json_kind

Record = TypeVar("Record")


def not_a(record: Mapping[str, Any], key: str, needed: str) -> str:
    """What is wrong with a field that is no ``needed`` (``a string``): missing, null, or of another kind."""
    return f"is {json_kind(record[key])}, {needed} is needed" if key in record else "is missing"


def read_records(
    lines: Iterable[tuple[str, int, str]], parse: Callable[[str, str, int], Record], on_bad: OnBad | None = None
) -> Iterator[Record]:
    """Stream the records of some lines; with ``on_bad`` the bad ones go there and are skipped.

    Args:
        lines: (file, 1-based number, text) as :func:`ietool.files.lines.read_lines` gives them.
        parse: makes a record of (text, file, number), or raises UserError.
        on_bad: told of bad records; without it the first one raises.

    Raises:
        UserError: what ``parse`` raises; with ``on_bad`` only when there are bad records and no good one.
    """
    good, bad = 0, 0
    first: UserError | None = None
    for file, number, line in lines:
        try:
            record = parse(line, file, number)
        except UserError as error:
            if on_bad is None:
                raise
            bad += 1
            first = first or error
            on_bad(error, line)
            continue
        good += 1
        yield record
    if first is not None and not good:
        raise none_usable(first, bad)


class Told:
    """Passes bad records on to ``on_bad``; knows the first of them and their number, whatever that is."""

    def __init__(self, on_bad: OnBad) -> None:
        self._on_bad = on_bad
        self.first: UserError | None = None
        self.count = 0

    def __call__(self, error: UserError, line: str) -> None:
        self.first = self.first or error
        self.count += 1
        self._on_bad(error, line)

    def check(self) -> None:
        """Raise UserError if there was one; for those who found no good record."""
        if self.first is not None:
            raise none_usable(self.first, self.count)


def none_usable(first: UserError, bad: int) -> UserError:
    """What is wrong with the first of ``bad`` records where there is no good one."""
    message = f"{first.message} (and none of the {bad} records can be used)"
    return _all_alike(first, message)


_LOOKED_AT = 50
"""Records that are looked at to tell whether all are bad."""
_SKIPPING = re.compile(r",? ?(?:\(|or )[^,(]*--skip-bad\)?$")


class _EnoughError(Exception):
    pass


def first_told(load: Callable[[OnBad | None], Iterable[Record]], on_bad: OnBad | None) -> Iterator[Record]:
    """The records that ``load`` gives; where the first is bad and those behind it are as well, the error says so.

    Args:
        load: reads a file from its beginning; it is given what is to be done with bad records.
        on_bad: what that is; without it the first bad one raises.
    """
    good = False
    try:
        for record in load(on_bad):
            good = True
            yield record
    except UserError as error:
        if on_bad is not None or good:
            raise
        raise _looked_on(error, load) from None


def _looked_on(error: UserError, read: Callable[[OnBad], Iterable[Any]]) -> UserError:
    """The error of a file's first record; where the records behind it are bad as well, leaving them out is no mend.

    Args:
        read: reads the file from its beginning, and tells of bad records.
    """
    bad = 0

    def count(error: UserError, line: str) -> None:
        nonlocal bad
        bad += 1
        if bad >= _LOOKED_AT:
            raise _EnoughError

    try:
        for _ in read(count):
            return error
    except (UserError, _EnoughError):
        pass
    return _all_alike(error, error.message + (f" (so it is in all of the first {bad} records)" if bad > 1 else ""))


def unskippable(error: UserError) -> UserError:
    """The error of a record, where bad ones cannot be left out."""
    return _all_alike(error, error.message)


def _all_alike(first: UserError, message: str) -> UserError:
    mend = None if first.mend is None else _SKIPPING.sub("", first.mend)
    return UserError(message, file=first.file, line=first.line, field=first.field, mend=mend)


def count_lines(path: Path) -> int | None:
    """Lines of a plain file; None where they cannot be told: a packed one, or one that cannot be read."""
    try:
        with path.open("rb") as stream:
            count, last = 0, b"\n"
            while block := stream.read(1 << 20):
                if not count and block[:2] in (b"\x1f\x8b", b"PK"):
                    return None
                count, last = count + block.count(b"\n"), block[-1:]
            return count + (last != b"\n")
    except OSError:
        return None


class Rejects:
    """The file of bad records, each with its reason: made with the first, so that there is none where all are good."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._out: TextIO | None = None

    def add(self, error: UserError, line: str) -> None:
        """Note what is wrong with a line, and the line as far as it can be read."""
        if self._out is None:
            self._out = self._path.open("w", encoding="utf-8", newline="\n")
        entry = {"file": error.file, "line": error.line, "field": error.field, "reason": error.message, "raw": line}
        self._out.write(dump_json(entry) + "\n")

    def close(self) -> None:
        """Finish the file."""
        if self._out is not None:
            self._out.close()


def digest(text: str) -> bytes:
    """12 bytes that stand for a text: two of 10^9 texts share them with a chance of 10^-11."""
    return hashlib.blake2b(text.encode(), digest_size=12).digest()


class SeenTexts:
    """Which texts came before, and with what gold, by digest and on disk: memory does not grow with their number.

    Args:
        scratch: a folder for the scratch file.

    Raises:
        sqlite3.OperationalError: from every method, when the disk is full.
    """

    def __init__(self, scratch: Path) -> None:
        self._db = sqlite3.connect(scratch / "texts.sqlite")
        self._db.executescript(
            "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA cache_size=-16384;"
            "CREATE TABLE texts (hash BLOB PRIMARY KEY, gold BLOB) WITHOUT ROWID;"
        )

    def first_time(self, text: bytes, gold: bytes) -> bool:
        """Whether this digest of a text is new; ``gold`` is a digest of what belongs to it."""
        return self._db.execute("INSERT OR IGNORE INTO texts VALUES (?, ?)", (text, gold)).rowcount == 1

    def gold_of(self, text: bytes) -> bytes | None:
        """The digest of the gold that the text came with first; None if it is new."""
        row = self._db.execute("SELECT gold FROM texts WHERE hash = ?", (text,)).fetchone()
        return row[0] if row is not None else None

    def close(self) -> None:
        """Let go of the scratch file."""
        self._db.close()
