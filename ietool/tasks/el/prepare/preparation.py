"""Prepare: compile the knowledge base, count the annotators' habits, encode. Memory does not grow with the texts.

The training file is read once: its good records are kept while habits are counted; from there they are encoded, since
what a text is told of the annotators must leave itself out.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

from ietool.core.contract import PrepareReport
from ietool.core.intake import (
    EVERY,
    HoldOut,
    Intake,
    Kept,
    bare,
    nothing_held_out,
    rejecting,
    scratch_folder,
)
from ietool.core.learnable import check_known, check_learnable
from ietool.core.sources import EXTRA, Sources
from ietool.core.survey import OracleCounts, oracle_table
from ietool.files.records import digest
from ietool.progress import Progress
from ietool.tasks.el.data.example import NIL, Example, Mention, form_of
from ietool.tasks.el.data.reading import load_examples
from ietool.tasks.el.features.annotations import Annotations, Folds
from ietool.tasks.el.features.assets import ANNOTATIONS, FOLDS, KB, NIL_TYPES, link_kb, read_nil_types
from ietool.tasks.el.features.descriptions import count_descriptions
from ietool.tasks.el.features.featurizer import Featurizer
from ietool.tasks.el.features.rows import NO_RECORD, encode, gold_of, table_columns
from ietool.tasks.el.features.traits import choose_types, read_types, write_types
from ietool.tasks.el.heads.vocabulary import Vocabulary
from ietool.tasks.el.kb.knowledge_base import KnowledgeBase, compile_kb
from ietool.tasks.el.prepare import survey
from ietool.tasks.el.prepare.notes import notes
from ietool.tasks.el.prepare.survey import AUTHORS_FILTER, Rejected, Survey
from ietool.tasks.el.recipe import ElRecipe
from ietool.tasks.el.writing import format_line
from ietool.text.characters import fold
from ietool.text.encoding import TextEncoder, write_vocabulary
from ietool.training.tables import write_table


def _dump(example: Example) -> str:
    return format_line(example.text_id, example.text, example.mentions)


def _load(line: str) -> Example:
    record = json.loads(line)
    mentions = tuple(Mention(m["mention"], int(m["offset"]), m["kb_id"]) for m in record["mention_data"])
    return Example(record["text_id"], record["text"], mentions, form=form_of(mentions))


KEPT = Kept(_dump, _load, lambda e: e.text, lambda e: repr(e.mentions), lambda e: [bare(e.text)])
"""How examples are kept in a prepared folder: as files of the competition have them."""


def prepare(
    recipe: ElRecipe,
    sources: Sources,
    folder: Path,
    vocabulary: Vocabulary,
    *,
    rejects: Path | None,
    progress: Progress,
) -> PrepareReport:
    """Compile ``kb`` and encode ``train`` and ``dev`` of the sources into ``folder``; see :meth:`Task.prepare`.

    Without ``dev`` a share of train is held out. ``mentions`` is a file of mentions without ids, for further
    supervision. Of a text that train has several times the first copy is used.

    Raises:
        UserError: a file that cannot be read or has no usable record; without ``rejects`` also the first bad record.
        OSError: the disk is full.
    """
    with (
        scratch_folder(folder) as scratch,
        closing(Intake(folder, scratch, rejects, progress, KEPT, sources.left_out)) as intake,
    ):
        return _Preparation(recipe, sources, intake, vocabulary).run()


class _Preparation:
    """One run of :func:`prepare`: what its steps share."""

    def __init__(self, recipe: ElRecipe, sources: Sources, intake: Intake[Example], vocabulary: Vocabulary) -> None:
        self.recipe, self.sources, self.intake, self.vocabulary = recipe, sources, intake, vocabulary
        self.folder, self.progress = intake.folder, intake.progress
        self.filters = sorted({2.0, AUTHORS_FILTER, recipe.data.name_filter})
        self.extra = Survey(self.filters)
        self.kb_rejected = Rejected()
        self.nil_types: Counter[str] = Counter()
        self.described: Counter[str] = Counter()
        self.folds = Folds(recipe.data.folds)
        self.overlap = 0
        self.names = ("train", *([EXTRA] if EXTRA in sources.files else ()), "dev")

    def run(self) -> PrepareReport:
        recipe = self.recipe
        reasons = (*self.vocabulary.reasons, *survey.REASONS)
        self.splits = {name: Survey(self.filters, oracle=OracleCounts(reasons)) for name in self.names}
        kb = self.compile()
        characters, self.described = count_descriptions(kb, recipe.model.head, self.progress)
        self.read_texts(kb, characters)
        annotations = self.folds.total
        # Words of names have vectors also where the encoder reads tokens.
        write_vocabulary(self.folder, characters, recipe.data.rarest, recipe.data.word_vectors)
        texts = (example.text for example in chain(self.intake.again(), self.intake.further(), self.further()))
        reader = self.vocabulary.write(self.folder, kb, texts, self.described, self.progress)
        annotations.save(self.folder / ANNOTATIONS)
        self.folds.save(self.folder / FOLDS)
        types = sorted(self.nil_types, key=lambda name: (-self.nil_types[name], name))
        if self.sources.like is not None:
            types = list(dict.fromkeys((*read_nil_types(self.sources.like), *types)))
        types = types or [NIL]
        (self.folder / NIL_TYPES).write_text("\n".join(types) + "\n", encoding="utf-8")
        write_types(self.folder, choose_types(kb.info.types))
        characters_of_words = TextEncoder.open(self.folder)
        featurizer = Featurizer(recipe, characters_of_words, kb, annotations, read_types(self.folder), reader)
        scratch = self.intake.scratch
        write_table(lambda: self.train_rows(featurizer, types), table_columns(), self.folder / "train", scratch)
        train = self.splits["train"]
        check_known(recipe, reader, train.unknown, train.units)
        self.read_dev(featurizer)
        return self.report(kb, annotations)

    def compile(self) -> KnowledgeBase:
        """The knowledge base, in a folder of its own; that of all folds is compiled once."""
        if self.sources.left_out is not None and self.sources.like is not None:
            link_kb(self.sources.like, self.folder)
            return KnowledgeBase.open(self.folder / KB)
        on_bad = rejecting(self.intake.rejects, self.kb_rejected)
        return compile_kb(self.sources.files["kb"], self.folder / KB, on_bad=on_bad, progress=self.progress)

    def examples(self, role: str, counts: Survey, *, need_ids: bool = True) -> Iterator[Example]:
        """The good records of a file."""
        path = self.sources.files[role]
        return self.intake.read(path, partial(load_examples, path, need_ids=need_ids), counts, f"read {role}")

    def read_texts(self, kb: KnowledgeBase, characters: Counter[str]) -> None:
        """Keep train, hold out dev where there is none, and count characters and habits, in further mentions too."""
        data, train = self.recipe.data, self.splits["train"]
        hold = None if "dev" in self.sources.files else HoldOut(data.held_out, data.held_out_seed)
        for example in self.intake.train(self.examples("train", train), train, hold):
            self._count(kb, example, characters)
        train.records = self.intake.rows  # told are those that are used
        if hold and not self.intake.held:
            raise nothing_held_out(self.sources.files["train"])
        if EXTRA in self.sources.files:
            labelled = self.splits[EXTRA]
            dev = None if hold else partial(load_examples, self.sources.files["dev"])
            for example in self.intake.extra(self.examples(EXTRA, labelled), labelled, dev):
                self._count(kb, example, characters)
            labelled.records = self.intake.extra_rows
        if "mentions" in self.sources.files and data.extra_mentions:
            with self._further.open("w", encoding="utf-8", newline="\n") as out:
                used = 0
                for example in self.examples("mentions", self.extra, need_ids=False):
                    if not self.intake.seen.first_time(digest(example.text), b""):
                        self.extra.duplicates += 1
                        continue
                    if self.intake.is_left_out(example):
                        continue
                    used += 1
                    out.write(_dump(example) + "\n")
                    self._count(kb, example, characters)
                self.extra.records = used

    @property
    def _further(self) -> Path:
        return self.intake.scratch / "mentions.jsonl"

    def further(self) -> Iterator[Example]:
        """The texts with mentions without ids, once each and none that stands in train."""
        if self._further.is_file():
            yield from KEPT.read(self._further)

    def _count(self, kb: KnowledgeBase, example: Example, characters: Counter[str]) -> None:
        characters.update(fold(example.text))
        self.nil_types.update(m.kb_id.partition("|")[0] for m in example.mentions if m.is_nil)
        found = [(start, end, kb.name(number)) for start, end, number in kb.match(example.text)]
        self.folds.add(example.text, found, gold_of(example, self.recipe.data.nil))

    def train_rows(self, featurizer: Featurizer, types: list[str]) -> Iterator[dict[str, Any]]:
        """The rows of the training table, one a window."""
        counts = self.splits["train"]
        numbers = {name: i for i, name in enumerate(types)}
        total = counts.records + self.intake.extra_rows + self.extra.records
        labelled = chain(self.intake.again(), self.intake.further())
        records = chain(enumerate(labelled), ((NO_RECORD, example) for example in self.further()))
        for done, (record, example) in enumerate(records, 1):
            if record != NO_RECORD:
                (counts if record < self.intake.rows else self.splits[EXTRA]).add(example, featurizer)
            yield from encode(featurizer, self.folds, example, numbers, record)
            if done % EVERY == 0:
                self.progress("features", done, total)

    def read_dev(self, featurizer: Featurizer) -> None:
        """Keep dev as it is, and survey it by the statistics of train."""
        counts = self.splits["dev"]
        given = self.examples("dev", counts) if "dev" in self.sources.files else None
        records = 0
        for example, in_train in self.intake.dev(given, Survey(self.filters)):  # what repeats in dev is not told
            records += 1
            self.overlap += in_train
            counts.add(example, featurizer)
        counts.records = records

    def report(self, kb: KnowledgeBase, annotations: Annotations) -> PrepareReport:
        """Tables, numbers and notes."""
        recipe, splits = self.recipe, self.splits
        rejected = self.kb_rejected.rejected + self.extra.rejected + sum(s.rejected for s in splits.values())
        report = PrepareReport(rejected=rejected)
        oracles = {name: s.oracle for name, s in splits.items()}
        report.tables = [
            survey.corpus_table(splits),
            survey.matcher_table(splits["dev"], recipe.data.name_filter),
            oracle_table(oracles, "mentions", survey.ORACLE_NOTE),
        ]
        report.statistics = {name: s.numbers() for name, s in splits.items()}
        report.statistics |= {
            "overlap": {"texts": self.overlap},
            "kb": {"entities": kb.info.entities, "names": kb.info.names, "bytes": sum(kb.info.files.values())},
            "annotated_names": len(annotations),
            "extra_mention_texts": self.extra.records,
            "descriptions": dict(self.described),
        }
        report.notes = notes(recipe, kb, splits, self.described, self.extra, self.sources, self.overlap)
        report.notes += self.intake.extra_notes("texts")
        report.notes += check_learnable(oracles, "mentions", survey.MENDS, self.sources.files["train"])
        return report
