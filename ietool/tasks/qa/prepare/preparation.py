"""Prepare: count, choose passages, encode. Memory does not grow with the questions.

Train is read once: its good questions are kept while they are counted, and are encoded from there. Questions that are
learnt from come first, in the order of the files; behind them stand those whose answers stand in none of their
passages: so the first row numbers are those that the training table has rows of.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import asdict
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from ietool.core.contract import PrepareReport
from ietool.core.groups import GROUPS
from ietool.core.intake import (
    HoldOut,
    Intake,
    Kept,
    bare,
    held_out_note,
    nothing_held_out,
    rejecting,
    scratch_folder,
)
from ietool.core.learnable import check_known, check_learnable, nothing_to_learn
from ietool.core.sources import EXTRA, Sources
from ietool.core.survey import oracle_table
from ietool.files.lines import OnBad
from ietool.files.records import first_told
from ietool.progress import Progress
from ietool.tasks.qa.data.question import Passage, Question
from ietool.tasks.qa.data.reading import load_questions
from ietool.tasks.qa.data.sources import files_of
from ietool.tasks.qa.features.featurizer import chosen
from ietool.tasks.qa.features.labels import LABELLED, is_labelled, label_class
from ietool.tasks.qa.features.locate import MENDS, UNREAD, annotated, locate
from ietool.tasks.qa.heads.mined import EACH, write_first_mined
from ietool.tasks.qa.heads.training_rows import TrainingRows
from ietool.tasks.qa.prepare.mining import FEW, Passages, has_none, mined, wanted
from ietool.tasks.qa.prepare.survey import ORACLE_NOTE, Survey, corpus_table
from ietool.tasks.qa.recipe import QaRecipe
from ietool.training.tables import write_table

TELLING = 16
"""Letters and digits that a passage has at least where it puts questions into one group: shorter ones ("show all",
"answer:") stand in documents on anything, and would make one group of all."""

_EVERY = 64
"""Questions between two words of progress."""


def _dump(question: Question) -> str:
    return json.dumps(asdict(question), ensure_ascii=False)


def _load(line: str) -> Question:
    record = json.loads(line)
    passages = tuple(
        Passage(**{**p, "answers": tuple(p["answers"]), "starts": tuple(p["starts"])}) for p in record.pop("passages")
    )
    record["entities"] = tuple(tuple(names) for names in record["entities"])
    record |= {key: tuple(record[key]) for key in ("answers", "labels")}
    return Question(passages=passages, **record)


def _group(question: Question) -> list[str]:
    passages = (bare(passage.text) for passage in question.passages)
    return [bare(question.text), *(text for text in passages if len(text) >= TELLING)]


def _fate(question: Question) -> str:
    """Questions on one passage, of which a form has several, have one fate."""
    first, *passages = _group(question)
    return passages[0] if len(question.passages) == len(passages) == 1 else first


KEPT = Kept(_dump, _load, lambda q: q.text, lambda q: repr((q.answers, q.is_impossible)), _group, _fate)
"""How questions are kept in a prepared folder. Those that share a passage are of one group."""


def prepare(
    recipe: QaRecipe,
    sources: Sources,
    folder: Path,
    *,
    open_rows: Callable[[Any, Path], TrainingRows],
    rejects: Path | None,
    progress: Progress,
) -> PrepareReport:
    """Encode ``train`` and keep ``dev`` of the sources in ``folder``; see :meth:`Task.prepare`.

    Without ``dev`` a share of train is held out. ``data.more`` names further files of training questions. Repeated
    questions stay: they may come with other passages.

    Args:
        open_rows: what makes the training table of the recipe's head, from the recipe and the folder.

    Raises:
        UserError: a file that cannot be read or has no usable question; without ``rejects`` also the first bad one.
        OSError: the disk is full.
    """
    with (
        scratch_folder(folder) as scratch,
        closing(Intake(folder, scratch, rejects, progress, KEPT, sources.left_out)) as intake,
    ):
        return _Preparation(recipe, sources, intake, open_rows(recipe, folder)).run()


class _Preparation:
    """One run of :func:`prepare`: what its steps share."""

    def __init__(self, recipe: QaRecipe, sources: Sources, intake: Intake[Question], rows: TrainingRows) -> None:
        self.recipe, self.sources, self.intake, self.rows = recipe, sources, intake, rows
        self.folder, self.progress = intake.folder, intake.progress
        names = ("train", *([EXTRA] if EXTRA in sources.files else ()), "dev")
        self.splits = {name: Survey() for name in names}
        self.learnt = self.overlap = self.mined = 0

    def run(self) -> PrepareReport:
        self.read_train()
        self.rows.ready()
        train, dev = self.splits["train"], self.splits["dev"]
        train.unknown, train.units = self.rows.units()
        check_known(self.recipe, self.rows.reader, train.unknown, train.units)
        self.read_dev()
        dev.unknown, dev.units = (
            after - before for after, before in zip(self.rows.units(), (train.unknown, train.units), strict=True)
        )
        count = write_table(self.train_rows, self.rows.columns(), self.folder / "train", self.intake.scratch)
        if not count:
            raise nothing_to_learn(self.sources, "passage")
        return self.report()

    def questions(self, path: Path, counts: Survey, step: str, *, needs_answers: bool = True) -> Iterator[Question]:
        """The good questions of a file; bad ones go to the rejects, if there are any."""
        form, on_bad = self.recipe.data.form, rejecting(self.intake.rejects, counts)
        given = None if form == "auto" else form
        load = partial(load_questions, path, form=given, needs_answers=needs_answers)
        number = 0
        for number, question in enumerate(first_told(load, on_bad), 1):
            if number % _EVERY == 0:
                self.progress(step, number, None)
            yield question
        self.progress(step, number, number)

    def read_train(self) -> None:
        """Keep the training questions, hold out dev where there is none, and count what features need."""
        data, train = self.recipe.data, self.splits["train"]
        hold = None if "dev" in self.sources.files else HoldOut(data.held_out, data.held_out_seed)
        unlocated = self.intake.scratch / "unlocated.jsonl"
        with unlocated.open("w", encoding="utf-8", newline="\n") as aside:

            def located() -> Iterator[Question]:
                for path in (*files_of(self.sources, "train"), *data.more):
                    for question in self.questions(path, train, "read train"):
                        held = hold is not None and hold.holds(KEPT.fate_of(question))
                        if held or question.is_impossible or _is_located(question):
                            yield question
                        else:
                            # Its answer stands nowhere as it is written: to be told that there is none would be wrong.
                            aside.write(_dump(question) + "\n")

            def every() -> Iterator[Question]:
                yield from located()
                self.learnt = self.intake.rows
                aside.flush()
                yield from KEPT.read(unlocated)

            for question in self.intake.train(every(), train, hold, once=False):
                self.survey(train, question)
                self.rows.count(question)
                if label_class(question) >= 0:
                    (self.folder / LABELLED).touch()
        if self.sources.like is not None and is_labelled(self.sources.like):
            (self.folder / LABELLED).touch()
        if hold and not self.intake.held:
            raise nothing_held_out(self.sources.files["train"], "question")
        if EXTRA in self.sources.files:
            self.read_extra()

    def read_extra(self) -> None:
        """Keep further questions, and count what features need. They are of any form, whatever that of train is."""
        extra, path = self.splits[EXTRA], self.sources.files[EXTRA]
        files = files_of(self.sources, "dev")
        form = None if self.recipe.data.form == "auto" else self.recipe.data.form

        def dev(on_bad: OnBad) -> Iterator[Question]:
            return itertools.chain.from_iterable(load_questions(file, on_bad, form=form) for file in files)

        load = partial(load_questions, path)
        read = first_told(load, rejecting(self.intake.rejects, extra))

        def located() -> Iterator[Question]:
            for question in read:
                if question.is_impossible or _is_located(question):
                    yield question
                else:  # as in train: counted, and not learnt
                    self.survey(extra, question)

        for question in self.intake.extra(located(), extra, dev if files else None):
            self.survey(extra, question)
            self.rows.count(question)

    def train_rows(self) -> Iterator[dict[str, Any]]:
        """The rows of the training table: each question with the passages that are read or answer it."""
        count, total = 0, self.learnt + self.intake.extra_rows
        further = enumerate(self.intake.further(), self.intake.rows)
        for record, question in itertools.chain(enumerate(self.learnt_from()), further):
            for row in self.rows.encode(question, self.taken(question), record):
                count += 1
                yield row
            if record % _EVERY == 0:
                self.progress("features", record, total)
        self.progress("features", total, total)
        each = wanted(self.recipe.sampling.mined, self.splits["train"])
        if each:
            write_first_mined(self.folder, count)
            yield from self.mined_rows(each)

    def learnt_from(self) -> Iterator[Question]:
        """The questions that the table has rows of, once more."""
        return islice(self.intake.again(), self.learnt)

    def taken(self, question: Question) -> dict[int, list[tuple[int, int]]]:
        """The passages that a question is learnt with, and where its answers stand in them."""
        spans = {index: locate(passage)[0] for index, passage in enumerate(annotated(question))}
        answering = [index for index, found in spans.items() if found]
        read = sorted({*chosen(question, self.recipe.data.paragraphs), *answering})
        return {index: spans[index] for index in read}

    def mined_rows(self, each: int) -> Iterator[dict[str, Any]]:
        """The rows of passages of other questions, which do not answer."""
        groups = np.load(self.folder / GROUPS)[: self.learnt]
        passages = Passages(((question, self.taken(question)) for question in self.learnt_from()), groups)
        for record, question in mined(self.learnt_from(), passages, groups, each):
            self.mined += len(question.passages)
            yield from self.rows.encode(question, dict.fromkeys(range(len(question.passages)), ()), record)
            if record % _EVERY == 0:
                self.progress("mine passages", record, self.learnt)
        self.progress("mine passages", self.learnt, self.learnt)

    def read_dev(self) -> None:
        """Validate and keep dev as it is."""
        dev, files = self.splits["dev"], files_of(self.sources, "dev")
        given: Iterable[Question] | None = None
        if files:
            given = itertools.chain.from_iterable(self.questions(path, dev, "read dev") for path in files)
        for question, in_train in self.intake.dev(None if given is None else iter(given), dev):
            self.survey(dev, question)
            self.overlap += in_train
        self.rows.flush()

    def survey(self, split: Survey, question: Question) -> None:
        """Count a question of a split."""
        passages = chosen(question, self.recipe.data.paragraphs)
        answers = split.add(question, passages, self.recipe.decode.longest)
        self.rows.survey(question, passages, answers, split.oracle)

    def report(self) -> PrepareReport:
        """Tables, numbers and notes."""
        splits, data = self.splits, self.recipe.data
        unlocated = self.intake.rows - self.learnt
        report = PrepareReport(rejected=sum(s.rejected for s in splits.values()))
        oracles = {name: s.oracle for name, s in splits.items()}
        oracle = oracle_table(oracles, "questions", ORACLE_NOTE)
        report.tables = [corpus_table(splits), oracle]
        report.statistics = {name: s.numbers() for name, s in splits.items()}
        report.statistics |= {"overlap": {"questions": self.overlap}, "unlocated": unlocated}
        report.notes += self.intake.extra_notes("questions")
        report.notes += check_learnable(oracles, "questions", MENDS, self.sources.files["train"], (UNREAD,))
        if unlocated:
            report.notes.append(
                f"{unlocated:,} training questions are left out: their answers stand in none of their passages"
            )
        report.notes += self.mining_notes()
        if self.mined:
            report.statistics["mined"] = self.mined
        if "dev" not in self.sources.files:
            report.notes.append(held_out_note(splits["dev"].records, "questions", data.held_out, data.held_out_seed))
        for name, split in splits.items():
            if split.lengths.longest > data.window:
                report.notes.append(f"{name}: passages of more than {data.window} characters are read in windows")
            if split.markup:
                report.notes.append(f"{name}: {split.markup:,} passages hold HTML, which is kept as it is")
        if self.overlap:
            report.notes.append(f"{self.overlap:,} questions of dev are in train too: its score flatters")
        return report

    def mining_notes(self) -> list[str]:
        """What is said of passages that do not answer."""
        asked, train = self.recipe.sampling.mined, self.splits["train"]
        if each := wanted(asked, train):
            why = "" if asked is not None else f": fewer than {FEW:.0%} of the data's own passages do not answer"
            return [
                f"{self.mined:,} passages of other questions, up to {each} a question, are learnt as ones that do not "
                f"answer (sampling.mined){why}"
            ]
        if asked is None and has_none(train):
            return [
                "nearly every passage of train answers: where questions will come with several passages, set "
                f"sampling.mined={EACH}"
            ]
        return []


def _is_located(question: Question) -> bool:
    """Whether an answer stands in one of the passages."""
    return any(locate(passage)[0] for passage in annotated(question))
