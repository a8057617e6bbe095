"""Prepare: validate, count, encode and write. Memory does not grow with the files, but for the names of train.

Train is read once: its good records go to a scratch file while characters and types are counted; from there they are
encoded, since features need the whole vocabulary. Records of the same text and type with different subjects all stay.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ietool.core.contract import PrepareReport
from ietool.core.intake import Intake, Kept, bare, scratch_folder
from ietool.core.learnable import check_known, nothing_to_learn
from ietool.core.preparing import Preparation
from ietool.core.sources import Sources
from ietool.core.survey import oracle_table
from ietool.files.lines import OnBad
from ietool.progress import Progress
from ietool.tasks.event_subject.data.example import Example, occurrences
from ietool.tasks.event_subject.data.reading import load_examples
from ietool.tasks.event_subject.features.featurizer import Featurizer, TypedPiece, load_types, save_types
from ietool.tasks.event_subject.prepare.survey import (
    ABSENT,
    APART,
    MENDS,
    ORACLE_NOTE,
    TOKEN,
    TYPE,
    Baseline,
    Survey,
    corpus_table,
    floor_table,
    notes,
    type_table,
)
from ietool.tasks.event_subject.recipe import SubjectRecipe
from ietool.text.characters import fold
from ietool.text.matching import NameMatcher
from ietool.text.readers import write_reader
from ietool.text.windows import RECORD
from ietool.training.tables import columns, write_table


def _dump(example: Example) -> str:
    return json.dumps((example.text, example.type, example.subject, example.id), ensure_ascii=False)


def _load(line: str) -> Example:
    return Example(*json.loads(line))


KEPT = Kept(
    _dump,
    _load,
    identity=lambda e: f"{e.text}\t{e.type}",
    gold=lambda e: e.subject,
    group=lambda e: [bare(e.text)],
)
"""How examples are kept in a prepared folder. A text is never on both sides, whatever types are asked for in it."""


def prepare(
    recipe: SubjectRecipe, sources: Sources, folder: Path, *, rejects: Path | None, progress: Progress
) -> PrepareReport:
    """Validate and encode ``train`` and ``dev`` of the sources into ``folder``; see :meth:`Task.prepare`.

    Without ``dev`` a share of the texts of train is held out.

    Raises:
        UserError: a file that cannot be read or has no usable record; without ``rejects`` also the first bad record.
        OSError: the disk is full.
    """
    with (
        scratch_folder(folder) as scratch,
        closing(Intake(folder, scratch, rejects, progress, KEPT, sources.left_out)) as intake,
    ):
        return _Preparation(recipe, sources, intake).run()


class _Preparation(Preparation[SubjectRecipe, Example, Survey]):
    what = "record"

    def __init__(self, recipe: SubjectRecipe, sources: Sources, intake: Intake[Example]) -> None:
        super().__init__(recipe, sources, intake, Survey)
        self.subjects: dict[str, None] = {}
        self.baseline = Baseline()

    def run(self) -> PrepareReport:
        characters, types = self.read_train()
        names = [name for name, _ in types.most_common()]
        further = Counter[str]()
        for example in self.extra():
            characters.update(fold(example.text))
            further[example.type] += 1
        names = list(dict.fromkeys((*names, *(name for name, _ in further.most_common()))))  # behind those of train
        if self.sources.like is not None:
            names = list(dict.fromkeys((*load_types(self.sources.like), *names)))
        if not self.subjects:
            raise nothing_to_learn(self.sources, "subject")
        save_types(names, self.folder)
        write_reader(self.folder, self.recipe.model.encoder, characters)
        self.featurizer = Featurizer.open(self.recipe, self.folder)
        self.unknown = self.featurizer.reader.unknown
        reader = self.featurizer.reader
        write_table(partial(self.train_rows, reader), _columns(), self.folder / "train", self.intake.scratch)
        train = self.splits["train"]
        check_known(self.recipe, reader, train.unknown, train.units)
        self.matcher = NameMatcher(self.subjects)
        self.read_dev()
        return self.report()

    def load(self, split: str, on_bad: OnBad | None = None) -> Iterator[Example]:
        return load_examples(self.sources.files[split], on_bad)

    def read_train(self) -> tuple[Counter[str], Counter[str]]:
        """Keep train, and count what features need: characters, types."""
        characters, types = Counter[str](), Counter[str]()
        for example in self.train(once=False):
            characters.update(fold(example.text))
            types[example.type] += 1
            if example.subject:
                self.subjects[example.subject] = None
        return characters, types

    def encode(self, batch: list[Example], counts: Survey) -> Iterator[Iterator[dict[str, Any]]]:
        pieces: list[list[TypedPiece]] = [[] for _ in batch]
        for number, piece in self.featurizer.cut(batch):
            pieces[number].append(piece)
        for example, mine in zip(batch, pieces, strict=True):
            counts.add(example, mine, self.unknown)
            places = list(occurrences(example.text, example.subject))
            rows = [_rows(places, piece) for piece in mine]
            if example.subject:
                counts.oracle.gold += 1
                if not any(map(len, rows)):
                    counts.oracle.lost[self._reason(example, places, mine)] += 1
            # One whose subject cannot be labelled teaches nothing: to be told that there is none would be wrong.
            yield iter(()) if example.subject and not any(map(len, rows)) else map(_row, mine, rows)

    def _reason(
        self, example: Example, places: Sequence[tuple[int, int]], pieces: Sequence[TypedPiece]
    ) -> str:  # fmt: skip
        if example.type not in self.featurizer.numbers:
            return TYPE
        if not places:
            return ABSENT
        return TOKEN if any(p.start <= a and b <= p.end for a, b in places for p in pieces) else APART

    def of_dev(self, batch: list[Example]) -> None:
        """What the longest name of train reaches on dev is counted, too."""
        for example, found in zip(batch, self.matcher.find_all([e.text for e in batch]), strict=True):
            longest = max(found, key=lambda m: (m[2] - m[1], -m[1]), default=(0, 0, 0))
            self.baseline.add(example.subject, example.text[longest[1] : longest[2]])

    def report(self) -> PrepareReport:
        """Tables, numbers and notes."""
        splits = self.splits
        oracles = {name: s.oracle for name, s in splits.items()}
        report = self.new_report(oracles, "subjects", MENDS)
        oracle = oracle_table(oracles, "subjects", ORACLE_NOTE)
        report.tables = [corpus_table(splits, self.shared), oracle, type_table(splits), floor_table(self.baseline)]
        report.statistics |= {"types": len(self.featurizer.numbers), "floor": self.baseline.numbers()}
        report.notes = notes(splits, self.shared, self.recipe.data.window) + report.notes
        return report


def _row(piece: TypedPiece, rows: np.ndarray) -> dict[str, Any]:
    """A row of the training table; ``rows`` (n, 2) are the spans of units in which the subject stands."""
    units = piece.units
    return {
        "length": len(units), "type": piece.type, "ids": units.ids, "words": units.words, "tags": units.tags,
        "inside": units.inside.astype(np.uint8), "rows": rows.reshape(-1),
    }  # fmt: skip


def _rows(places: Sequence[tuple[int, int]], piece: TypedPiece) -> np.ndarray:
    """(n, 2): the units of the places that lie whole in a piece."""
    mine = [(a - piece.start, b - piece.start) for a, b in places if piece.start <= a and b <= piece.end]
    spans = piece.units.spans_of(np.array(mine, np.int64))
    return spans[spans[:, 0] >= 0]


def _columns() -> Any:
    numbers = {"ids": "int32", "words": "int32", "tags": "uint8", "inside": "uint8", "rows": "int32"}
    return columns({RECORD: "int32", "length": "int32", "type": "int32"}, numbers)
