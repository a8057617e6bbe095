"""Prepare: validate, count, encode and write. Memory does not grow with the files.

Train is read once: its good records, each text once, are kept while characters and facts are counted; from there they
are encoded, since features need the whole vocabulary and index.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from itertools import islice, starmap
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ietool.core.contract import PrepareReport
from ietool.core.intake import Intake, Kept, bare, scratch_folder
from ietool.core.learnable import check_known
from ietool.core.preparing import Preparation
from ietool.core.soft import SOFT_ROLE, SoftRecords
from ietool.core.sources import EXTRA, Sources
from ietool.core.survey import oracle_table
from ietool.files.lines import OnBad
from ietool.files.records import first_told
from ietool.progress import Progress
from ietool.tasks.ske.data.example import Example
from ietool.tasks.ske.data.reading import load_examples, read_examples
from ietool.tasks.ske.data.schema import Schema, infer_schema, read_schema
from ietool.tasks.ske.features.featurizer import SCHEMA, Features, Featurizer, read_assets_schema, unit_rows
from ietool.tasks.ske.features.labelling import Row, facts, label_rows, rows_of_facts
from ietool.tasks.ske.features.prior import Fact, PriorBuilder
from ietool.tasks.ske.prepare import survey as statistics
from ietool.tasks.ske.prepare.oracle import MENDS, ORACLE_NOTE, Oracle, Perfect, Window
from ietool.tasks.ske.prepare.survey import Overlap, SplitStatistics
from ietool.tasks.ske.recipe import SkeRecipe
from ietool.tasks.ske.writing import format_line
from ietool.text.characters import fold
from ietool.text.readers import write_reader
from ietool.text.units import Units
from ietool.text.windows import RECORD, windows
from ietool.training.sets import CHANCE
from ietool.training.tables import columns, write_table

Rows = npt.NDArray[np.int32]
Chances = npt.NDArray[np.float32]
Soft = tuple[list[Row], list[float]]
"""Label rows with their probabilities."""


def kept(schema: Schema) -> Kept[Example]:
    """How examples are kept in a prepared folder: in the competition's own form."""
    return Kept(
        dump=lambda e: format_line(e.text, e.triples, schema),
        load=lambda line: next(read_examples([("", 0, line)])),
        identity=lambda e: e.text,
        gold=lambda e: repr(sorted((t.subject, t.predicate, t.object) for t in e.triples)),
        group=lambda e: [bare(e.text)],
    )


def prepare(
    recipe: SkeRecipe, sources: Sources, folder: Path, *, perfect: Perfect, rejects: Path | None, progress: Progress
) -> PrepareReport:
    """Validate and encode ``train`` and ``dev`` of the sources into ``folder``; see :meth:`Task.prepare`.

    Of a text that train has several times the first copy is used. Without ``dev`` a share of train is held out.

    Args:
        perfect: of the decoder of the recipe's head, for the oracle recall.

    Raises:
        UserError: a file that cannot be read or has no usable record; without ``rejects`` also the first bad record.
        OSError: the disk is full.
    """
    schema = _find_schema(sources, skip_bad=rejects is not None)
    with (
        scratch_folder(folder) as scratch,
        closing(Intake(folder, scratch, rejects, progress, kept(schema), sources.left_out)) as intake,
        closing(PriorBuilder(scratch)) as builder,
    ):
        return _Preparation(recipe, sources, intake, builder, schema, perfect).run()


def _find_schema(sources: Sources, *, skip_bad: bool) -> Schema:
    like = None if sources.like is None else read_assets_schema(sources.like)
    if "schema" in sources.files:
        schema = read_schema(sources.files["schema"])
        return schema if like is None or set(schema.labels) != set(like.labels) else like
    if like is not None:
        return like
    # Bad records are reported when the file is read for good.
    ignore: OnBad | None = (lambda error, line: None) if skip_bad else None
    path = sources.files["train"]
    return infer_schema(first_told(lambda on_bad: load_examples(path, on_bad=on_bad), ignore))


