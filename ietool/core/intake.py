"""What the preparations of all tasks share: train is read once, kept whole with its row numbers, and its bad records,
repeats and held-out texts are told apart on the way."""

from __future__ import annotations

import errno
import sqlite3
import tempfile
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from random import Random
from typing import Generic, Protocol, TextIO, TypeVar

import numpy as np
import numpy.typing as npt

from ietool.core.groups import GROUPS, Groups
from ietool.errors import UserError
from ietool.files.full_disk import why_unwritten
from ietool.files.lines import OnBad
from ietool.files.records import Rejects, SeenTexts, count_lines, digest, first_told
from ietool.progress import Progress
from ietool.text.characters import fold

EVERY = 256
"""Records between two words of progress."""


class Placed(Protocol):
    """A record that knows its line in the file."""

    @property
    def line(self) -> int: ...


class SplitCounts(Protocol):
    """What is counted of one file."""

    records: int
    """Valid records, repeated ones included."""
    rejected: int
    duplicates: int
    conflicting: int
    """Repeated records with other gold than the first."""


class CountsRejected(Protocol):
    """Counts over a file, that of bad records among them."""

    rejected: int


Record = TypeVar("Record", bound=Placed)
E = TypeVar("E")


@contextmanager
def scratch_folder(folder: Path) -> Iterator[Path]:
    """A folder within ``folder`` that is gone afterwards.

    Raises:
        OSError: what :class:`ietool.files.records.SeenTexts` raises when the disk is full.
    """
    with tempfile.TemporaryDirectory(dir=folder, prefix=".scratch-") as name:
        try:
            yield Path(name)
        except sqlite3.OperationalError as error:
            code = errno.EIO if why_unwritten(error) is None else errno.ENOSPC
            raise OSError(code, f"scratch file: {error}") from None


def rejecting(rejects: Rejects | None, counts: CountsRejected) -> OnBad | None:
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


@dataclass(frozen=True)
class Kept(Generic[E]):
    """How a task keeps its examples.

    Attributes:
        dump: an example as one line, without its end.
        load: the example of such a line.
        identity: what makes two records the same record, as a text.
        gold: what belongs to it, as a text: repeated records with other gold are counted apart.
        group: texts that near-duplicates share; records that share one never part in folds.
        fate: what decides whether a record is held out as dev, as a text, so that near-duplicates have the same; None:
            the first text of its group.
    """

    dump: Callable[[E], str]
    load: Callable[[str], E]
    identity: Callable[[E], str]
    gold: Callable[[E], str]
    group: Callable[[E], Sequence[str]]
    fate: Callable[[E], str] | None = None

    def fate_of(self, example: E) -> str:
        """What decides whether a record is held out as dev."""
        return self.group(example)[0] if self.fate is None else self.fate(example)

    def read(self, path: Path, rows: Iterable[int] | None = None) -> Iterator[E]:
        """The examples of a kept file, or those of some row numbers, in the order of the file."""
        wanted = None if rows is None else set(rows)
        with path.open(encoding="utf-8", newline="\n") as lines:
            for number, line in enumerate(lines):
                if wanted is None or number in wanted:
                    yield self.load(line)

    def split(self, prepared: Path, split: str, limit: int | None = None) -> list[E]:
        """The first examples of a prepared split, ``dev`` or ``train``."""
        return list(islice(self.read(prepared / f"{split}.jsonl"), limit))


def bare(text: str) -> str:
    """A text without what near-duplicates differ in: case, width, blanks and punctuation."""
    return "".join(c for c in plain(text) if c.isalnum()) or text


def plain(text: str) -> str:
    """A text without case and width."""
    return fold(unicodedata.normalize("NFKC", text))


@dataclass(frozen=True)
class HoldOut:
    """Which share of train becomes dev where no dev file is given; a text's fate follows from itself and the seed."""

    share: float
    seed: int

    def holds(self, text: str) -> bool:
        return Random(f"{self.seed}/{text}").random() < self.share


