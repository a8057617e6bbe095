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
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from ietool.core.contract import PrepareReport
from ietool.core.intake import EVERY, HoldOut, Intake, Kept, bare, held_out_note, nothing_held_out, scratch_folder
from ietool.core.learnable import check_known, check_learnable
from ietool.core.sources import EXTRA, Sources
from ietool.core.survey import oracle_table
from ietool.errors import UserError
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
from ietool.text.readers import keep_tokens, write_reader
from ietool.text.windows import batches
from ietool.training.sets import RECORD
from ietool.training.tables import columns, write_table

_BATCH_CHARACTERS = 8192
"""Texts are encoded so many characters at a time."""


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
    fate=lambda e: bare(e.text),
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


class _Preparation:
    """One run of :func:`prepare`: what its steps share."""

    def __init__(self, recipe: SubjectRecipe, sources: Sources, intake: Intake[Example]) -> None:
        self.recipe, self.sources, self.intake = recipe, sources, intake
        self.folder, self.progress = intake.folder, intake.progress
        names = ("train", *([EXTRA] if EXTRA in sources.files else ()), "dev")
        self.splits = {name: Survey() for name in names}
        self.shared = 0
        self.subjects: dict[str, None] = {}
        self.baseline = Baseline()

    def run(self) -> PrepareReport:
        characters, types = self.read_train()
        names = [name for name, _ in types.most_common()]
        if EXTRA in self.sources.files:  # types of its own come behind those of train
            names = list(dict.fromkeys((*names, *self.read_extra(characters))))
        if self.sources.like is not None:
            names = list(dict.fromkeys((*load_types(self.sources.like), *names)))
        if not self.subjects:
            raise UserError("has no subject to learn from", file=self.sources.files["train"])
        save_types(names, self.folder)
        write_reader(self.folder, self.recipe.model.encoder, characters)
        self.featurizer = Featurizer.open(self.recipe, self.folder)
        self.unknown = self.featurizer.reader.unknown
        write_table(self.train_rows, _columns(), self.folder / "train", self.intake.scratch)
        train = self.splits["train"]
        check_known(self.recipe, self.featurizer.reader, train.unknown, train.units)
        self.read_dev()
        return self.report()

    def examples(self, split: str) -> Iterator[Example]:
        """The good records of a file."""
        path = self.sources.files[split]
        return self.intake.read(path, partial(load_examples, path), self.splits[split], f"read {split}")

    def read_train(self) -> tuple[Counter[str], Counter[str]]:
        """Keep train, hold out dev where there is none, and count what features need: characters, types."""
        data, counts = self.recipe.data, self.splits["train"]
        hold = None if "dev" in self.sources.files else HoldOut(data.held_out, data.held_out_seed)
        characters, types = Counter[str](), Counter[str]()
        for example in self.intake.train(self.examples("train"), counts, hold, once=False):
            characters.update(fold(example.text))
            types[example.type] += 1
            if example.subject:
                self.subjects[example.subject] = None
        if hold and not self.intake.held:
            raise nothing_held_out(self.sources.files["train"])
        return characters, types

    def read_extra(self, characters: Counter[str]) -> list[str]:
        """Keep further records, and count what features need; gives their types, the most frequent first."""
        files = self.sources.files
        dev = partial(load_examples, files["dev"]) if "dev" in files else None
        types = Counter[str]()
        for example in self.intake.extra(self.examples(EXTRA), self.splits[EXTRA], dev):
            characters.update(fold(example.text))
            types[example.type] += 1
        return [name for name, _ in types.most_common()]

    def train_rows(self) -> Iterator[dict[str, Any]]:
        """The rows of the training table, one a window."""
        train, total, record = self.splits["train"], self.intake.rows + self.intake.extra_rows, 0
        seen = set[int]()
        whole = ((train, batch) for batch in batches(self.intake.again(), _BATCH_CHARACTERS))
        extra = ((self.splits.get(EXTRA, train), b) for b in batches(self.intake.further(), _BATCH_CHARACTERS))
        for counts, batch in chain(whole, extra):
            for pieces in self.encode(batch, counts):
                for piece, rows in pieces:
                    units = piece.units
                    seen.update(units.ids.tolist())
                    yield {
                        RECORD: record, "length": len(units), "type": piece.type, "ids": units.ids,
                        "words": units.words, "tags": units.tags, "inside": units.inside.astype(np.uint8),
                        "rows": rows.reshape(-1),
                    }  # fmt: skip
                record += 1
            if total >= EVERY:
                self.progress("features", record, total)
        self.progress("features", total, total)
        keep_tokens(self.folder, self.featurizer.reader, seen)

    def encode(self, batch: list[Example], counts: Survey) -> Iterator[list[tuple[TypedPiece, np.ndarray]]]:
        """The pieces of some records, each with the spans of units (n, 2) in which the subject stands; counts them."""
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
            yield list(zip(mine, rows, strict=True))

    def _reason(
        self, example: Example, places: Sequence[tuple[int, int]], pieces: Sequence[TypedPiece]
    ) -> str:  # fmt: skip
        if example.type not in self.featurizer.numbers:
            return TYPE
        if not places:
            return ABSENT
        return TOKEN if any(p.start <= a and b <= p.end for a, b in places for p in pieces) else APART

    def read_dev(self) -> None:
        """Keep dev as it is, count what it shares with train, and what the longest name of train reaches on it."""
        counts = self.splits["dev"]
        given = self.examples("dev") if "dev" in self.sources.files else None
        matcher = NameMatcher(self.subjects)
        for batch in batches(self._dev(given), _BATCH_CHARACTERS):
            for _ in self.encode(batch, counts):
                pass
            for example, found in zip(batch, matcher.find_all([e.text for e in batch]), strict=True):
                longest = max(found, key=lambda m: (m[2] - m[1], -m[1]), default=(0, 0, 0))
                self.baseline.add(example.subject, example.text[longest[1] : longest[2]])
        counts.records = counts.records or counts.texts

    def _dev(self, given: Iterator[Example] | None) -> Iterator[Example]:
        for example, in_train in self.intake.dev(given, self.splits["dev"]):
            self.shared += in_train
            yield example

    def report(self) -> PrepareReport:
        """Tables, numbers and notes."""
        splits, data = self.splits, self.recipe.data
        oracles = {name: s.oracle for name, s in splits.items()}
        report = PrepareReport(rejected=sum(s.rejected for s in splits.values()))
        oracle = oracle_table(oracles, "subjects", ORACLE_NOTE)
        report.tables = [corpus_table(splits, self.shared), oracle, type_table(splits), floor_table(self.baseline)]
        report.statistics = {name: s.numbers() for name, s in splits.items()}
        report.statistics |= {"overlap": {"records": self.shared}, "types": len(self.featurizer.numbers)}
        report.statistics["floor"] = self.baseline.numbers()
        report.notes = notes(splits, self.shared, data.window)
        report.notes += self.intake.extra_notes("texts")
        report.notes += check_learnable(oracles, "subjects", MENDS, self.sources.files["train"])
        if "dev" not in self.sources.files:
            report.notes.append(held_out_note(splits["dev"].texts, "records", data.held_out, data.held_out_seed))
        return report


def _rows(places: Sequence[tuple[int, int]], piece: TypedPiece) -> np.ndarray:
    """(n, 2): the units of the places that lie whole in a piece."""
    mine = [(a - piece.start, b - piece.start) for a, b in places if piece.start <= a and b <= piece.end]
    spans = piece.units.spans_of(np.array(mine, np.int64))
    return spans[spans[:, 0] >= 0]


def _columns() -> Any:
    numbers = {"ids": "int32", "words": "int32", "tags": "uint8", "inside": "uint8", "rows": "int32"}
    return columns({RECORD: "int32", "length": "int32", "type": "int32"}, numbers)
