"""Prepare: count, choose passages, encode. Memory does not grow with the questions.

Train is read once: its good questions go to a scratch file while characters are counted, and are encoded from there.
"""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any, TextIO, cast

from ietool.core.contract import PrepareReport
from ietool.core.intake import rejecting, scratch_folder
from ietool.core.sources import Sources
from ietool.core.survey import oracle_table
from ietool.errors import UserError
from ietool.progress import Progress
from ietool.records import Rejects, SeenTexts, digest
from ietool.tasks.qa.data.reading import Passage, Question, load_questions
from ietool.tasks.qa.data.sources import files_of
from ietool.tasks.qa.features.featurizer import Featurizer, chosen
from ietool.tasks.qa.features.locate import annotated, locate
from ietool.tasks.qa.heads.mlm.model import check_encoder
from ietool.tasks.qa.heads.mlm.reader import MaskReader
from ietool.tasks.qa.heads.reader import rows as rows_of_reader
from ietool.tasks.qa.heads.reader.rows import label_class
from ietool.tasks.qa.heads.span import rows as rows_of_tokens
from ietool.tasks.qa.heads.span.borders import TokenSurvey
from ietool.tasks.qa.prepare.survey import ORACLE_NOTE, Survey, corpus_table
from ietool.tasks.qa.recipe import QaRecipe
from ietool.text.characters import fold
from ietool.text.encoding import TextEncoder
from ietool.text.readers import write_reader
from ietool.text.tokens import TokenReader, write_kept_tokens
from ietool.text.units import DGCNN
from ietool.training.tables import write_table

HEAD = 1024
"""Training questions kept as they are, for ``--overfit``: the first of those that the table has rows of."""

LABELLED = "labelled"
"""File of a prepared folder whose train has labels of YES_NO questions."""


def prepare(
    recipe: QaRecipe, sources: Sources, folder: Path, *, rejects: Path | None, progress: Progress
) -> PrepareReport:
    """Encode ``train`` and keep ``dev`` of the sources in ``folder``; see :meth:`Task.prepare`.

    Without ``dev`` a share of train is held out. ``data.more`` names further files of training questions.

    Raises:
        UserError: a file that cannot be read or has no usable question; without ``rejects`` also the first bad one.
        OSError: the disk is full.
    """
    with (
        scratch_folder(folder) as scratch,
        closing(_Preparation(recipe, sources, folder, scratch, rejects, progress)) as preparation,
    ):
        return preparation.run()


def read_split(prepared: Path, split: str, limit: int | None) -> list[Question]:
    """The questions of a prepared split, ``dev`` or the head of ``train``; at most ``limit``."""
    return list(islice(_load(prepared / f"{split}.jsonl"), limit))


