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
from ietool.text.readers import write_reader
from ietool.text.windows import RECORD
from ietool.training.tables import columns, write_table


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


class _Preparation(Preparation[EventsRecipe, Example, Survey]):
    def __init__(self, recipe: EventsRecipe, sources: Sources, intake: Intake[Example], decoding: Decoding) -> None:
        super().__init__(recipe, sources, intake, Survey)
        self.decoding = decoding
        self.schema = read_schema(sources.files["schema"]) if "schema" in sources.files else None
        self.builder = SchemaBuilder(self.schema)

    def run(self) -> PrepareReport:
        characters = self.read_train()
        for example in self.extra():
            characters.update(fold(example.text))
            self.builder.add(example.events)
        before = None if self.sources.like is None else Labels.load(self.sources.like)
        labels = Labels.of(self.builder.build(), before)
        if not labels.names:
            raise nothing_to_learn(self.sources, "event")
        labels.save(self.folder)
        write_reader(self.folder, self.recipe.model.encoder, characters)
        self.featurizer = Featurizer.open(self.recipe, self.folder)
        # Thresholds by type may name what only the run knows: they do not act on perfect labels.
        plain = self.recipe.model_copy(update={"decode": self.recipe.decode.model_copy(update={"by_label": {}})})
        decoder = self.decoding(plain, self.folder)
        self.labeller = Labeller(labels, decoder, plain.decode)
        self.unknown = self.featurizer.reader.unknown
        reader = self.featurizer.reader
        write_table(partial(self.train_rows, reader), _columns(), self.folder / "train", self.intake.scratch)
        train = self.splits["train"]
        check_known(self.recipe, reader, train.unknown, train.units)
        self.read_dev()
        return self.report()

    def load(self, split: str, on_bad: OnBad | None = None) -> Iterator[Example]:
        return load_examples(self.sources.files[split], self.schema, on_bad)

    def read_train(self) -> Counter[str]:
        """Keep train, and count what features need."""
        characters, events = Counter[str](), 0
        for example in self.train():
            characters.update(fold(example.text))
            self.builder.add(example.events)
            events += len(example.events)
        if not events:
            raise nothing_to_learn(self.sources, "event")
        return characters

    def encode(self, batch: list[Example], counts: Survey) -> Iterator[Iterator[dict[str, Any]]]:
        pieces: list[list[Piece]] = [[] for _ in batch]
        for piece in self.featurizer.pieces([example.text for example in batch]):
            pieces[piece.text].append(piece)
        for example, mine in zip(batch, pieces, strict=True):
            rows = [self.labeller.rows(example.events, piece) for piece in mine]
            counts.add(example, mine, self.unknown)
            self.labeller.count(example, mine, rows, counts.oracle, counts.whole)
            yield map(_row, mine, rows)

    def report(self) -> PrepareReport:
        """Tables, numbers and notes."""
        splits = self.splits
        oracles = {name: s.oracle for name, s in splits.items()}
        report = self.new_report(oracles, "triggers and arguments", MENDS)
        oracle = oracle_table(oracles, "triggers and arguments", ORACLE_NOTE)
        oracle = replace(oracle, rows=[*oracle.rows, *whole_rows(splits)])
        report.tables = [corpus_table(splits, self.shared), oracle, type_table(splits)]
        labels = self.labeller.labels
        report.statistics |= {
            "labels": len(labels.names),
            "types": len(labels.types),
            "schema": "file" if self.schema is not None else "train",
        }
        report.notes = notes(splits, self.shared, self.recipe.data.window) + report.notes
        return report


def _row(piece: Piece, rows: Rows) -> dict[str, Any]:
    """A row of the training table."""
    units = piece.units
    return {
        "length": len(units), "ids": units.ids, "words": units.words, "tags": units.tags,
        "inside": units.inside.astype(np.uint8), "rows": rows.reshape(-1),
    }  # fmt: skip


def _columns() -> Any:
    numbers = {"ids": "int32", "words": "int32", "tags": "uint8", "inside": "uint8", "rows": "int32"}
    return columns({RECORD: "int32", "length": "int32"}, numbers)
