"""One stream through each file of a corpus: what is counted on the way."""

from __future__ import annotations

import errno
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ietool.core.contract import Task
from ietool.core.looked import Gold, Looked
from ietool.core.survey import Lengths
from ietool.errors import UserError
from ietool.files.full_disk import why_unwritten
from ietool.files.lines import OnBad
from ietool.files.records import SeenTexts, count_lines, digest
from ietool.inspect.characters import CharacterSurvey
from ietool.inspect.finding import Corpus, Split
from ietool.inspect.marks import Marks
from ietool.inspect.samples import Sample, Samples
from ietool.progress import Progress, no_progress
from ietool.registry import get_task
from ietool.text.characters import whole

TOLD = 5
"""Bad records of a file that are told one by one; as many places of texts with other labels."""

MOST_LABELS = 5_000
"""Labels that are counted one by one: of more, which no corpus means to have, the rest together."""

OTHERS = "(others)"

EVERY = 256

_TRIED = 20
"""Bad records at the beginning of a file by which it is told to have no gold."""


@dataclass
class Shared:
    """Records of a file that an earlier one has too.

    Attributes:
        same: the very same text; ``otherwise``: of those, with other gold.
        kin: kin of one there, the same ones included.
    """

    same: int = 0
    otherwise: int = 0
    kin: int = 0


@dataclass
class Seen:
    """Names of one kind: how often they stand, how many there are, and what of both train has."""

    total: int = 0
    distinct: int = 0
    total_in_train: int = 0
    distinct_in_train: int = 0
    lost: int = 0
    """That should stand in what is read, and do not."""


@dataclass
class SplitSurvey:
    """What was counted of one file.

    Attributes:
        labelled: whether it has gold.
        records: good ones; ``bad``: left out, of which ``told`` are the first.
        fault: what keeps the file from being read at all, or from some place on.
        further: records read besides, passages.
        items: of gold; ``empty``: records without any; ``most``: of one record.
        repeated: records that came before, ``otherwise`` with other gold, the first of those at ``places``.
        kin: records that are kin of an earlier one and not the same.
        overlapping: items that share a character with another item of their record.
        shared: name of an earlier file → what of this one it has.
        names: kind → names.
    """

    split: Split
    labelled: bool = False
    records: int = 0
    bad: int = 0
    told: list[UserError] = field(default_factory=list)
    fault: UserError | None = None
    lengths: Lengths = field(default_factory=Lengths)
    characters_read: int = 0
    further: int = 0
    further_lengths: Lengths = field(default_factory=Lengths)
    items: int = 0
    empty: int = 0
    per_record: Counter[int] = field(default_factory=Counter)
    labels: Counter[str] = field(default_factory=Counter)
    roles: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    repeated: int = 0
    otherwise: int = 0
    places: list[str] = field(default_factory=list)
    kin: int = 0
    overlapping: int = 0
    shared: dict[str, Shared] = field(default_factory=dict)
    names: dict[str, Seen] = field(default_factory=dict)
    characters: CharacterSurvey = field(default_factory=CharacterSurvey)
    samples: Samples = field(default_factory=lambda: Samples(0))


def survey(corpus: Corpus, *, drawn: int = 24, seed: int = 0, progress: Progress = no_progress) -> list[SplitSurvey]:
    """Read each file of a corpus once, and count.

    Memory does not grow with the files: texts and names lie on disk while they are compared.

    Args:
        drawn: records of each file that are drawn as samples.
        seed: of the drawing.

    Raises:
        OSError: the disk is full, or fails.
    """
    with tempfile.TemporaryDirectory(prefix="ietool-") as scratch:
        try:
            with closing(_Survey(corpus, Path(scratch), progress)) as whole:
                return [whole.read(split, Samples(drawn, seed)) for split in corpus.splits]
        except sqlite3.OperationalError as error:
            code = errno.EIO if why_unwritten(error) is None else errno.ENOSPC
            raise OSError(code, f"scratch file: {error}") from None


