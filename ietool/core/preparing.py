"""What preparations share whose records are texts to cut and encode: the walk over train, further records and dev.

Train is read once: its good records go to a scratch file while what features need is counted; from there they are
encoded, since features need the whole vocabulary. Memory does not grow with the files.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from itertools import chain
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from ietool.core.contract import PrepareReport
from ietool.core.intake import EVERY, HoldOut, Intake, SplitCounts, held_out_note, nothing_held_out
from ietool.core.learnable import check_learnable
from ietool.core.sources import EXTRA, Sources
from ietool.core.survey import OracleCounts
from ietool.errors import UserError
from ietool.files.lines import OnBad
from ietool.text.readers import keep_tokens
from ietool.text.units import UnitReader
from ietool.text.windows import RECORD, HasText, batches

_BATCH_CHARACTERS = 8192
"""Texts are encoded so many characters at a time."""


class _Shares(Protocol):
    """Which share of train becomes dev where none is given."""

    @property
    def held_out(self) -> float: ...
    @property
    def held_out_seed(self) -> int: ...


class _Recipe(Protocol):
    @property
    def data(self) -> _Shares: ...


class Counts(SplitCounts, Protocol):
    """What a task counts of one file."""

    def numbers(self) -> dict[str, Any]:
        """For ``--json``."""
        ...


R = TypeVar("R", bound=_Recipe)
E = TypeVar("E", bound=HasText)
S = TypeVar("S", bound=Counts)


class Preparation(ABC, Generic[R, E, S]):
    """One run of ``prepare``: what its steps share.

    Args:
        survey: makes the counts of one file.

    Attributes:
        splits: name of the file → its counts.
        shared: records of dev that stand in train too.
        what: what a record is called, in the singular.
    """

    what: ClassVar[str] = "text"

    def __init__(self, recipe: R, sources: Sources, intake: Intake[E], survey: Callable[[], S]) -> None:
        self.recipe, self.sources, self.intake = recipe, sources, intake
        self.folder, self.progress = intake.folder, intake.progress
        names = ("train", *([EXTRA] if EXTRA in sources.files else ()), "dev")
        self.splits: dict[str, S] = {name: survey() for name in names}
        self.shared = 0

    @abstractmethod
    def load(self, split: str, on_bad: OnBad | None = None) -> Iterator[E]:
        """The records of a file; what is done with bad ones is given."""

    @abstractmethod
    def encode(self, batch: list[E], counts: S) -> Iterator[Iterable[dict[str, Any]]]:
        """The rows of the training table of some records, record by record; counts them. A row has ``ids``."""

    def examples(self, split: str) -> Iterator[E]:
        """The good records of a file, counted."""
        counts = self.splits[split]
        return self.intake.read(self.sources.files[split], partial(self.load, split), counts, f"read {split}")

    def train(self, *, once: bool = True) -> Iterator[E]:
        """Keep train, hold out dev where there is none, and give what is kept.

        Args:
            once: leave out repeated records.

        Raises:
            UserError: dev was to be held out, and no record was.
        """
        data = self.recipe.data
        hold = None if "dev" in self.sources.files else HoldOut(data.held_out, data.held_out_seed)
        yield from self.intake.train(self.examples("train"), self.splits["train"], hold, once=once)
        if hold and not self.intake.held:
            raise self.nothing_held_out()

    def nothing_held_out(self) -> UserError:
        """What is told where train gave no record to be dev."""
        return nothing_held_out(self.sources.files["train"], self.what)

    def further(self) -> Iterator[E]:
        """Further records that were kept, from disk."""
        return self.intake.further()

    def extra(self, records: Iterable[E] | None = None) -> Iterator[E]:
        """Keep further records, and give what is kept; none where there is no file of them.

        Args:
            records: the good ones of the file, where a task reads more beside them.
        """
        files = self.sources.files
        if EXTRA not in files:
            return
        dev = partial(self.load, "dev") if "dev" in files else None
        yield from self.intake.extra(self.examples(EXTRA) if records is None else records, self.splits[EXTRA], dev)

    def train_rows(self, reader: UnitReader) -> Iterator[dict[str, Any]]:
        """The rows of the training table, with the number of their record; then the tokens that ``reader`` keeps."""
        train, total, record = self.splits["train"], self.intake.rows + self.intake.extra_rows, 0
        seen = set[int]()
        whole = ((train, batch) for batch in batches(self.intake.again(), _BATCH_CHARACTERS))
        extra = ((self.splits[EXTRA], batch) for batch in batches(self.further(), _BATCH_CHARACTERS))
        for counts, batch in chain(whole, extra):
            for rows in self.encode(batch, counts):
                for row in rows:
                    seen.update(row["ids"].tolist())
                    yield {RECORD: record, **row}
                record += 1
            if total >= EVERY:
                self.progress("features", record, total)
        self.progress("features", total, total)
        keep_tokens(self.folder, reader, seen)

    def read_dev(self) -> None:
        """Keep dev as it is, and count it, and what it shares with train."""
        counts, records = self.splits["dev"], 0
        for batch in batches(self._dev(), _BATCH_CHARACTERS):
            records += len(batch)
            for _ in self.encode(batch, counts):
                pass
            self.of_dev(batch)
        counts.records = counts.records or records

    def _dev(self) -> Iterator[E]:
        given = self.examples("dev") if "dev" in self.sources.files else None
        for example, in_train in self.intake.dev(given, self.splits["dev"]):
            self.shared += in_train
            yield example

    def of_dev(self, batch: list[E]) -> None:
        """Told of the records of dev, for tasks that count more of them."""

    def new_report(self, oracles: Mapping[str, OracleCounts], items: str, mends: Mapping[str, str]) -> PrepareReport:
        """A report with what every task says: numbers of each file, and notes on what cannot be learnt, on further
        records, and on what was held out.

        Args:
            items: what is gold, in the plural.
            mends: see :func:`ietool.core.learnable.check_learnable`.
        """
        splits, data, many = self.splits, self.recipe.data, f"{self.what}s"
        report = PrepareReport(rejected=sum(s.rejected for s in splits.values()))
        report.statistics = {name: s.numbers() for name, s in splits.items()}
        report.statistics["overlap"] = {many: self.shared}
        report.notes = [*self.intake.extra_notes(many)]
        report.notes += check_learnable(oracles, items, mends, self.sources.files["train"])
        if "dev" not in self.sources.files:
            report.notes.append(held_out_note(splits["dev"].records, many, data.held_out, data.held_out_seed))
        return report
