"""Prepare: validate, count, encode and write. Memory does not grow with the files.

Train is read once: its good records, each text once, go to a scratch file while characters and types are counted; from
there they are encoded, since features need the whole vocabulary.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

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
from ietool.core.sources import EXTRA, Sources
from ietool.core.survey import oracle_table
from ietool.errors import UserError
from ietool.progress import Progress
from ietool.tasks.events.data.example import Argument, Event, Example
from ietool.tasks.events.data.reading import load_examples
from ietool.tasks.events.data.schema import SchemaBuilder, read_schema
from ietool.tasks.events.features.featurizer import Featurizer, Labels
from ietool.tasks.events.heads.decoder import EventDecoder
from ietool.tasks.events.prepare.labelling import MENDS, ORACLE_NOTE, Labeller, Rows
from ietool.tasks.events.prepare.survey import Survey, corpus_table, notes, type_table, whole_rows
from ietool.tasks.events.recipe import EventsRecipe
from ietool.text.characters import fold
from ietool.text.pieces import Piece
from ietool.text.readers import keep_tokens, write_reader
from ietool.text.windows import batches
from ietool.training.sets import RECORD
from ietool.training.tables import columns, write_table

_BATCH_CHARACTERS = 8192
"""Texts are encoded so many characters at a time."""


def _dump(example: Example) -> str:
    events = [
        (e.type, e.start, e.end, [(a.start, a.end, a.role, a.aliases) for a in e.arguments]) for e in example.events
    ]
    return json.dumps((example.text, events, example.form, example.id), ensure_ascii=False)


def _load(line: str) -> Example:
    text, events, form, identity = json.loads(line)
    made = (
        Event(kind, start, end, tuple(Argument(a, b, role, tuple(aliases)) for a, b, role, aliases in arguments))
        for kind, start, end, arguments in events
    )
    return Example(text, tuple(made), form, identity)


KEPT = Kept(_dump, _load, lambda e: e.text, lambda e: repr(sorted(e.events)), lambda e: [bare(e.text)])
"""How examples are kept in a prepared folder."""

Decoding = Callable[[EventsRecipe, Path], EventDecoder]
"""Opens the decoder of a head; see :attr:`ietool.core.heads.Head.decoder`."""


def prepare(
    recipe: EventsRecipe,
    sources: Sources,
    folder: Path,
    *,
    decoding: Decoding,
    rejects: Path | None,
    progress: Progress,
) -> PrepareReport:
    """Validate and encode ``train`` and ``dev`` of the sources into ``folder``; see :meth:`Task.prepare`.

    Of a text that train has several times the first copy is used. Without ``dev`` a share of train is held out. Without
    a schema types and roles are those of train.

    Args:
        decoding: of the recipe's head, by which it is told what perfect labels would give back.

    Raises:
        UserError: a file that cannot be read or has no usable record; without ``rejects`` also the first bad record.
        OSError: the disk is full.
    """
    with (
        scratch_folder(folder) as scratch,
        closing(Intake(folder, scratch, rejects, progress, KEPT, sources.left_out)) as intake,
    ):
        return _Preparation(recipe, sources, intake, decoding).run()


class _Preparation:
    """One run of :func:`prepare`: what its steps share."""

    def __init__(self, recipe: EventsRecipe, sources: Sources, intake: Intake[Example], decoding: Decoding) -> None:
        self.recipe, self.sources, self.intake, self.decoding = recipe, sources, intake, decoding
        self.folder, self.progress = intake.folder, intake.progress
        names = ("train", *([EXTRA] if EXTRA in sources.files else ()), "dev")
        self.splits = {name: Survey() for name in names}
        self.shared = 0
        self.schema = read_schema(sources.files["schema"]) if "schema" in sources.files else None
        self.builder = SchemaBuilder(self.schema)

    def run(self) -> PrepareReport:
        characters = self.read_train()
        if EXTRA in self.sources.files:
            self.read_extra(characters)
        before = None if self.sources.like is None else Labels.load(self.sources.like)
        labels = Labels.of(self.builder.build(), before)
        if not labels.names:
            raise UserError("has no event to learn from", file=self.sources.files["train"])
        labels.save(self.folder)
        write_reader(self.folder, self.recipe.model.encoder, characters)
        self.featurizer = Featurizer.open(self.recipe, self.folder)
        # Thresholds by type may name what only the run knows: they do not act on perfect labels.
        plain = self.recipe.model_copy(update={"decode": self.recipe.decode.model_copy(update={"by_label": {}})})
        decoder = self.decoding(plain, self.folder)
        self.labeller = Labeller(labels, decoder, plain.decode)
        self.unknown = self.featurizer.reader.unknown
        write_table(self.train_rows, _columns(), self.folder / "train", self.intake.scratch)
        train = self.splits["train"]
        check_known(self.recipe, self.featurizer.reader, train.unknown, train.units)
        self.read_dev()
        return self.report()

    def examples(self, split: str) -> Iterator[Example]:
        """The good records of a file."""
        load = partial(load_examples, self.sources.files[split], self.schema)
        return self.intake.read(self.sources.files[split], load, self.splits[split], f"read {split}")

    def read_train(self) -> Counter[str]:
        """Keep train, hold out dev where there is none, and count what features need."""
        data, counts = self.recipe.data, self.splits["train"]
        hold = None if "dev" in self.sources.files else HoldOut(data.held_out, data.held_out_seed)
        characters: Counter[str] = Counter()
        events = 0
        for example in self.intake.train(self.examples("train"), counts, hold):
            characters.update(fold(example.text))
            self.builder.add(example.events)
            events += len(example.events)
        path = self.sources.files["train"]
        if hold and not self.intake.held:
            raise nothing_held_out(path)
        if not events:
            raise UserError("has no event to learn from", file=path)
        return characters

    def read_extra(self, characters: Counter[str]) -> None:
        """Keep further records, and count what features need."""
        files = self.sources.files
        dev = partial(load_examples, files["dev"], self.schema) if "dev" in files else None
        for example in self.intake.extra(self.examples(EXTRA), self.splits[EXTRA], dev):
            characters.update(fold(example.text))
            self.builder.add(example.events)

    def train_rows(self) -> Iterator[dict[str, Any]]:
        """The rows of the training table, one a window."""
        train, total, record = self.splits["train"], self.intake.rows + self.intake.extra_rows, 0
        seen = set[int]()
        whole = ((train, batch) for batch in batches(self.intake.again(), _BATCH_CHARACTERS))
        extra = ((self.splits[EXTRA], batch) for batch in batches(self.intake.further(), _BATCH_CHARACTERS))
        for counts, batch in chain(whole, extra):
            for pieces, labelled in self.encode(batch, counts):
                for piece, rows in zip(pieces, labelled, strict=True):
                    units = piece.units
                    seen.update(units.ids.tolist())
                    yield {
                        RECORD: record, "length": len(units), "ids": units.ids, "words": units.words,
                        "tags": units.tags, "inside": units.inside.astype(np.uint8), "rows": rows.reshape(-1),
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

    def encode(self, batch: list[Example], counts: Survey) -> Iterator[tuple[list[Piece], list[Rows]]]:
        """Pieces and label rows of some texts; counts them."""
        pieces: list[list[Piece]] = [[] for _ in batch]
        for piece in self.featurizer.pieces([example.text for example in batch]):
            pieces[piece.text].append(piece)
        for example, mine in zip(batch, pieces, strict=True):
            rows = [self.labeller.rows(example.events, piece) for piece in mine]
            counts.add(example, mine, self.unknown)
            self.labeller.count(example, mine, rows, counts.oracle, counts.whole)
            yield mine, rows

    def report(self) -> PrepareReport:
        """Tables, numbers and notes."""
        splits, data = self.splits, self.recipe.data
        oracles = {name: s.oracle for name, s in splits.items()}
        report = PrepareReport(rejected=sum(s.rejected for s in splits.values()))
        oracle = oracle_table(oracles, "triggers and arguments", ORACLE_NOTE)
        oracle = replace(oracle, rows=[*oracle.rows, *whole_rows(splits)])
        report.tables = [corpus_table(splits, self.shared), oracle, type_table(splits)]
        labels = self.labeller.labels
        report.statistics = {name: s.numbers() for name, s in splits.items()}
        report.statistics |= {
            "overlap": {"texts": self.shared},
            "labels": len(labels.names),
            "types": len(labels.types),
            "schema": "file" if self.schema is not None else "train",
        }
        report.notes = notes(splits, self.shared, data.window)
        report.notes += self.intake.extra_notes("texts")
        report.notes += check_learnable(oracles, "triggers and arguments", MENDS, self.sources.files["train"])
        if "dev" not in self.sources.files:
            report.notes.append(held_out_note(splits["dev"].texts, "texts", data.held_out, data.held_out_seed))
        return report


def _columns() -> Any:
    numbers = {"ids": "int32", "words": "int32", "tags": "uint8", "inside": "uint8", "rows": "int32"}
    return columns({RECORD: "int32", "length": "int32"}, numbers)