class _Preparation(Preparation[SkeRecipe, Example, SplitStatistics]):
    def __init__(
        self,
        recipe: SkeRecipe,
        sources: Sources,
        intake: Intake[Example],
        builder: PriorBuilder,
        schema: Schema,
        perfect: Perfect,
    ) -> None:
        super().__init__(
            recipe, sources, intake, lambda: SplitStatistics(Oracle(schema.labels, schema.competition, perfect))
        )
        self.builder, self.schema = builder, schema
        self.chancy: SoftRecords[Example] = SoftRecords(sources.files.get(SOFT_ROLE), intake.scratch, "triples")
        self.labels = {label: i for i, label in enumerate(schema.labels)}
        self.overlap = Overlap()

    def run(self) -> PrepareReport:
        self.read_train()
        self.featurizer = featurizer = Featurizer.open(self.folder, priors=True, compact=True)
        made = _columns(soft=SOFT_ROLE in self.sources.files)
        write_table(partial(self.train_rows, featurizer.reader), made, self.folder / "train", self.intake.scratch)
        splits = self.splits
        train = splits["train"]
        train.cut = featurizer.reader.cut
        check_known(self.recipe, featurizer.reader, train.unknown, train.characters)
        # Features of dev are made when it is predicted; here they are only counted, and priors do not matter.
        featurizer.prior = None
        self.read_dev()
        self.overlap.texts = self.shared
        splits["dev"].cut = featurizer.reader.cut - train.cut
        oracles = {name: s.oracle.counts for name, s in splits.items()}
        report = self.new_report(oracles, "triples", MENDS)
        vectors = getattr(self.recipe.model.encoder, "word_vectors", None) is not None
        report.tables = [
            statistics.corpus_table(splits, self.overlap, vectors=vectors),
            oracle_table(oracles, "triples", ORACLE_NOTE),
            statistics.relation_table(splits, list(self.schema.relations)),
        ]
        report.statistics["overlap"] = self.overlap.numbers(splits["dev"])
        report.statistics["labels"] = len(self.labels)
        report.notes = statistics.notes(splits, self.overlap, self.recipe.data.window) + report.notes
        if "schema" not in self.sources.files and self.sources.like is None:
            report.notes.append(f"no schema was given: its {len(self.schema.relations)} relations are those of train")
        return report

    def load(self, split: str, on_bad: OnBad | None = None) -> Iterator[Example]:
        return load_examples(self.sources.files[split], self.schema, on_bad)

    def examples(self, split: str) -> Iterator[Example]:
        for example in super().examples(split):
            self.splits[split].dropped += example.dropped
            yield example

    def further(self) -> Iterator[Example]:
        return self.chancy.again(self.intake.further())

    def sure(self, example: Example) -> Example:
        """See :meth:`ietool.core.soft.SoftRecords.sure`."""
        return self.chancy.sure(example, types=())

    def read_train(self) -> None:
        """Keep train and further records, and write all that features need."""
        characters = Counter[str]()
        for example in self.train():
            characters.update(fold(example.text))
            self.builder.add(set(facts(example.triples, self.labels)))
        if EXTRA in self.sources.files:  # with probabilities, where these stand beside the file
            for example in self.chancy.keep(self.extra(self.chancy.read(self.examples(EXTRA)))):
                characters.update(fold(example.text))
                self.builder.add(set(facts(self.sure(example).triples, self.labels)))
        self.builder.write(self.folder)
        write_reader(self.folder, self.recipe.model.encoder, characters)
        (self.folder / SCHEMA).write_text(self.schema.to_json(), encoding="utf-8")

    def row(self, text: str, features: Features, window: Window, soft: Soft | None) -> dict[str, Any]:
        """A row of the training table."""
        units = features.units
        rows, chance = self.taught(units, window, soft)
        return {
            "text": text, "length": len(units), "start": window.start, "ids": units.ids, "words": units.words,
            "tags": units.tags, "starts": units.starts, "ends": units.ends, "spans": rows.reshape(-1),
            "prior": features.prior.reshape(-1), CHANCE: chance,
        }  # fmt: skip

    def taught(self, units: Units, window: Window, soft: Soft | None) -> tuple[Rows, Chances]:
        """The rows that a window teaches, in units, and their probabilities; none of these where all are 1."""
        if soft is None:
            return unit_rows(units, np.array(window.rows, np.int32))[0], np.zeros(0, np.float32)
        rows, able = unit_rows(units, np.array(soft[0], np.int32))
        return rows, np.array(soft[1], np.float32)[able]

    def of_dev(self, batch: list[Example]) -> None:
        """Triples all of whose facts train states are counted, too."""
        self.overlap.triples += sum(
            all(map(self.builder.knows, stated))
            for example in batch
            for triple in example.triples
            if (stated := facts([triple], self.labels))
        )

    def encode(self, batch: list[Example], counts: SplitStatistics) -> Iterator[Iterator[dict[str, Any]]]:
        data = self.recipe.data
        cuts = [windows(example.text, data.window, data.overlap) for example in batch]
        texts = [e.text[a:b] for e, cut in zip(batch, cuts, strict=True) for a, b in cut]
        stated = [facts(example.triples, self.labels) for example in batch]
        # What a text has given to the counts of facts is taken away from what is known without it: the sure ones.
        given = [facts(self.sure(example).triples, self.labels) for example in batch]
        owns: list[set[Fact]] = [set(s) for s, cut in zip(given, cuts, strict=True) for _ in cut]
        features = iter(zip(texts, self.featurizer.encode_all(texts, owns), strict=True))
        encoded: list[tuple[Example, list[Window]]] = []
        for whole, cut, own in zip(batch, cuts, stated, strict=True):
            cut_out: list[tuple[str, Features, Window, Soft | None]] = []
            example = self.sure(whole)
            hard = own if example is whole else facts(example.triples, self.labels)
            for (start, _), (text, found) in zip(cut, islice(features, len(cut)), strict=True):
                rows = label_rows(hard, text, first_only=data.occurrences == "first", words=self.schema.words)
                _, kept = unit_rows(found.units, np.array(rows, np.int32))
                # What no units can express is lost; the oracle counts it.
                told, split = (
                    [row for row, ok in zip(rows, kept, strict=True) if ok == good] for good in (True, False)
                )
                soft = None if example is whole else self.soft(whole, own, text)
                cut_out.append((text, found, Window(start, told, split), soft))
            encoded.append((example, [window for _, _, window, _ in cut_out]))
            counts.add(example, [found for _, found, _, _ in cut_out], self.featurizer.reader.unknown)
            yield starmap(self.row, cut_out)
        counts.oracle.add(encoded)

    def soft(self, example: Example, own: list[Fact], text: str) -> Soft:
        """The label rows of a window of soft labels; a fact is as probable as the likeliest triple that states it."""
        chance: dict[Fact, float] = {}
        for triple, p in zip(example.triples, example.chances, strict=True):
            for fact in facts([triple], self.labels):
                chance[fact] = max(p, chance.get(fact, 0.0))
        rows = rows_of_facts(own, text, first_only=self.recipe.data.occurrences == "first", words=self.schema.words)
        return list(rows), [chance[fact] for fact in rows.values()]


def _columns(*, soft: bool = False) -> Any:
    numbers = dict.fromkeys(("ids", "words", "starts", "ends", "spans", "prior"), "int32") | {"tags": "uint8"}
    single = {RECORD: "int32", "text": "string", "length": "int32", "start": "int32"}
    return columns(single, numbers | ({CHANCE: "float32"} if soft else {}))
