"""Prepare: validate, count, encode and write. Memory does not grow with the files.

Train is read once: its good records go to a scratch file, each table once beside them, while characters are counted;
from there they are encoded, since features need the whole vocabulary.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

from ietool.core.contract import PrepareReport
from ietool.core.intake import EVERY, HoldOut, Intake, held_out_note, nothing_held_out, scratch_folder
from ietool.core.learnable import check_known, check_learnable
from ietool.core.sources import EXTRA, Sources
from ietool.core.survey import oracle_table
from ietool.errors import UserError
from ietool.files.lines import OnBad
from ietool.progress import Progress
from ietool.tasks.nl2sql.data.example import Example
from ietool.tasks.nl2sql.data.reading import load_examples
from ietool.tasks.nl2sql.data.sources import TABLES
from ietool.tasks.nl2sql.features.alignment import align
from ietool.tasks.nl2sql.features.featurizer import Featurizer
from ietool.tasks.nl2sql.prepare.keeping import Keeping
from ietool.tasks.nl2sql.prepare.labelling import MENDS, ORACLE_NOTE, count, row_of
from ietool.tasks.nl2sql.prepare.survey import Survey, corpus_table, notes, part_table
from ietool.tasks.nl2sql.recipe import Nl2sqlRecipe
from ietool.text.characters import fold
from ietool.text.readers import keep_tokens, write_reader
from ietool.text.windows import batches
from ietool.training.sets import RECORD
from ietool.training.tables import columns, write_table

_BATCH_CHARACTERS = 8192
"""Questions are encoded so many characters at a time."""


def prepare(
    recipe: Nl2sqlRecipe, sources: Sources, folder: Path, *, rejects: Path | None, progress: Progress
) -> PrepareReport:
    """Validate and encode ``train`` and ``dev`` of the sources into ``folder``; see :meth:`Task.prepare`.

    Of a question that train has several times for one table the first copy is used. Without ``dev`` a share of train is
    held out. Files of tables are found beside those of questions, unless ``tables`` is among the sources.

    Raises:
        UserError: a file that cannot be read or has no usable record; without ``rejects`` also the first bad record.
        OSError: the disk is full.
    """
    with (
        scratch_folder(folder) as scratch,
        closing(Keeping(folder, new=True)) as keeping,
        closing(Intake(folder, scratch, rejects, progress, keeping.kept, sources.left_out)) as intake,
    ):
        return _Preparation(recipe, sources, intake, keeping).run()


class _Preparation:
    """One run of :func:`prepare`: what its steps share."""

    def __init__(self, recipe: Nl2sqlRecipe, sources: Sources, intake: Intake[Example], keeping: Keeping) -> None:
        self.recipe, self.sources, self.intake, self.keeping = recipe, sources, intake, keeping
        self.folder, self.progress = intake.folder, intake.progress
        names = ("train", *([EXTRA] if EXTRA in sources.files else ()), "dev")
        self.splits = {name: Survey() for name in names}
        self.shared = 0

    def run(self) -> PrepareReport:
        characters = self.read_train()
        if EXTRA in self.sources.files:
            self.read_extra(characters)
        write_reader(self.folder, self.recipe.model.encoder, characters)
        self.featurizer = Featurizer.open(self.recipe, self.folder)
        self.unknown = self.featurizer.reader.unknown
        write_table(self.train_rows, _columns(), self.folder / "train", self.intake.scratch)
        train = self.splits["train"]
        check_known(self.recipe, self.featurizer.reader, train.unknown, train.units)
        self.read_dev()
        return self.report()

    def opened(self, split: str, on_bad: OnBad | None = None) -> Iterator[Example]:
        """The records of a file, with the tables of its own, or those of all files."""
        files = self.sources.files
        return load_examples(files[split], on_bad, tables=files.get(f"{split}+{TABLES}", files.get(TABLES)))

    def examples(self, split: str) -> Iterator[Example]:
        """The good records of a file, counted."""
        path = self.sources.files[split]
        return self.intake.read(path, partial(self.opened, split), self.splits[split], f"read {split}")

    def read_train(self) -> Counter[str]:
        """Keep train, hold out dev where there is none, and count what features need."""
        data, counts = self.recipe.data, self.splits["train"]
        hold = None if "dev" in self.sources.files else HoldOut(data.held_out, data.held_out_seed)
        characters: Counter[str] = Counter()
        for example in self.intake.train(self.examples("train"), counts, hold):
            characters.update(_characters(example))
        if hold and not self.intake.held:
            raise nothing_held_out(self.sources.files["train"], "question")
        if not self.intake.rows:
            raise UserError("leaves no question to learn from", file=self.sources.files["train"])
        return characters

    def read_extra(self, characters: Counter[str]) -> None:
        """Keep further records, and count what features need."""
        dev = partial(self.opened, "dev") if "dev" in self.sources.files else None
        for example in self.intake.extra(self.examples(EXTRA), self.splits[EXTRA], dev):
            characters.update(_characters(example))

    def train_rows(self) -> Iterator[dict[str, Any]]:
        """The rows of the training table, one a question."""
        train, total, record = self.splits["train"], self.intake.rows + self.intake.extra_rows, 0
        seen = set[int]()
        whole = ((train, batch) for batch in batches(self.intake.again(), _BATCH_CHARACTERS))
        extra = ((self.splits[EXTRA], batch) for batch in batches(self.intake.further(), _BATCH_CHARACTERS))
        for counts, batch in chain(whole, extra):
            for row in self.encode(batch, counts):
                seen.update(row["ids"].tolist())
                yield {RECORD: record, **row}
                record += 1
            if total >= EVERY:
                self.progress("features", record, total)
        self.progress("features", total, total)
        keep_tokens(self.folder, self.featurizer.reader, seen)

    def read_dev(self) -> None:
        """Keep dev as it is, and count what it shares with train."""
        counts = self.splits["dev"]
        given = self.examples("dev") if "dev" in self.sources.files else None
        for batch in batches(self._dev(given), _BATCH_CHARACTERS):
            for _ in self.encode(batch, counts):
                pass
        counts.records = counts.records or counts.questions

    def _dev(self, given: Iterator[Example] | None) -> Iterator[Example]:
        for example, in_train in self.intake.dev(given, self.splits["dev"]):
            self.shared += in_train
            yield example

    def encode(self, batch: list[Example], counts: Survey) -> Iterator[dict[str, Any]]:
        """The rows of some questions; counts them."""
        for piece in self.featurizer.pieces(batch):
            alignment = align(piece.example)
            row = row_of(piece, alignment)
            counts.add(piece, self.unknown)
            count(piece, row, alignment, counts.oracle)
            yield row

    def report(self) -> PrepareReport:
        """Tables, numbers and notes."""
        splits, data = self.splits, self.recipe.data
        oracles = {name: s.oracle for name, s in splits.items()}
        report = PrepareReport(rejected=sum(s.rejected for s in splits.values()))
        oracle = oracle_table(oracles, "queries", ORACLE_NOTE)
        report.tables = [corpus_table(splits, self.shared), oracle, part_table(splits)]
        report.statistics = {name: s.numbers() for name, s in splits.items()}
        report.statistics |= {"overlap": {"questions": self.shared}, "tables": self.keeping.tables}
        report.notes = notes(splits, self.shared, self.featurizer.longest)
        report.notes += self.intake.extra_notes("questions")
        report.notes += check_learnable(oracles, "queries", MENDS, self.sources.files["train"])
        if "dev" not in self.sources.files:
            held = splits["dev"].questions
            report.notes.append(held_out_note(held, "questions", data.held_out, data.held_out_seed))
        return report


def _characters(example: Example) -> str:
    return fold(example.question) + "".join(map(fold, example.table.header))


def _columns() -> Any:
    numbers = {
        "ids": "int32", "words": "int32", "tags": "uint8", "marks": "int32", "cuts": "int32", "links": "int32",
        "connector": "int8", "aggregates": "int8", "operators": "int8", "spans": "int32", "values": "int32",
        "features": "uint8", "targets": "uint8",
    }  # fmt: skip
    return columns({RECORD: "int32", "length": "int32"}, numbers)
