"""Prepare: validate, count, encode and write. Memory does not grow with the files.

Train is read once: its good records go to a scratch file, each table once beside them, while characters are counted;
from there they are encoded, since features need the whole vocabulary.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

from ietool.core.contract import PrepareReport
from ietool.core.intake import Intake, scratch_folder
from ietool.core.learnable import check_known, nothing_to_learn
from ietool.core.preparing import Preparation
from ietool.core.sources import Sources
from ietool.core.survey import oracle_table
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
from ietool.text.readers import write_reader
from ietool.text.windows import RECORD
from ietool.training.tables import columns, write_table


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


class _Preparation(Preparation[Nl2sqlRecipe, Example, Survey]):
    what = "question"

    def __init__(self, recipe: Nl2sqlRecipe, sources: Sources, intake: Intake[Example], keeping: Keeping) -> None:
        super().__init__(recipe, sources, intake, Survey)
        self.keeping = keeping

    def run(self) -> PrepareReport:
        characters = self.read_train()
        for example in self.extra():
            characters.update(_characters(example))
        write_reader(self.folder, self.recipe.model.encoder, characters)
        self.featurizer = Featurizer.open(self.recipe, self.folder)
        self.unknown = self.featurizer.reader.unknown
        reader = self.featurizer.reader
        write_table(partial(self.train_rows, reader), _columns(), self.folder / "train", self.intake.scratch)
        train = self.splits["train"]
        check_known(self.recipe, reader, train.unknown, train.units)
        self.read_dev()
        return self.report()

    def load(self, split: str, on_bad: OnBad | None = None) -> Iterator[Example]:
        files = self.sources.files  # with the tables of its own, or those of all files
        return load_examples(files[split], on_bad, tables=files.get(f"{split}+{TABLES}", files.get(TABLES)))

    def read_train(self) -> Counter[str]:
        """Keep train, and count what features need."""
        characters = Counter[str]()
        for example in self.train():
            characters.update(_characters(example))
        if not self.intake.rows:
            raise nothing_to_learn(self.sources, "question")
        return characters

    def encode(self, batch: list[Example], counts: Survey) -> Iterator[list[dict[str, Any]]]:
        for piece in self.featurizer.pieces(batch):
            alignment = align(piece.example)
            row = row_of(piece, alignment)
            counts.add(piece, self.unknown)
            count(piece, row, alignment, counts.oracle)
            yield [row]

    def report(self) -> PrepareReport:
        """Tables, numbers and notes."""
        splits = self.splits
        oracles = {name: s.oracle for name, s in splits.items()}
        report = self.new_report(oracles, "queries", MENDS)
        oracle = oracle_table(oracles, "queries", ORACLE_NOTE)
        report.tables = [corpus_table(splits, self.shared), oracle, part_table(splits)]
        report.statistics["tables"] = self.keeping.tables
        report.notes = notes(splits, self.shared, self.featurizer.longest) + report.notes
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
