"""Prepare: compile the knowledge base, count the annotators' habits, encode. Memory does not grow with the texts.

The training file is read once: its good records go to a scratch file while habits are counted; from there they are
encoded, since what a text is told of the annotators must leave itself out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing
from itertools import islice
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, TextIO

from ietool.core.contract import PrepareReport
from ietool.core.intake import rejecting, scratch_folder, watched
from ietool.core.sources import Sources
from ietool.core.survey import OracleCounts, oracle_table
from ietool.errors import UserError
from ietool.files import read_lines
from ietool.progress import Progress
from ietool.records import Rejects, SeenTexts, count_lines, digest
from ietool.tasks.el.data.example import NIL, Example
from ietool.tasks.el.data.reading import load_examples, read_examples
from ietool.tasks.el.features.annotations import Annotations, Folds
from ietool.tasks.el.features.assets import ANNOTATIONS, FOLDS, KB, NIL_TYPES
from ietool.tasks.el.features.descriptions import count_descriptions
from ietool.tasks.el.features.featurizer import Featurizer
from ietool.tasks.el.features.rows import encode, gold_of, table_columns
from ietool.tasks.el.features.traits import choose_types, read_types, write_types
from ietool.tasks.el.kb.knowledge_base import KnowledgeBase, compile_kb
from ietool.tasks.el.prepare import survey
from ietool.tasks.el.prepare.notes import notes
from ietool.tasks.el.prepare.survey import AUTHORS_FILTER, Survey
from ietool.tasks.el.recipe import ElRecipe
from ietool.tasks.el.writing import format_line
from ietool.text.characters import fold
from ietool.text.encoding import TextEncoder, write_vocabulary
from ietool.text.units import DGCNN, UnitReader
from ietool.training.tables import write_table

if TYPE_CHECKING:
    from ietool.text.tokens import TokenReader

HEAD = 4096
"""Training records kept as they are, for ``--overfit``."""


def prepare(
    recipe: ElRecipe, sources: Sources, folder: Path, *, rejects: Path | None, progress: Progress
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
        closing(_Preparation(recipe, sources, folder, scratch, rejects, progress)) as preparation,
    ):
        return preparation.run()


def read_split(prepared: Path, split: str, limit: int | None) -> list[Example]:
    """The examples of a prepared split, ``dev`` or the head of ``train``; at most ``limit``."""
    return list(islice(read_examples(read_lines(prepared / f"{split}.jsonl")), limit))


class _Preparation:
    """One run of :func:`prepare`: what its steps share."""

    def __init__(
        self, recipe: ElRecipe, sources: Sources, folder: Path, scratch: Path, rejects: Path | None, progress: Progress
    ) -> None:
        self.recipe, self.sources, self.folder, self.scratch, self.progress = recipe, sources, folder, scratch, progress
        self.rejects = None if rejects is None else Rejects(rejects)
        self.seen = SeenTexts(scratch)
        self.filters = sorted({2.0, AUTHORS_FILTER, recipe.data.name_filter})
        reasons = survey.REASONS if recipe.model.encoder == DGCNN else (survey.CUT, *survey.REASONS)
        self.splits = {name: Survey(self.filters, oracle=OracleCounts(reasons)) for name in ("train", "dev")}
        self.extra = Survey(self.filters)
        self.nil_types: Counter[str] = Counter()
        self.described: Counter[str] = Counter()
        self.folds = Folds(recipe.data.folds)
        self.overlap = 0

    def close(self) -> None:
        self.seen.close()
        if self.rejects is not None:
            self.rejects.close()

    def run(self) -> PrepareReport:
        tokens: TokenReader | None = None
        if self.recipe.model.encoder != DGCNN:  # first, as what is wrong with it should not take a while to be told
            from ietool.tasks.el.heads.cross.tokenizing import fetch_reader

            tokens = fetch_reader(self.recipe.model)
        kb = self.compile()
        characters, self.described = count_descriptions(kb, self.recipe.model, self.progress)
        self.read_texts(kb, characters)
        annotations = self.folds.total
        reader = self.write_reader(kb, characters, tokens)
        annotations.save(self.folder / ANNOTATIONS)
        self.folds.save(self.folder / FOLDS)
        types = sorted(self.nil_types, key=lambda name: (-self.nil_types[name], name)) or [NIL]
        (self.folder / NIL_TYPES).write_text("\n".join(types) + "\n", encoding="utf-8")
        write_types(self.folder, choose_types(kb.info.types))
        encoder = TextEncoder.open(self.folder)
        featurizer = Featurizer(self.recipe, encoder, kb, annotations, read_types(self.folder), reader)
        write_table(lambda: self.train_rows(featurizer, types), table_columns(), self.folder / "train", self.scratch)
        self.read_dev(featurizer)
        return self.report(kb, annotations)

    def compile(self) -> KnowledgeBase:
        """The knowledge base, in a folder of its own."""
        counts = Counter[str]()
        rejects = self.rejects

        def reject(error: UserError, line: str) -> None:
            assert rejects is not None
            counts["rejected"] += 1
            rejects.add(error, line)

        on_bad = None if rejects is None else reject
        kb = compile_kb(self.sources.files["kb"], self.folder / KB, on_bad=on_bad, progress=self.progress)
        self.kb_rejected = counts["rejected"]
        return kb

    def write_reader(self, kb: KnowledgeBase, characters: Counter[str], reader: TokenReader | None) -> UnitReader:
        """Write the characters, which words of names need too, and the tokenizer of a pretrained encoder."""
        data, model = self.recipe.data, self.recipe.model
        write_vocabulary(self.folder, characters, data.min_char_count, data.word_vectors)
        if reader is None:
            return TextEncoder.open(self.folder)
        from ietool.tasks.el.heads.cross.tokenizing import count_tokens, tokens_of_texts
        from ietool.text.tokens import write_kept_tokens

        reader.save(self.folder)
        counts = count_tokens(reader, kb, model, self.progress)
        self.described.update({"tokens": counts.tokens, "tokens_cut": counts.cut})
        if model.cut_vocabulary:
            texts = [(self.scratch / f"{name}.jsonl", name == "train") for name in ("train", "mentions")]
            seen = tokens_of_texts(reader, [text for text in texts if text[0].is_file()], data)
            write_kept_tokens(self.folder, reader, seen | counts.seen)
        return reader

    def examples(self, role: str, counts: Survey, step: str, *, need_ids: bool = True) -> Iterator[Example]:
        """The good records of a file, counted, with progress by lines; bad ones go to the rejects, if there are any."""
        path = self.sources.files[role]
        records = load_examples(path, rejecting(self.rejects, counts), need_ids=need_ids)
        yield from watched(records, self.progress, step, count_lines(path))

    def read_texts(self, kb: KnowledgeBase, characters: Counter[str]) -> None:
        """Validate train and further mentions, leave out repeated texts, count characters and habits."""
        data, train = self.recipe.data, self.splits["train"]
        hold = "dev" not in self.sources.files
        with ExitStack() as stack:
            once, head, held = (
                stack.enter_context(_create(path))
                for path in (
                    self.scratch / "train.jsonl",
                    self.folder / "train.jsonl",
                    self.scratch / "held.jsonl",
                )
            )
            for example in self.examples("train", train, "read train"):
                line = format_line(example.text_id, example.text, example.mentions) + "\n"
                key = digest(example.text)
                if not self.seen.first_time(key, b""):
                    train.duplicates += 1
                    continue
                if hold and Random(f"{data.held_out_seed}/{example.text}").random() < data.held_out:
                    held.write(line)
                    continue
                train.records += 1
                once.write(line)
                if train.records <= HEAD:
                    head.write(line)
                self._count(kb, example, characters)
            if hold and not held.tell():
                raise UserError(
                    "gives no text to hold out as dev", file=self.sources.files["train"],
                    mend="name a dev file with --dev FILE, or raise data.held_out",
                )  # fmt: skip
        if "mentions" in self.sources.files and data.extra_mentions:
            with _create(self.scratch / "mentions.jsonl") as out:
                for example in self.examples("mentions", self.extra, "read mentions", need_ids=False):
                    if not self.seen.first_time(digest(example.text), b""):
                        self.extra.duplicates += 1
                        continue
                    self.extra.records += 1
                    out.write(format_line(example.text_id, example.text, example.mentions) + "\n")
                    self._count(kb, example, characters)

    def _count(self, kb: KnowledgeBase, example: Example, characters: Counter[str]) -> None:
        characters.update(fold(example.text))
        self.nil_types.update(m.kb_id.partition("|")[0] for m in example.mentions if m.is_nil)
        found = [(start, end, kb.name(number)) for start, end, number in kb.match(example.text)]
        self.folds.add(example.text, found, gold_of(example, self.recipe.data.nil))

    def train_rows(self, featurizer: Featurizer, types: list[str]) -> Iterator[dict[str, Any]]:
        """The rows of the training table, one a window."""
        counts = self.splits["train"]
        numbers = {name: i for i, name in enumerate(types)}
        total, done = counts.records + self.extra.records, 0
        for name, need_ids in (("train", True), ("mentions", False)):
            path = self.scratch / f"{name}.jsonl"
            if not path.is_file():
                continue
            for example in read_examples(read_lines(path), need_ids=need_ids):
                if need_ids:
                    counts.add(example, featurizer)
                yield from encode(featurizer, self.folds, example, numbers)
                done += 1
                if done % 256 == 0:
                    self.progress("features", done, total)

    def read_dev(self, featurizer: Featurizer) -> None:
        """Validate and keep dev as it is, and survey it by the statistics of train."""
        counts = self.splits["dev"]
        given = "dev" in self.sources.files
        examples = (
            self.examples("dev", counts, "read dev")
            if given
            else read_examples(read_lines(self.scratch / "held.jsonl"))
        )
        with _create(self.folder / "dev.jsonl") as out:
            for example in examples:
                counts.records += 1
                self.overlap += given and self.seen.gold_of(digest(example.text)) is not None
                counts.add(example, featurizer)
                out.write(format_line(example.text_id, example.text, example.mentions) + "\n")

    def report(self, kb: KnowledgeBase, annotations: Annotations) -> PrepareReport:
        """Tables, numbers and notes."""
        recipe, splits = self.recipe, self.splits
        rejected = self.kb_rejected + self.extra.rejected + sum(s.rejected for s in splits.values())
        report = PrepareReport(rejected=rejected)
        report.tables = [
            survey.corpus_table(splits),
            survey.matcher_table(splits["dev"], recipe.data.name_filter),
            oracle_table({name: s.oracle for name, s in splits.items()}, "mentions", survey.ORACLE_NOTE),
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
        return report


def _create(path: Path) -> TextIO:
    return path.open("w", encoding="utf-8", newline="\n")