class _Survey:
    """What the files of a corpus share while they are read, train first."""

    def __init__(self, corpus: Corpus, scratch: Path, progress: Progress) -> None:
        self.corpus, self.scratch, self.progress = corpus, scratch, progress
        self.task: Task[Any] = get_task(corpus.task)
        self.done: list[tuple[SplitSurvey, SeenTexts]] = []
        self._open = ExitStack()
        self.kin = self._open.enter_context(closing(Marks(scratch, "kin")))
        self.names = self._open.enter_context(closing(Marks(scratch, "names")))
        self.train = 0
        """The files that are learnt from, as a sum of powers of two."""

    def close(self) -> None:
        self._open.close()

    def read(self, split: Split, samples: Samples) -> SplitSurvey:
        """Count one file."""
        found = SplitSurvey(split, samples=samples)
        number = len(self.done)
        folder = self.scratch / str(len(self.done))
        folder.mkdir()
        seen = self._open.enter_context(closing(SeenTexts(folder)))
        found.shared = {other.split.name: Shared() for other, _ in self.done}

        def on_bad(error: UserError, line: str) -> None:
            found.bad += 1
            if len(found.told) < TOLD:
                found.told.append(error)

        files = files_for(self.corpus, split)
        found.labelled = self._has_gold(split, files)
        try:
            records = (
                self.task.open_labelled(split.path, files, on_bad)
                if found.labelled
                else self._inputs(split, files, on_bad)
            )
            for example in self._watched(records, split):
                self._count(found, seen, number, example)
        except UserError as error:
            found.fault = error
        if split.learnt:
            self.train |= 1 << number
        self.done.append((found, seen))
        return found

    def _has_gold(self, split: Split, files: Mapping[str, Path]) -> bool:
        """Whether one of the first records can be read with its gold. A file of train is told to be bad where none can,
        and not to have none."""
        tried = 0

        def on_bad(error: UserError, line: str) -> None:
            nonlocal tried
            tried += 1
            if tried >= _TRIED:
                raise _EnoughError

        try:
            for _ in self.task.open_labelled(split.path, files, on_bad):
                return True
        except (_EnoughError, UserError):
            pass
        return split.learnt

    def _inputs(self, split: Split, files: Mapping[str, Path], on_bad: OnBad) -> Iterator[Any]:
        given = {role: path for role, path in files.items() if role in self.task.input_roles}
        if given:
            return self.task.open_inputs_with(str(split.path), given, on_bad)
        return self.task.open_inputs(str(split.path), on_bad)

    def _watched(self, records: Iterator[Any], split: Split) -> Iterator[Any]:
        step, lines = f"look at {split.path.name}", count_lines(split.path)
        number = 0
        for number, record in enumerate(records, 1):
            if number % EVERY == 0:
                line = getattr(record, "line", 0)
                self.progress(step, line or number, lines if line else None)
            yield record
        if number >= EVERY:
            self.progress(step, lines or number, lines or number)

    def _count(self, found: SplitSurvey, seen: SeenTexts, number: int, example: Any) -> None:
        looked = self.task.looked(example)
        found.records += 1
        file, line = getattr(example, "file", "") or found.split.path.name, getattr(example, "line", 0)
        place = f"{file.rpartition('/')[2]}:{line or f'record {found.records}'}"
        found.lengths.add(looked.text)
        found.characters.add(looked.text, place)
        found.characters_read += len(looked.text)
        for text in looked.further:
            found.further += 1
            found.characters_read += len(text)
            found.further_lengths.add(text)
            found.characters.add(text, place)
        gold = looked.gold if found.labelled else ()
        self._compare(found, seen, number, example, looked, gold, place)
        if looked.kind:
            _add(found.kinds, looked.kind)
        labels = [item.label for item in gold]
        for label in labels:
            _add(found.labels, label)
        if found.labelled:
            found.items += len(gold)
            found.empty += not gold
            found.per_record[len(gold)] += 1
            found.overlapping += _overlapping(gold) if self.task.words.stretches else 0
            self._names(found, number, gold)
        found.samples.offer(Sample(looked, place, found.records), dict.fromkeys(labels))

    def _compare(
        self,
        found: SplitSurvey,
        seen: SeenTexts,
        number: int,
        example: Any,
        looked: Looked,
        gold: Sequence[Gold],
        place: str,
    ) -> None:
        text = digest(whole(looked.identity or looked.text))
        mark = digest(whole(repr(sorted(item.key for item in gold)))) if found.labelled else b""
        again = not seen.first_time(text, mark)
        if again:
            found.repeated += 1
            if seen.gold_of(text) != mark:
                found.otherwise += 1
                if len(found.places) < TOLD:
                    found.places.append(place)
        kin = self.kin.add_all(self.task.kin(example), number)
        found.kin += bool(kin >> number & 1) and not again
        for n, (other, texts) in enumerate(self.done):
            shared = found.shared[other.split.name]
            shared.kin += kin >> n & 1
            theirs = texts.gold_of(text)
            if theirs is not None:
                shared.same += 1
                shared.otherwise += found.labelled and other.labelled and theirs != mark

    def _names(self, found: SplitSurvey, number: int, gold: Sequence[Gold]) -> None:
        for item in gold:
            for name in item.names:
                if name.role:
                    _add(found.roles, name.role)
                seen = found.names.setdefault(name.kind, Seen())
                before = self.names.add(f"{name.kind}\t{name.text}", number)
                fresh, known = not before >> number & 1, bool(before & self.train)
                seen.total += 1
                seen.distinct += fresh
                seen.total_in_train += known
                seen.distinct_in_train += fresh and known
                seen.lost += name.lost


class _EnoughError(Exception):
    """Enough bad records were seen."""


def files_for(corpus: Corpus, split: Split) -> dict[str, Path]:
    """What lies beside a file of texts, by role: its own tables go before those of all."""
    own = {role.partition("+")[2]: path for role, path in corpus.beside.items() if role.startswith(f"{split.name}+")}
    return {role: path for role, path in corpus.beside.items() if "+" not in role} | own


def _add(counts: Counter[str], label: str) -> None:
    counts[label if label in counts or len(counts) < MOST_LABELS else OTHERS] += 1


def _overlapping(gold: Sequence[Gold]) -> int:
    """Items, a stretch each, that share a character with another one."""
    spans = sorted((name.start, name.end) for item in gold for name in item.names if name.placed)
    marked, widest = [False] * len(spans), 0  # widest: which of those before ends last
    for n, (start, end) in enumerate(spans):
        if n and start < spans[widest][1]:
            marked[n] = marked[widest] = True
        if end > spans[widest][1]:
            widest = n
    return sum(marked)
