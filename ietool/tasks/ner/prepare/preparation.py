"""Prepare: validate, count, encode and write. Memory does not grow with the files.

Train is read once: its good records, each text once, go to a scratch file while characters and types are counted; from
there they are encoded, since features need the whole vocabulary.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any, TextIO

import numpy as np

from ietool.core.contract import PrepareReport
from ietool.core.intake import rejecting, scratch_folder, watched
from ietool.core.sources import Sources
from ietool.core.survey import oracle_table
from ietool.errors import UserError
from ietool.files import read_lines
from ietool.progress import Progress
from ietool.records import Rejects, SeenTexts, count_lines, digest
from ietool.tasks.ner.data.forms.recognise import CLUENER
from ietool.tasks.ner.data.reading import Entity, Example, load_examples
from ietool.tasks.ner.features.featurizer import Featurizer, Labels, Piece
from ietool.tasks.ner.features.labelling import ORACLE_NOTE, Labeller, Rows
from ietool.tasks.ner.prepare.survey import Survey, corpus_table, notes, type_table
from ietool.tasks.ner.recipe import NerRecipe
from ietool.text.characters import fold
from ietool.text.readers import write_reader
from ietool.text.windows import batches
from ietool.training.tables import write_table

HEAD = 4096
"""Training records kept as they are, for ``--overfit``."""

_BATCH_CHARACTERS = 8192
"""Texts are encoded so many characters at a time."""


def prepare(
    recipe: NerRecipe, sources: Sources, folder: Path, *, rejects: Path | None, progress: Progress
) -> PrepareReport:
    """Validate and encode ``train`` and ``dev`` of the sources into ``folder``; see :meth:`Task.prepare`.

    Of a text that train has several times the first copy is used. Without ``dev`` a share of train is held out.

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
    return list(islice(_load(prepared / f"{split}.jsonl"), limit))


