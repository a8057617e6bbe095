"""Prepare: validate, count, encode and write. Memory does not grow with the files.

The training file is read once: its good records, each text once, go to a scratch file while characters and facts are
counted; from there they are encoded, since features need the whole vocabulary and index.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from ietool.core.contract import PrepareReport
from ietool.core.intake import rejecting, scratch_folder, watched
from ietool.core.sources import Sources
from ietool.core.survey import oracle_table
from ietool.files import OnBad, read_lines
from ietool.progress import Progress
from ietool.records import Rejects, SeenTexts, count_lines, digest
from ietool.tasks.ske.data.example import Example, Triple
from ietool.tasks.ske.data.reading import Schema, infer_schema, load_examples, read_examples, read_schema
from ietool.tasks.ske.features.featurizer import SCHEMA, Features, Featurizer, unit_rows
from ietool.tasks.ske.features.labelling import facts, label_rows
from ietool.tasks.ske.features.prior import Fact, PriorBuilder
from ietool.tasks.ske.prepare import survey as statistics
from ietool.tasks.ske.prepare.oracle import ORACLE_NOTE, Oracle, Piece
from ietool.tasks.ske.prepare.survey import Overlap, SplitStatistics
from ietool.tasks.ske.recipe import SkeRecipe
from ietool.tasks.ske.writing import format_line
from ietool.text.characters import fold
from ietool.text.readers import write_reader
from ietool.text.units import DGCNN
from ietool.text.windows import batches, windows
from ietool.training.tables import write_table

HEAD = 4096
"""Training records kept as they are, for ``--overfit``."""

_BATCH_CHARACTERS = 8192
"""Texts are encoded in batches of about this size."""

Encoded = tuple[Example, list[tuple[str, Features, Piece]]]
"""A text and its windows: text, features and label rows of each."""


def prepare(
    recipe: SkeRecipe, sources: Sources, folder: Path, *, rejects: Path | None, progress: Progress
) -> PrepareReport:
    """Validate and encode ``train`` and ``dev`` of the sources into ``folder``; see :meth:`Task.prepare`.

    Of a text that train has several times the first copy is used.

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
        self, recipe: SkeRecipe, sources: Sources, folder: Path, scratch: Path, rejects: Path | None, progress: Progress
    ) -> None:
        self.recipe, self.sources, self.folder, self.scratch, self.progress = recipe, sources, folder, scratch, progress
        self.rejects = None if rejects is None else Rejects(rejects)
        self.schema = self._find_schema()
        self.labels = {label: i for i, label in enumerate(self.schema.labels)}
        self.splits = {
            name: SplitStatistics(Oracle(self.schema.labels, self.schema.competition, recipe.model.head))
            for name in ("train", "dev")
        }
        self.overlap = Overlap()
        self.builder, self.seen = PriorBuilder(scratch), SeenTexts(scratch)

    def close(self) -> None:
        self.builder.close()
        self.seen.close()
        if self.rejects is not None:
            self.rejects.close()

    def run(self) -> PrepareReport:
        self.read_train()
        featurizer = Featurizer.open(self.folder, priors=True, compact=True)
        write_table(lambda: self.train_rows(featurizer), _columns(), self.folder / "train", self.scratch)
        splits = self.splits
        splits["train"].cut = featurizer.reader.cut
        self.read_dev(featurizer)
        splits["dev"].cut = featurizer.reader.cut - splits["train"].cut
        report = PrepareReport(rejected=sum(s.rejected for s in splits.values()))
        vectors = self.recipe.data.word_vectors is not None
        report.tables = [
            statistics.corpus_table(splits, self.overlap, vectors=vectors),
            oracle_table({name: s.oracle.counts for name, s in splits.items()}, "triples", ORACLE_NOTE),
            statistics.relation_table(splits, list(self.schema.relations)),
        ]
        report.statistics = {name: s.numbers() for name, s in splits.items()}
        report.statistics["overlap"] = self.overlap.numbers(splits["dev"])
        report.statistics["labels"] = len(self.labels)
        report.notes = statistics.notes(splits, self.overlap, self.recipe.data.window)
        if "schema" not in self.sources.files:
            report.notes.append(f"no schema was given: its {len(self.schema.relations)} relations are those of train")
        return report

    def _find_schema(self) -> Schema:
        if "schema" in self.sources.files:
            return read_schema(self.sources.files["schema"])
        # Bad records are reported when the file is read for good.
        ignore: OnBad | None = (lambda error, line: None) if self.rejects is not None else None
        return infer_schema(load_examples(self.sources.files["train"], on_bad=ignore))

    def examples(self, split: str, step: str) -> Iterator[Example]:
        """The good records of a file, counted, with progress by lines; bad ones go to the rejects, if there are any."""
        path, counts = self.sources.files[split], self.splits[split]
        records = load_examples(path, self.schema, rejecting(self.rejects, counts))
        for example in watched(records, self.progress, step, count_lines(path)):
            counts.records += 1
            counts.dropped += example.dropped
            yield example

    def read_train(self) -> None:
        """Validate train, leave out repeated texts, count, and write all that features need."""
        recipe, folder, counts = self.recipe, self.folder, self.splits["train"]
        characters: Counter[str] = Counter()
        with _create(self.scratch / "train.jsonl") as once, _create(folder / "train.jsonl") as head:
            for example in self.examples("train", "read train"):
                text, gold = digest(example.text), _digest_of_gold(example)
                if not self.seen.first_time(text, gold):
                    counts.duplicates += 1
                    counts.conflicting += self.seen.gold_of(text) != gold
                    continue
                characters.update(fold(example.text))
                self.builder.add(set(facts(example.triples, self.labels)))
                triples = [(t.subject, t.predicate, t.object) for t in example.triples]
                once.write(json.dumps((example.text, triples), ensure_ascii=False) + "\n")
                if counts.records - counts.duplicates <= HEAD:
                    head.write(format_line(example.text, example.triples, self.schema) + "\n")
        self.builder.write(folder)
        data = recipe.data
        write_reader(folder, recipe.model.encoder, characters, data.min_char_count, data.word_vectors)
        (folder / SCHEMA).write_text(self.schema.to_json(), encoding="utf-8")

    def train_rows(self, featurizer: Featurizer) -> Iterator[dict[str, Any]]:
        """The rows of the training table, one a window."""
        counts = self.splits["train"]
        total = counts.records - counts.duplicates
        seen: set[int] = set()
        for batch in batches(_read_once(self.scratch / "train.jsonl"), _BATCH_CHARACTERS):
            for _, pieces in self.encode(featurizer, batch, counts, train=True):
                for text, features, piece in pieces:
                    units = features.units
                    seen.update(units.ids.tolist())
                    rows, _ = unit_rows(units, np.array(piece.rows, np.int32))
                    yield {
                        "text": text, "length": len(units), "start": piece.start,
                        "ids": units.ids, "words": units.words, "tags": units.tags,
                        "starts": units.starts, "ends": units.ends,
                        "spans": rows.reshape(-1), "prior": features.prior.reshape(-1),
                    }  # fmt: skip
            if total >= 256:
                self.progress("features", counts.texts, total)
        if self.recipe.model.encoder != DGCNN:
            from ietool.text.tokens import TokenReader, write_kept_tokens

            assert isinstance(featurizer.reader, TokenReader)
            write_kept_tokens(self.folder, featurizer.reader, seen)

    def read_dev(self, featurizer: Featurizer) -> None:
        """Validate and keep dev as it is, and count what it shares with train."""
        # Features of dev are made when it is predicted; here they are only counted, and priors do not matter.
        featurizer.prior = None
        seen: Counter[bytes] = Counter()
        counts = self.splits["dev"]
        with _create(self.folder / "dev.jsonl") as out:
            for batch in batches(self.examples("dev", "read dev"), _BATCH_CHARACTERS):
                for example in batch:
                    out.write(format_line(example.text, example.triples, self.schema) + "\n")
                    text = digest(example.text)
                    self.overlap.texts += self.seen.gold_of(text) is not None
                    self.overlap.triples += sum(
                        all(self.builder.knows(fact) for fact in facts([triple], self.labels))
                        for triple in example.triples
                    )
                    seen[text] += 1
                self.encode(featurizer, batch, counts, train=False)
        counts.duplicates = seen.total() - len(seen)

    def encode(
        self, featurizer: Featurizer, batch: list[Example], counts: SplitStatistics, *, train: bool
    ) -> list[Encoded]:
        """Features and labels of all windows of some texts; counts them."""
        data = self.recipe.data
        cuts = [windows(example.text, data.window, data.overlap) for example in batch]
        texts = [e.text[a:b] for e, cut in zip(batch, cuts, strict=True) for a, b in cut]
        stated = [facts(example.triples, self.labels) for example in batch]
        owns: list[set[Fact]] = [set(s) for s, cut in zip(stated, cuts, strict=True) for _ in cut]
        features = iter(zip(texts, featurizer.encode_all(texts, owns), strict=True))
        encoded: list[Encoded] = []
        for example, cut, own in zip(batch, cuts, stated, strict=True):
            pieces = []
            for (start, _), (text, found) in zip(cut, islice(features, len(cut)), strict=True):
                rows = label_rows(own, text, first_only=data.occurrences == "first")
                _, kept = unit_rows(found.units, np.array(rows, np.int32))
                # What no units can express is lost; the oracle counts it.
                told, split = (
                    [row for row, ok in zip(rows, kept, strict=True) if ok == good] for good in (True, False)
                )
                pieces.append((text, found, Piece(start, told, split)))
            encoded.append((example, pieces))
            counts.add(example, [found for _, found, _ in pieces], featurizer.reader.unknown)
        counts.oracle.add([(e, [piece for _, _, piece in pieces]) for e, pieces in encoded])
        return encoded


def _columns() -> Any:
    from datasets import Features as Columns
    from datasets import Sequence, Value

    numbers = dict.fromkeys(("ids", "words", "starts", "ends", "spans", "prior"), "int32") | {"tags": "uint8"}
    columns = {"text": Value("string"), "length": Value("int32"), "start": Value("int32")}
    return Columns({**columns, **{name: Sequence(Value(kind)) for name, kind in numbers.items()}})


def _create(path: Path) -> TextIO:
    return path.open("w", encoding="utf-8", newline="\n")


def _digest_of_gold(example: Example) -> bytes:
    return digest(repr(sorted((t.subject, t.predicate, t.object) for t in example.triples)))


def _read_once(path: Path) -> Iterator[Example]:
    with path.open(encoding="utf-8", newline="\n") as lines:
        for line in lines:
            text, triples = json.loads(line)
            yield Example(text, tuple(Triple(s, p, tuple((slot, v) for slot, v in o)) for s, p, o in triples))
