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
from itertools import islice, repeat
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ietool.core.contract import PrepareReport
from ietool.core.intake import Intake, Kept, bare, scratch_folder
from ietool.core.learnable import check_known, nothing_to_learn
from ietool.core.preparing import Preparation
from ietool.core.soft import SOFT_ROLE, SoftRecords
from ietool.core.sources import EXTRA, Sources
from ietool.core.survey import oracle_table
from ietool.errors import UserError
from ietool.files.lines import OnBad, read_lines
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
from ietool.text.readers import write_reader
from ietool.text.windows import RECORD
from ietool.training.sets import CHANCE
from ietool.training.tables import columns, write_table

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


class _Preparation(Preparation[NerRecipe, Example, Survey]):
    def __init__(self, recipe: NerRecipe, sources: Sources, intake: Intake[Example], *, flat: bool) -> None:
        super().__init__(recipe, sources, intake, Survey)
        self.flat = flat
        self.soft: SoftRecords[Example] = SoftRecords(sources.files.get(SOFT_ROLE), intake.scratch, "entities")
        self.form, self.separator = "", " "
        self.only: Example | None = None

    def run(self) -> PrepareReport:
        characters = self.read_train()
        types = [name for name, _ in self.splits["train"].types.most_common()]
        if EXTRA in self.sources.files:  # types of its own come behind those of train
            types = list(dict.fromkeys((*types, *self.read_extra(characters))))
        if self.sources.like is not None:
            types = list(dict.fromkeys((*Labels.load(self.sources.like).types, *types)))
        if not types:
            raise nothing_to_learn(self.sources, "entity")
        self.splits["train"].types.clear()  # counted again with the rest
        Labels(tuple(types), self.form, self.separator).save(self.folder)
        write_reader(self.folder, self.recipe.model.encoder, characters)
        self.featurizer = Featurizer.open(self.recipe, self.folder)
        self.labeller = Labeller({name: n for n, name in enumerate(types)}, flat=self.flat)
        self.unknown = self.featurizer.reader.unknown
        made, reader = _columns(soft=SOFT_ROLE in self.sources.files), self.featurizer.reader
        write_table(partial(self.train_rows, reader), made, self.folder / "train", self.intake.scratch)
        train = self.splits["train"]
        check_known(self.recipe, reader, train.unknown, train.units)
        self.read_dev()
        return self.report()

    def load(self, split: str, on_bad: OnBad | None = None) -> Iterator[Example]:
        form = "auto" if split == EXTRA else self.recipe.data.form  # further records may be of another form than train
        return load_examples(self.sources.files[split], on_bad, form=form)

    def read_train(self) -> Counter[str]:
        """Keep train, and count what features need."""
        counts, characters = self.splits["train"], Counter[str]()
        for example in self.train():
            self.form = self.form or example.form
            self.only = example
            characters.update(fold(example.text))
            counts.types.update(entity.type for entity in example.entities)
        path = self.sources.files["train"]
        if self.form not in RECORDS and any("\t" in line for _, _, line in islice(read_lines(path, _skip), 1)):
            self.separator = "\t"
        return characters

    def nothing_held_out(self) -> UserError:
        only = self.only
        if self.splits["train"].records == 1 and only is not None and only.form not in RECORDS:
            return one_sentence(self.sources.files["train"], len(only.bounds))
        return super().nothing_held_out()

    def further(self) -> Iterator[Example]:
        return self.soft.again(self.intake.further())

    def read_extra(self, characters: Counter[str]) -> list[str]:
        """Keep further records, and count what features need; gives their types, the most frequent first."""
        types = Counter[str]()
        # With probabilities, where these stand beside the file.
        for example in self.soft.keep(self.extra(self.soft.read(self.examples(EXTRA)))):
            characters.update(fold(example.text))
            types.update(entity.type for entity in self.soft.sure(example).entities)
        return [name for name, _ in types.most_common()]

    def encode(self, batch: list[Example], counts: Survey) -> Iterator[Iterator[dict[str, Any]]]:
        pieces: list[list[Piece]] = [[] for _ in batch]
        for piece in self.featurizer.pieces([example.text for example in batch]):
            pieces[piece.text].append(piece)
        for example, mine in zip(batch, pieces, strict=True):
            sure = self.soft.sure(example)
            rows = [self.labeller.rows(sure.entities, piece) for piece in mine]
            counts.add(sure, mine, self.unknown)
            self.labeller.count(sure, mine, rows, counts.oracle)
            if sure is example:
                yield map(_row, mine, rows, repeat(_HARD))
            else:
                soft = (self.labeller.soft_rows(example.entities, example.chances, piece) for piece in mine)
                yield (_row(piece, *taught) for piece, taught in zip(mine, soft, strict=True))

    def report(self) -> PrepareReport:
        """Tables, numbers and notes."""
        splits = self.splits
        oracles = {name: s.oracle for name, s in splits.items()}
        report = self.new_report(oracles, "entities", MENDS)
        oracle = oracle_table(oracles, "entities", ORACLE_NOTE)
        report.tables = [corpus_table(splits, self.shared), oracle, type_table(splits)]
        report.statistics["labels"] = len(self.labeller.types)
        told = notes(splits, self.shared, self.recipe.data.window, flat=self.flat)
        for name, counts in splits.items():
            if counts.texts == 1 and counts.forms.keys().isdisjoint(RECORDS) and name in self.sources.files:
                what = f"{counts.lengths.longest:,} characters in one sentence: blank lines divide sentences"
                told.append(f"{name} is a single text, {what}")
        report.notes = told + report.notes
        return report


def _row(piece: Piece, rows: Rows, chance: Chances) -> dict[str, Any]:
    """A row of the training table."""
    units = piece.units
    return {
        "length": len(units), "ids": units.ids, "words": units.words, "tags": units.tags,
        "inside": units.inside.astype(np.uint8), "rows": rows.reshape(-1), CHANCE: chance,
    }  # fmt: skip


def _columns(*, soft: bool) -> Any:
    numbers = {"ids": "int32", "words": "int32", "tags": "uint8", "inside": "uint8", "rows": "int32"}
    return columns({RECORD: "int32", "length": "int32"}, numbers | ({CHANCE: "float32"} if soft else {}))


def _skip(error: UserError, line: str) -> None:
    pass