class _Preparation:
    """One run of :func:`prepare`: what its steps share."""

    def __init__(
        self, recipe: NerRecipe, sources: Sources, folder: Path, scratch: Path, rejects: Path | None, progress: Progress
    ) -> None:
        self.recipe, self.sources, self.folder, self.scratch, self.progress = recipe, sources, folder, scratch, progress
        self.rejects = None if rejects is None else Rejects(rejects)
        self.seen = SeenTexts(scratch)
        self.splits = {name: Survey() for name in ("train", "dev")}
        self.shared = 0
        self.form, self.separator = "", " "

    def close(self) -> None:
        self.seen.close()
        if self.rejects is not None:
            self.rejects.close()

    def run(self) -> PrepareReport:
        data, model = self.recipe.data, self.recipe.model
        characters = self.read_train()
        types = [name for name, _ in self.splits["train"].types.most_common()]
        if not types:
            raise UserError("has no entity to learn from", file=self.sources.files["train"])
        self.splits["train"].types.clear()  # counted again with the rest
        Labels(tuple(types), self.form, self.separator).save(self.folder)
        write_reader(self.folder, model.encoder, characters, data.min_char_count, data.word_vectors)
        self.featurizer = Featurizer.open(self.recipe, self.folder)
        self.flat = model.head == "crf"
        self.labeller = Labeller({name: n for n, name in enumerate(types)}, flat=self.flat)
        self.unknown = self.featurizer.reader.unknown
        write_table(self.train_rows, _columns(), self.folder / "train", self.scratch)
        self.read_dev()
        return self.report()

    def examples(self, path: Path, split: str, step: str) -> Iterator[Example]:
        """The good records of a file, counted, with progress by lines; bad ones go to the rejects, if there are any."""
        counts = self.splits[split]
        records = load_examples(path, rejecting(self.rejects, counts), form=self.recipe.data.form)
        for example in watched(records, self.progress, step, count_lines(path)):
            counts.records += 1
            yield example

    def read_train(self) -> Counter[str]:
        """Validate train, leave out repeated texts, hold out dev where there is none, and count what features need."""
        data, counts = self.recipe.data, self.splits["train"]
        path = self.sources.files["train"]
        hold = "dev" not in self.sources.files
        characters: Counter[str] = Counter()
        heads = held_out = 0
        with (
            _create(self.scratch / "train.jsonl") as once,
            _create(self.scratch / "held.jsonl") as held,
            _create(self.folder / "train.jsonl") as head,
        ):
            for example in self.examples(path, "train", "read train"):
                self.form = self.form or example.form
                text, gold = digest(example.text), digest(repr(example.entities))
                if not self.seen.first_time(text, gold):
                    counts.duplicates += 1
                    counts.conflicting += self.seen.gold_of(text) != gold
                    continue
                line = _line(example)
                if hold and Random(f"{data.held_out_seed}/{example.text}").random() < data.held_out:
                    held.write(line)
                    held_out += 1
                    continue
                characters.update(fold(example.text))
                counts.types.update(entity.type for entity in example.entities)
                once.write(line)
                if heads < HEAD:
                    head.write(line)
                    heads += 1
        if hold and not held_out:
            raise UserError(
                "gives no text to hold out as dev",
                file=path,
                mend="name a dev file with --dev FILE, or raise data.held_out",
            )
        if self.form != CLUENER and any("\t" in line for _, _, line in islice(read_lines(path, _skip), 1)):
            self.separator = "\t"
        return characters

    def train_rows(self) -> Iterator[dict[str, Any]]:
        """The rows of the training table, one a window."""
        counts = self.splits["train"]
        total, seen = counts.records - counts.duplicates, set[int]()
        for batch in batches(_load(self.scratch / "train.jsonl"), _BATCH_CHARACTERS):
            for pieces, labelled in self.encode(batch, counts):
                for piece, rows in zip(pieces, labelled, strict=True):
                    units = piece.units
                    seen.update(units.ids.tolist())
                    yield {
                        "length": len(units), "ids": units.ids, "words": units.words, "tags": units.tags,
                        "inside": units.inside.astype(np.uint8), "rows": rows.reshape(-1),
                    }  # fmt: skip
            if total >= 256:
                self.progress("features", counts.texts, total)
        self.progress("features", total, total)
        self.keep_tokens(seen)

    def keep_tokens(self, seen: Iterable[int]) -> None:
        """Write which tokens train holds, for a cut vocabulary."""
        from ietool.text.tokens import TokenReader, write_kept_tokens

        if isinstance(self.featurizer.reader, TokenReader):
            write_kept_tokens(self.folder, self.featurizer.reader, seen)

    def read_dev(self) -> None:
        """Validate and keep dev as it is, and count what it shares with train."""
        counts, given = self.splits["dev"], self.sources.files.get("dev")
        examples = self.examples(given, "dev", "read dev") if given else _load(self.scratch / "held.jsonl")
        seen: set[bytes] = set()
        with _create(self.folder / "dev.jsonl") as out:
            for batch in batches(examples, _BATCH_CHARACTERS):
                for example in batch:
                    out.write(_line(example))
                    text = digest(example.text)
                    self.shared += given is not None and self.seen.gold_of(text) is not None
                    counts.duplicates += text in seen
                    seen.add(text)
                for _ in self.encode(batch, counts):
                    pass
        counts.records = counts.records or counts.texts

    def encode(self, batch: list[Example], counts: Survey) -> Iterator[tuple[list[Piece], list[Rows]]]:
        """Pieces and label rows of some texts; counts them."""
        pieces: list[list[Piece]] = [[] for _ in batch]
        for piece in self.featurizer.pieces([example.text for example in batch]):
            pieces[piece.text].append(piece)
        for example, mine in zip(batch, pieces, strict=True):
            rows = [self.labeller.rows(example.entities, piece) for piece in mine]
            counts.add(example, mine, self.unknown)
            self.labeller.count(example, mine, rows, counts.oracle)
            yield mine, rows

    def report(self) -> PrepareReport:
        """Tables, numbers and notes."""
        splits, data = self.splits, self.recipe.data
        report = PrepareReport(rejected=sum(s.rejected for s in splits.values()))
        oracle = oracle_table({name: s.oracle for name, s in splits.items()}, "entities", ORACLE_NOTE)
        report.tables = [corpus_table(splits, self.shared), oracle, type_table(splits)]
        report.statistics = {name: s.numbers() for name, s in splits.items()}
        report.statistics |= {"overlap": {"texts": self.shared}, "labels": len(self.labeller.types)}
        report.notes = notes(splits, self.shared, data.window, flat=self.flat)
        if "dev" not in self.sources.files:
            report.notes.append(
                f"no dev file was given: {splits['dev'].texts:,} texts of train are held out "
                f"(data.held_out={data.held_out:g}, seed {data.held_out_seed})"
            )
        return report


def _columns() -> Any:
    from datasets import Features as Columns
    from datasets import Sequence, Value

    numbers = {"ids": "int32", "words": "int32", "tags": "uint8", "inside": "uint8", "rows": "int32"}
    return Columns({"length": Value("int32"), **{name: Sequence(Value(kind)) for name, kind in numbers.items()}})


def _line(example: Example) -> str:
    entities = [(e.start, e.end, e.type) for e in example.entities]
    record = (example.text, entities, example.form, example.id, example.tokens, example.broken)
    return json.dumps(record, ensure_ascii=False) + "\n"


def _load(path: Path) -> Iterator[Example]:
    with path.open(encoding="utf-8", newline="\n") as lines:
        for line in lines:
            text, entities, form, identity, tokens, broken = json.loads(line)
            yield Example(
                text, tuple(Entity(*e) for e in entities), form, identity, tuple((a, b) for a, b in tokens), broken
            )


def _create(path: Path) -> TextIO:
    return path.open("w", encoding="utf-8", newline="\n")


def _skip(error: UserError, line: str) -> None:
    pass
