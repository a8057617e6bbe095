"""What the preparations of all tasks share: a scratch folder, bad records set aside, progress."""

from __future__ import annotations

import errno
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, TypeVar

from ietool.errors import UserError
from ietool.files import OnBad
from ietool.progress import Progress
from ietool.records import Rejects

EVERY = 256
"""Records between two words of progress."""


class Placed(Protocol):
    """A record that knows its line in the file."""

    @property
    def line(self) -> int: ...


class Counts(Protocol):
    """Counts over a file, that of bad records among them."""

    rejected: int


Record = TypeVar("Record", bound=Placed)


@contextmanager
def scratch_folder(folder: Path) -> Iterator[Path]:
    """A folder within ``folder`` that is gone afterwards.

    Raises:
        OSError: what :class:`ietool.records.SeenTexts` raises when the disk is full.
    """
    with tempfile.TemporaryDirectory(dir=folder, prefix=".scratch-") as name:
        try:
            yield Path(name)
        except sqlite3.OperationalError as error:
            raise OSError(errno.ENOSPC, f"scratch file: {error}") from None


def rejecting(rejects: Rejects | None, counts: Counts) -> OnBad | None:
    """What a reader does with bad records: count them and set them aside; None where the first one must raise."""
    if rejects is None:
        return None
    kept = rejects

    def reject(error: UserError, line: str) -> None:
        counts.rejected += 1
        kept.add(error, line)

    return reject


def watched(records: Iterable[Record], progress: Progress, step: str, lines: int | None) -> Iterator[Record]:
    """The records of a file of so many lines, with progress: by lines where their number is known."""
    number = 0
    for number, record in enumerate(records, 1):
        if number % EVERY == 0:
            progress(step, record.line if lines else number, lines)
        yield record
    if number >= EVERY:
        progress(step, lines or number, lines or number)