class Intake(Generic[E]):
    """The records of one preparation.

    Args:
        folder: the prepared folder; ``train.jsonl`` and ``dev.jsonl`` are written there, a record a line, and
            ``groups.npy``.
        scratch: gone afterwards.
        rejects: the file of bad records; None: the first one raises.
        kept: how the task keeps its examples.
        left_out: see :class:`ietool.core.sources.Sources`: nothing is counted or kept of these records.
    """

    def __init__(
        self,
        folder: Path,
        scratch: Path,
        rejects: Path | None,
        progress: Progress,
        kept: Kept[E],
        left_out: npt.NDArray[np.bool_] | None = None,
    ) -> None:
        self.left_out = left_out
        self.folder, self.scratch, self.progress, self.kept = folder, scratch, progress, kept
        self.rejects = None if rejects is None else Rejects(rejects)
        self.seen, self.groups = SeenTexts(scratch), Groups(scratch)
        self.held = 0
        """Records that were held out as dev."""
        self.rows = 0
        """Records of train that are kept."""
        self.extra_rows = self.extra_in_dev = 0
        """Further records that are kept; those that were left out because dev has their text."""

    def close(self) -> None:
        """Finish all files."""
        self.seen.close()
        self.groups.close()
        if self.rejects is not None:
            self.rejects.close()

    def read(
        self, path: Path, load: Callable[[OnBad | None], Iterator[E]], counts: SplitCounts, step: str
    ) -> Iterator[E]:
        """The good records of a file, counted, with progress by lines; bad ones go to the rejects, if there are any.

        Args:
            load: opens the records; it is given what is to be done with bad ones.
        """
        records = first_told(load, rejecting(self.rejects, counts))
        for example in watched(records, self.progress, step, count_lines(path)):  # type: ignore[type-var]
            counts.records += 1
            yield example

    def train(
        self, records: Iterable[E], counts: SplitCounts, hold: HoldOut | None = None, *, once: bool = True
    ) -> Iterator[E]:
        """Keep the records of train and give those that are kept: the n-th has row number n.

        Args:
            hold: which records are set aside as dev instead, if any.
            once: leave out repeated records, which are counted in any case.

        Raises:
            UserError: there are more or fewer records than :attr:`left_out` speaks of.
        """
        kept, left_out = self.kept, self.left_out
        numbered = 0
        with ExitStack() as stack:
            out, aside = (
                stack.enter_context(_create(path))
                for path in (self.folder / "train.jsonl", self.scratch / "held.jsonl")
            )
            for example in records:
                text, gold = digest(kept.identity(example)), digest(kept.gold(example))
                if not self.seen.first_time(text, gold):
                    counts.duplicates += 1
                    counts.conflicting += self.seen.gold_of(text) != gold
                    if once:
                        continue
                if hold is not None and hold.holds(kept.fate_of(example)):
                    aside.write(kept.dump(example) + "\n")
                    self.held += 1
                    continue
                numbered += 1
                if left_out is not None and numbered <= len(left_out) and left_out[numbered - 1]:
                    self.groups.leave_out(kept.group(example))
                    continue
                out.write(kept.dump(example) + "\n")
                self.groups.add(kept.group(example))
                self.rows += 1
                yield example
        if left_out is not None and numbered != len(left_out):
            message = f"train has {numbered:,} records, the folds were cut of {len(left_out):,}"
            raise UserError(message, mend="cut them anew with another --output, or with --overwrite")
        np.save(self.folder / GROUPS, self.groups.numbers())

    def is_left_out(self, example: E) -> bool:
        """Whether a record of another file is, but for case and punctuation, one that is left out of train."""
        return self.left_out is not None and self.groups.knows_left_out(self.kept.group(example))

    def extra(
        self, records: Iterable[E], counts: SplitCounts, dev: Callable[[OnBad], Iterable[E]] | None
    ) -> Iterator[E]:
        """Keep further records, to be trained on beside train, and give those that are kept: the n-th has the row
        number n behind the last one of train. Call it when train is read.

        What train has is left out, and what dev has, but for case and punctuation, or what is left out of train.

        Args:
            dev: opens the dev file, whose bad records are told of when it is read for good; None: dev was held out.
        """
        kept = self.kept
        held = kept.read(self.scratch / "held.jsonl") if dev is None else dev(lambda error, line: None)
        of_dev = {digest(text) for example in held for text in kept.group(example)}
        with _create(self.folder / "extra.jsonl") as out:
            for example in records:
                if any(digest(text) in of_dev for text in kept.group(example)):
                    self.extra_in_dev += 1
                    continue
                text, gold = digest(kept.identity(example)), digest(kept.gold(example))
                if not self.seen.first_time(text, gold):
                    counts.duplicates += 1
                    counts.conflicting += self.seen.gold_of(text) != gold
                    continue
                if self.is_left_out(example):
                    continue
                out.write(kept.dump(example) + "\n")
                self.extra_rows += 1
                yield example

    def further(self) -> Iterator[E]:
        """The kept further records once more, from disk; none where there is no file of them."""
        path = self.folder / "extra.jsonl"
        return self.kept.read(path) if path.is_file() else iter(())

    def extra_notes(self, what: str) -> list[str]:
        """What the user should know of further records, which are ``what`` (``texts``)."""
        if not self.extra_in_dev:
            return []
        return [f"extra: {self.extra_in_dev:,} {what} stand in dev, and are left out: scores on dev would flatter"]

    def again(self) -> Iterator[E]:
        """The kept records of train once more, from disk."""
        return self.kept.read(self.folder / "train.jsonl")

    def dev(self, records: Iterable[E] | None, counts: SplitCounts) -> Iterator[tuple[E, bool]]:
        """Keep the records of dev, and tell of each whether it stands in train too.

        Args:
            records: of the dev file; None: those that were held out.
        """
        seen: set[bytes] = set()
        source = self.kept.read(self.scratch / "held.jsonl") if records is None else records
        with _create(self.folder / "dev.jsonl") as out:
            for example in source:
                out.write(self.kept.dump(example) + "\n")
                text = digest(self.kept.identity(example))
                counts.duplicates += text in seen
                seen.add(text)
                yield example, records is not None and self.seen.gold_of(text) is not None


def nothing_held_out(path: Path, what: str = "text") -> UserError:
    """What is told where there is no dev file and train gives none: no ``what``."""
    return UserError(
        f"gives no {what} to hold out as dev",
        file=path,
        mend="name a dev file with --dev FILE: data.held_out takes none of it",
    )


def held_out_note(count: int, what: str, share: float, seed: int) -> str:
    """What is told where dev was held out: how many ``what`` of train."""
    return f"no dev file was given: {count:,} {what} of train are held out (data.held_out={share:g}, seed {seed})"


def _create(path: Path) -> TextIO:
    return path.open("w", encoding="utf-8", newline="\n")