class _Preparation:
    """One run of :func:`prepare`: what its steps share."""

    def __init__(
        self, recipe: QaRecipe, sources: Sources, folder: Path, scratch: Path, rejects: Path | None, progress: Progress
    ) -> None:
        self.recipe, self.sources, self.folder, self.scratch, self.progress = recipe, sources, folder, scratch, progress
        self.rejects = None if rejects is None else Rejects(rejects)
        self.seen = SeenTexts(scratch)
        self.splits = {name: Survey() for name in ("train", "dev")}
        self.tokens: TokenSurvey | None = None
        self.overlap = self.unlocated = 0

    def close(self) -> None:
        self.seen.close()
        if self.rejects is not None:
            self.rejects.close()

    def run(self) -> PrepareReport:
        data, encoder = self.recipe.data, self.recipe.model.encoder
        if encoder != DGCNN:  # an encoder that cannot be had is told before everything is read
            tokens = cast(TokenReader, write_reader(self.folder, encoder, Counter(), data.min_char_count, None))
            masks = None
            if self.recipe.model.head == "mlm":
                masks = self.recipe.model.masks
                MaskReader.of(self.folder, masks)
                check_encoder(encoder)
            self.tokens = TokenSurvey(tokens, masks)
        characters = self.read_train()
        if self.tokens is not None:
            self.tokens.flush()
            write_kept_tokens(self.folder, self.tokens.reader, self.tokens.seen)
            rows, kinds = self.token_rows(), rows_of_tokens.table_columns()
        else:
            reader = write_reader(self.folder, encoder, characters, data.min_char_count, data.word_vectors)
            featurizer = Featurizer(self.recipe, cast(TextEncoder, reader))
            rows, kinds = self.character_rows(featurizer), rows_of_reader.table_columns()
        self.read_dev()
        count = write_table(lambda: rows, kinds, self.folder / "train", self.scratch)
        if not count:
            raise UserError("holds no passage to learn from", file=self.sources.files["train"])
        return self.report()

    def questions(self, path: Path, counts: Survey, step: str, *, needs_answers: bool = True) -> Iterator[Question]:
        """The good questions of a file; bad ones go to the rejects, if there are any."""
        form, on_bad = self.recipe.data.form, rejecting(self.rejects, counts)
        given = None if form == "auto" else form
        number = 0
        for number, question in enumerate(load_questions(path, on_bad, form=given, needs_answers=needs_answers), 1):
            if number % 64 == 0:
                self.progress(step, number, None)
            yield question
        self.progress(step, number, number)

    def read_train(self) -> Counter[str]:
        """Validate the training questions, hold out dev where there is none, count characters if the encoder
        reads them."""
        characters: Counter[str] = Counter()
        data, train = self.recipe.data, self.splits["train"]
        hold = "dev" not in self.sources.files
        heads = 0
        with ExitStack() as stack:
            once, head, held = (
                stack.enter_context(_create(path))
                for path in (
                    self.scratch / "train.jsonl",
                    self.folder / "train.jsonl",
                    self.scratch / "held.jsonl",
                )
            )
            for path in (*files_of(self.sources, "train"), *data.more):
                for question in self.questions(path, train, "read train"):
                    line = json.dumps(asdict(question), ensure_ascii=False) + "\n"
                    if hold and Random(f"{data.held_out_seed}/{question.text}").random() < data.held_out:
                        held.write(line)
                        continue
                    self.seen.first_time(digest(question.text), b"")
                    self.survey(train, question)
                    once.write(line)
                    if heads < HEAD and (question.is_impossible or _answering(question)):
                        head.write(line)
                        heads += 1
                    if self.tokens is None:
                        for text in (question.text, *(passage.text for passage in question.passages)):
                            characters.update(fold(text))
                    if label_class(question) >= 0:
                        (self.folder / LABELLED).touch()
            if hold and not held.tell():
                raise UserError(
                    "gives no question to hold out as dev", file=self.sources.files["train"],
                    mend="name a dev file with --dev FILE, or raise data.held_out",
                )  # fmt: skip
        return characters

    def character_rows(self, featurizer: Featurizer) -> Iterator[dict[str, Any]]:
        """The rows of the reader's training table."""
        for number, question, passages in self.learnt():
            yield from rows_of_reader.encode(featurizer, question, passages, number)

    def token_rows(self) -> Iterator[dict[str, Any]]:
        """The rows of the training table of the heads that read tokens."""
        for number, question, passages in self.learnt():
            yield from rows_of_tokens.encode(question, passages, number, self.recipe.data.question)

    def learnt(self) -> Iterator[tuple[int, Question, list[int]]]:
        """The training questions with their numbers, and the passages that are read or answer them."""
        total, number = self.splits["train"].records, 0
        for done, question in enumerate(_load(self.scratch / "train.jsonl"), 1):
            answering = _answering(question)
            if not answering and not question.is_impossible:
                # Its answer stands nowhere as it is written: to be told that there is none would be wrong.
                self.unlocated += 1
                continue
            yield number, question, sorted({*chosen(question, self.recipe.data.paragraphs), *answering})
            number += 1
            if done % 64 == 0:
                self.progress("features", done, total)
        self.progress("features", total, total)

    def read_dev(self) -> None:
        """Validate and keep dev as it is."""
        dev = self.splits["dev"]
        files = files_of(self.sources, "dev")
        given = bool(files)
        questions = (
            itertools.chain.from_iterable(self.questions(path, dev, "read dev") for path in files)
            if given
            else _load(self.scratch / "held.jsonl")
        )
        with _create(self.folder / "dev.jsonl") as out:
            for question in questions:
                self.survey(dev, question)
                self.overlap += given and self.seen.gold_of(digest(question.text)) is not None
                out.write(json.dumps(asdict(question), ensure_ascii=False) + "\n")
        if self.tokens is not None:
            self.tokens.flush()

    def survey(self, split: Survey, question: Question) -> None:
        """Count a question of a split."""
        passages = chosen(question, self.recipe.data.paragraphs)
        answers = split.add(question, passages, self.recipe.decode.longest)
        if self.tokens is not None:
            self.tokens.add(question, passages, answers, split.oracle)

    def report(self) -> PrepareReport:
        """Tables, numbers and notes."""
        splits, data = self.splits, self.recipe.data
        report = PrepareReport(rejected=sum(s.rejected for s in splits.values()))
        oracle = oracle_table({name: s.oracle for name, s in splits.items()}, "questions", ORACLE_NOTE)
        report.tables = [corpus_table(splits), oracle]
        report.statistics = {name: s.numbers() for name, s in splits.items()}
        report.statistics |= {"overlap": {"questions": self.overlap}, "unlocated": self.unlocated}
        if self.unlocated:
            report.notes.append(
                f"{self.unlocated:,} training questions are left out: their answers stand in none of their passages"
            )
        if "dev" not in self.sources.files:
            report.notes.append(
                f"no dev file was given: {splits['dev'].records:,} questions of train are held out "
                f"(data.held_out={data.held_out:g}, seed {data.held_out_seed})"
            )
        for name, split in splits.items():
            if split.lengths.longest > data.window:
                report.notes.append(f"{name}: passages of more than {data.window} characters are read in windows")
            if split.markup:
                report.notes.append(f"{name}: {split.markup:,} passages hold HTML, which is kept as it is")
        if self.overlap:
            report.notes.append(f"{self.overlap:,} questions of dev are in train too: its score flatters")
        return report


def _answering(question: Question) -> list[int]:
    """Indices of the passages that an answer stands in."""
    return [i for i, passage in enumerate(annotated(question)) if locate(passage)[0]]


def _load(path: Path) -> Iterator[Question]:
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            record = json.loads(line)
            passages = tuple(
                Passage(**{**p, "answers": tuple(p["answers"]), "starts": tuple(p["starts"])})
                for p in record.pop("passages")
            )
            record["entities"] = tuple(tuple(names) for names in record["entities"])
            record |= {key: tuple(record[key]) for key in ("answers", "labels")}
            yield Question(passages=passages, **record)


def _create(path: Path) -> TextIO:
    return path.open("w", encoding="utf-8", newline="\n")
