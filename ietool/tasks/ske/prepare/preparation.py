"""Prepare: validate, count, encode and write. Memory does not grow with the files.

Train is read once: its good records, each text once, are kept while characters and facts are counted; from there they
are encoded, since features need the whole vocabulary and index.
"""

from __future__ import annotations

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
from ietool.text.readers import keep_tokens, write_reader
from ietool.text.units import Units
from ietool.text.windows import batches, windows
from ietool.training.sets import CHANCE, RECORD
from ietool.training.tables import columns, write_table

_BATCH_CHARACTERS = 8192
"""Texts are encoded in batches of about this size."""

Rows = npt.NDArray[np.int32]
Chances = npt.NDArray[np.float32]
Soft = tuple[list[Row], list[float]]
"""Label rows with their probabilities."""

Encoded = tuple[Example, list[tuple[str, Features, Window, Soft | None]]]
"""A text and its windows: text, features and label rows of each; where these are soft, those that are more likely than
not, and all of them with their probabilities."""


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


class _Preparation:
    """One run of :func:`prepare`: what its steps share."""

    def __init__(
        self,
        recipe: SkeRecipe,
        sources: Sources,
        intake: Intake[Example],
        builder: PriorBuilder,
        schema: Schema,
        perfect: Perfect,
    ) -> None:
        self.recipe, self.sources, self.intake, self.builder = recipe, sources, intake, builder
        self.folder, self.progress, self.schema = intake.folder, intake.progress, schema
        self.chancy: SoftRecords[Example] = SoftRecords(sources.files.get(SOFT_ROLE), intake.scratch, "triples")
        self.labels = {label: i for i, label in enumerate(schema.labels)}
        self.splits = {
            name: SplitStatistics(Oracle(schema.labels, schema.competition, perfect))
            for name in ("train", *([EXTRA] if EXTRA in sources.files else ()), "dev")
        }
        self.overlap = Overlap()

    def run(self) -> PrepareReport:
        self.read_train()
        featurizer = Featurizer.open(self.folder, priors=True, compact=True)
        columns = _columns(soft=SOFT_ROLE in self.sources.files)
        write_table(lambda: self.train_rows(featurizer), columns, self.folder / "train", self.intake.scratch)
        splits = self.splits
        train = splits["train"]
        train.cut = featurizer.reader.cut
        check_known(self.recipe, featurizer.reader, train.unknown, train.characters)
        self.read_dev(featurizer)
        splits["dev"].cut = featurizer.reader.cut - train.cut
        oracles = {name: s.oracle.counts for name, s in splits.items()}
        report = PrepareReport(rejected=sum(s.rejected for s in splits.values()))
        vectors = getattr(self.recipe.model.encoder, "word_vectors", None) is not None
        report.tables = [
            statistics.corpus_table(splits, self.overlap, vectors=vectors),
            oracle_table(oracles, "triples", ORACLE_NOTE),
            statistics.relation_table(splits, list(self.schema.relations)),
        ]
        report.statistics = {name: s.numbers() for name, s in splits.items()}
        report.statistics["overlap"] = self.overlap.numbers(splits["dev"])
        report.statistics["labels"] = len(self.labels)
        data = self.recipe.data
        report.notes = statistics.notes(splits, self.overlap, data.window)
        report.notes += check_learnable(oracles, "triples", MENDS, self.sources.files["train"])
        report.notes += self.intake.extra_notes("texts")
        if "dev" not in self.sources.files:
            report.notes.append(held_out_note(splits["dev"].texts, "texts", data.held_out, data.held_out_seed))
        if "schema" not in self.sources.files and self.sources.like is None:
            report.notes.append(f"no schema was given: its {len(self.schema.relations)} relations are those of train")
        return report

    def examples(self, split: str) -> Iterator[Example]:
        """The good records of a file."""
        path, counts = self.sources.files[split], self.splits[split]

        def load(on_bad: OnBad | None) -> Iterator[Example]:
            return load_examples(path, self.schema, on_bad)

        for example in self.intake.read(path, load, counts, f"read {split}"):
            counts.dropped += example.dropped
            yield example

    def extra(self) -> Iterator[Example]:
        """The good records of the file of further ones, with probabilities where these stand beside it."""
        return self.chancy.read(self.examples(EXTRA))

    def further(self) -> Iterator[Example]:
        """The same that were kept, from disk."""
        return self.chancy.again(self.intake.further())

    def sure(self, example: Example) -> Example:
        """See :meth:`ietool.core.soft.SoftRecords.sure`."""
        return self.chancy.sure(example, types=())

    def read_train(self) -> None:
        """Keep train, hold out dev where there is none, and write all that features need."""
        recipe, folder, data = self.recipe, self.folder, self.recipe.data
        hold = None if "dev" in self.sources.files else HoldOut(data.held_out, data.held_out_seed)
        characters: Counter[str] = Counter()
        for example in self.intake.train(self.examples("train"), self.splits["train"], hold):
            characters.update(fold(example.text))
            self.builder.add(set(facts(example.triples, self.labels)))
        if hold and not self.intake.held:
            raise nothing_held_out(self.sources.files["train"])
        if EXTRA in self.sources.files:
            dev = None if hold else partial(load_examples, self.sources.files["dev"], self.schema)
            for example in self.chancy.keep(self.intake.extra(self.extra(), self.splits[EXTRA], dev)):
                characters.update(fold(example.text))
                self.builder.add(set(facts(self.sure(example).triples, self.labels)))
        self.builder.write(folder)
        write_reader(folder, recipe.model.encoder, characters)
        (folder / SCHEMA).write_text(self.schema.to_json(), encoding="utf-8")

    def train_rows(self, featurizer: Featurizer) -> Iterator[dict[str, Any]]:
        """The rows of the training table, one a window."""
        train, total, record = self.splits["train"], self.intake.rows + self.intake.extra_rows, 0
        seen: set[int] = set()
        whole = ((train, batch) for batch in batches(self.intake.again(), _BATCH_CHARACTERS))
        extra = ((self.splits[EXTRA], batch) for batch in batches(self.further(), _BATCH_CHARACTERS))
        for counts, batch in chain(whole, extra):
            for _, cut_out in self.encode(featurizer, batch, counts):
                for text, features, window, soft in cut_out:
                    units = features.units
                    seen.update(units.ids.tolist())
                    rows, chance = self.taught(units, window, soft)
                    yield {
                        RECORD: record, "text": text, "length": len(units), "start": window.start,
                        "ids": units.ids, "words": units.words, "tags": units.tags,
                        "starts": units.starts, "ends": units.ends,
                        "spans": rows.reshape(-1), "prior": features.prior.reshape(-1), CHANCE: chance,
                    }  # fmt: skip
                record += 1
            if total >= EVERY:
                self.progress("features", record, total)
        keep_tokens(self.folder, featurizer.reader, seen)

    def taught(self, units: Units, window: Window, soft: Soft | None) -> tuple[Rows, Chances]:
        """The rows that a window teaches, in units, and their probabilities; none of these where all are 1."""
        if soft is None:
            return unit_rows(units, np.array(window.rows, np.int32))[0], np.zeros(0, np.float32)
        rows, able = unit_rows(units, np.array(soft[0], np.int32))
        return rows, np.array(soft[1], np.float32)[able]

    def read_dev(self, featurizer: Featurizer) -> None:
        """Validate and keep dev as it is, and count what it shares with train."""
        # Features of dev are made when it is predicted; here they are only counted, and priors do not matter.
        featurizer.prior = None
        counts = self.splits["dev"]
        for batch in batches(self._dev(), _BATCH_CHARACTERS):
            self.encode(featurizer, batch, counts)
        counts.records = counts.records or counts.texts

    def _dev(self) -> Iterator[Example]:
        given = self.examples("dev") if "dev" in self.sources.files else None
        for example, in_train in self.intake.dev(given, self.splits["dev"]):
            self.overlap.texts += in_train
            self.overlap.triples += sum(
                all(map(self.builder.knows, stated))
                for triple in example.triples
                if (stated := facts([triple], self.labels))
            )
            yield example

    def encode(self, featurizer: Featurizer, batch: list[Example], counts: SplitStatistics) -> list[Encoded]:
        """Features and labels of all windows of some texts; counts them."""
        data = self.recipe.data
        cuts = [windows(example.text, data.window, data.overlap) for example in batch]
        texts = [e.text[a:b] for e, cut in zip(batch, cuts, strict=True) for a, b in cut]
        stated = [facts(example.triples, self.labels) for example in batch]
        owns: list[set[Fact]] = [set(s) for s, cut in zip(stated, cuts, strict=True) for _ in cut]
        features = iter(zip(texts, featurizer.encode_all(texts, owns), strict=True))
        encoded: list[Encoded] = []
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
            encoded.append((example, cut_out))
            counts.add(example, [found for _, found, _, _ in cut_out], featurizer.reader.unknown)
        counts.oracle.add([(e, [window for _, _, window, _ in cut_out]) for e, cut_out in encoded])
        return encoded

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
