"""Prepare: validate, count, encode and write. Memory does not grow with the files.

Train is read once: its good records, each text once, go to a scratch file while characters and types are counted; from
there they are encoded, since features need the whole vocabulary.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ietool.core.contract import PrepareReport
from ietool.core.intake import (
    EVERY,
    HoldOut,
    Intake,
    Kept,
    bare,
    held_out_note,
    nothing_held_out,
    scratch_folder,
)
from ietool.core.learnable import check_known, check_learnable
from ietool.core.soft import SOFT_ROLE, SoftRecords
from ietool.core.sources import EXTRA, Sources
from ietool.core.survey import oracle_table
from ietool.errors import UserError
from ietool.files.lines import read_lines
from ietool.progress import Progress
from ietool.tasks.ner.data.example import Entity, Example
from ietool.tasks.ner.data.forms.recognise import RECORDS
from ietool.tasks.ner.data.reading import load_examples, one_sentence
from ietool.tasks.ner.features.featurizer import Featurizer, Labels
from ietool.tasks.ner.prepare.labelling import MENDS, ORACLE_NOTE, Labeller, Rows
from ietool.tasks.ner.prepare.survey import Survey, corpus_table, notes, type_table
from ietool.tasks.ner.recipe import NerRecipe
from ietool.text.characters import fold
from ietool.text.pieces import Piece
from ietool.text.readers import keep_tokens, write_reader
from ietool.text.windows import batches
from ietool.training.sets import CHANCE, RECORD
from ietool.training.tables import columns, write_table

_BATCH_CHARACTERS = 8192
"""Texts are encoded so many characters at a time."""


Chances = npt.NDArray[np.float32]
_HARD: Chances = np.zeros(0, np.float32)


def _dump(example: Example) -> str:
    entities = [(e.start, e.end, e.type) for e in example.entities]
    record = (example.text, entities, example.form, example.id, example.tokens, example.broken)
    return json.dumps(record, ensure_ascii=False)


def _load(line: str) -> Example:
    text, entities, form, identity, tokens, broken = json.loads(line)
    return Example(text, tuple(Entity(*e) for e in entities), form, identity, tuple((a, b) for a, b in tokens), broken)


KEPT = Kept(_dump, _load, lambda e: e.text, lambda e: repr(e.entities), lambda e: [bare(e.text)])
"""How examples are kept in a prepared folder."""


def prepare(
    recipe: NerRecipe, sources: Sources, folder: Path, *, flat: bool, rejects: Path | None, progress: Progress
) -> PrepareReport:
    """Validate and encode ``train`` and ``dev`` of the sources into ``folder``; see :meth:`Task.prepare`.

    Of a text that train has several times the first copy is used. Without ``dev`` a share of train is held out.

    Args:
        flat: the head has one tag a place, and entities that overlap cannot all be taught.

    Raises:
        UserError: a file that cannot be read or has no usable record; without ``rejects`` also the first bad record.
        OSError: the disk is full.
    """
    with (
        scratch_folder(folder) as scratch,
        closing(Intake(folder, scratch, rejects, progress, KEPT, sources.left_out)) as intake,
    ):
        return _Preparation(recipe, sources, intake, flat=flat).run()


class _Preparation:
    """One run of :func:`prepare`: what its steps share."""

    def __init__(self, recipe: NerRecipe, sources: Sources, intake: Intake[Example], *, flat: bool) -> None:
        self.recipe, self.sources, self.intake, self.flat = recipe, sources, intake, flat
        self.folder, self.progress = intake.folder, intake.progress
        self.soft: SoftRecords[Example] = SoftRecords(sources.files.get(SOFT_ROLE), intake.scratch, "entities")
        names = ("train", *([EXTRA] if EXTRA in sources.files else ()), "dev")
        self.splits = {name: Survey() for name in names}
        self.shared = 0
        self.form, self.separator = "", " "

    def run(self) -> PrepareReport:
        characters = self.read_train()
        types = [name for name, _ in self.splits["train"].types.most_common()]
        if EXTRA in self.sources.files:  # types of its own come behind those of train
            types = list(dict.fromkeys((*types, *self.read_extra(characters))))
        if self.sources.like is not None:
            types = list(dict.fromkeys((*Labels.load(self.sources.like).types, *types)))
        if not types:
            raise UserError("has no entity to learn from", file=self.sources.files["train"])
        self.splits["train"].types.clear()  # counted again with the rest
        Labels(tuple(types), self.form, self.separator).save(self.folder)
        write_reader(self.folder, self.recipe.model.encoder, characters)
        self.featurizer = Featurizer.open(self.recipe, self.folder)
        self.labeller = Labeller({name: n for n, name in enumerate(types)}, flat=self.flat)
        self.unknown = self.featurizer.reader.unknown
        write_table(
            self.train_rows, _columns(soft=SOFT_ROLE in self.sources.files), self.folder / "train", self.intake.scratch
        )
        train = self.splits["train"]
        check_known(self.recipe, self.featurizer.reader, train.unknown, train.units)
        self.read_dev()
        return self.report()

    def examples(self, split: str) -> Iterator[Example]:
        """The good records of a file."""
        path = self.sources.files[split]
        load = partial(load_examples, path, form=self.recipe.data.form)
        return self.intake.read(path, load, self.splits[split], f"read {split}")

    def read_train(self) -> Counter[str]:
        """Keep train, hold out dev where there is none, and count what features need."""
        data, counts = self.recipe.data, self.splits["train"]
        hold = None if "dev" in self.sources.files else HoldOut(data.held_out, data.held_out_seed)
        characters: Counter[str] = Counter()
        only: Example | None = None
        for example in self.intake.train(self.examples("train"), counts, hold):
            self.form = self.form or example.form
            only = example
            characters.update(fold(example.text))
            counts.types.update(entity.type for entity in example.entities)
        path = self.sources.files["train"]
        if hold and not self.intake.held:
            if counts.records == 1 and only is not None and only.form not in RECORDS:
                raise one_sentence(path, len(only.bounds))
            raise nothing_held_out(path)
        if self.form not in RECORDS and any("\t" in line for _, _, line in islice(read_lines(path, _skip), 1)):
            self.separator = "\t"
        return characters

    def extra(self) -> Iterator[Example]:
        """The good records of the file of further ones, with probabilities where these stand beside it."""
        path = self.sources.files[EXTRA]  # of any form, whatever that of train is
        return self.soft.read(self.intake.read(path, partial(load_examples, path), self.splits[EXTRA], "read extra"))

    def further(self) -> Iterator[Example]:
        """The same that were kept, from disk."""
        return self.soft.again(self.intake.further())

    def read_extra(self, characters: Counter[str]) -> list[str]:
        """Keep further records, and count what features need; gives their types, the most frequent first."""
        counts, files = self.splits[EXTRA], self.sources.files
        dev = partial(load_examples, files["dev"], form=self.recipe.data.form) if "dev" in files else None
        types = Counter[str]()
        for example in self.soft.keep(self.intake.extra(self.extra(), counts, dev)):
            characters.update(fold(example.text))
            types.update(entity.type for entity in self.soft.sure(example).entities)
        return [name for name, _ in types.most_common()]

    def train_rows(self) -> Iterator[dict[str, Any]]:
        """The rows of the training table, one a window."""
        train, total, record = self.splits["train"], self.intake.rows + self.intake.extra_rows, 0
        seen = set[int]()
        whole = ((train, batch) for batch in batches(self.intake.again(), _BATCH_CHARACTERS))
        extra = ((self.splits[EXTRA], batch) for batch in batches(self.further(), _BATCH_CHARACTERS))
        for counts, batch in chain(whole, extra):
            for pieces, labelled in self.encode(batch, counts):
                for piece, (rows, chance) in zip(pieces, labelled, strict=True):
                    units = piece.units
                    seen.update(units.ids.tolist())
                    yield {
                        RECORD: record, "length": len(units), "ids": units.ids, "words": units.words,
                        "tags": units.tags, "inside": units.inside.astype(np.uint8), "rows": rows.reshape(-1),
                        CHANCE: chance,
                    }  # fmt: skip
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
        counts.records = counts.records or counts.texts

    def _dev(self, given: Iterator[Example] | None) -> Iterator[Example]:
        for example, in_train in self.intake.dev(given, self.splits["dev"]):
            self.shared += in_train
            yield example

    def encode(self, batch: list[Example], counts: Survey) -> Iterator[tuple[list[Piece], list[tuple[Rows, Chances]]]]:
        """Pieces and label rows of some texts, with probabilities where they are soft; counts them."""
        pieces: list[list[Piece]] = [[] for _ in batch]
        for piece in self.featurizer.pieces([example.text for example in batch]):
            pieces[piece.text].append(piece)
        for example, mine in zip(batch, pieces, strict=True):
            sure = self.soft.sure(example)
            rows = [self.labeller.rows(sure.entities, piece) for piece in mine]
            counts.add(sure, mine, self.unknown)
            self.labeller.count(sure, mine, rows, counts.oracle)
            if sure is example:
                yield mine, [(own, _HARD) for own in rows]
            else:
                soft = self.labeller.soft_rows
                yield mine, [soft(example.entities, example.chances, piece) for piece in mine]

    def report(self) -> PrepareReport:
        """Tables, numbers and notes."""
        splits, data = self.splits, self.recipe.data
        oracles = {name: s.oracle for name, s in splits.items()}
        report = PrepareReport(rejected=sum(s.rejected for s in splits.values()))
        oracle = oracle_table(oracles, "entities", ORACLE_NOTE)
        report.tables = [corpus_table(splits, self.shared), oracle, type_table(splits)]
        report.statistics = {name: s.numbers() for name, s in splits.items()}
        report.statistics |= {"overlap": {"texts": self.shared}, "labels": len(self.labeller.types)}
        report.notes = notes(splits, self.shared, data.window, flat=self.flat)
        for name, counts in splits.items():
            if counts.texts == 1 and counts.forms.keys().isdisjoint(RECORDS) and name in self.sources.files:
                what = f"{counts.lengths.longest:,} characters in one sentence: blank lines divide sentences"
                report.notes.append(f"{name} is a single text, {what}")
        report.notes += self.intake.extra_notes("texts")
        report.notes += check_learnable(oracles, "entities", MENDS, self.sources.files["train"])
        if "dev" not in self.sources.files:
            report.notes.append(held_out_note(splits["dev"].texts, "texts", data.held_out, data.held_out_seed))
        return report


def _columns(*, soft: bool) -> Any:
    numbers = {"ids": "int32", "words": "int32", "tags": "uint8", "inside": "uint8", "rows": "int32"}
    return columns({RECORD: "int32", "length": "int32"}, numbers | ({CHANCE: "float32"} if soft else {}))


def _skip(error: UserError, line: str) -> None:
    pass
