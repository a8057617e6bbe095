"""Question answering over passages (WebQA, SogouQA, CMRC 2018, DuReader): question and passages → answer."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from ietool.core.contract import PrepareReport, Task
from ietool.core.forms import Form
from ietool.core.heads import Head
from ietool.core.sources import Sources
from ietool.files.lines import Line, OnBad
from ietool.progress import Progress, no_progress
from ietool.scoring.report import Report
from ietool.tables import Table
from ietool.tasks.qa.data.forms.recognise import begins_questions
from ietool.tasks.qa.data.looked import WORDS
from ietool.tasks.qa.recipe import FORMER_KEYS, DecodeSection, QaRecipe
from ietool.tasks.qa.score.metrics import SCORERS

if TYPE_CHECKING:
    from ietool.core.checking import Check
    from ietool.core.intake import Kept
    from ietool.core.looked import Looked
    from ietool.core.view import View
    from ietool.scoring.classes import ErrorClasses, JudgedBy
    from ietool.tasks.qa.data.question import Question
    from ietool.tasks.qa.heads.decoder import QaDecoder
    from ietool.tasks.qa.heads.voting import Answered
    from ietool.tasks.qa.labels import AnswerLabels


@dataclass(frozen=True)
class QaHead(Head):
    """A head, and what its training table is made by.

    Attributes:
        rows: ``(recipe, folder) → TrainingRows``.
    """

    rows: str


class QaTask(Task[QaRecipe]):
    """Reading comprehension by a DGCNN reader, by start and end, or by masks."""

    name = "qa"
    title = "question answering"
    inputs = "questions"
    asks_text = False  # a question and its passages, with tabs between them
    finds = "answers"
    words = WORDS
    one_item = True
    heads = (
        QaHead(
            "reader",
            folder="ietool.tasks.qa.heads.reader",
            recipe="recipe:ReaderRecipe",
            config="model:QaConfig",
            model="model:QaModel",
            build="model:build",
            items="sampling:QaTrainingSet",
            reader="reader:open_reader",
            decoder="decode:open_decoder",
            rows="rows:CharacterRows",
        ),
        QaHead(
            "span",
            folder="ietool.tasks.qa.heads.span",
            recipe="recipe:SpanRecipe",
            config="model:SpanConfig",
            model="model:SpanModel",
            build="model:build",
            items="sampling:SpanTrainingSet",
            reader="reader:open_reader",
            decoder="decode:open_decoder",
            rows="rows:open_rows",
        ),
        QaHead(
            "mlm",
            folder="ietool.tasks.qa.heads.mlm",
            recipe="recipe:MaskRecipe",
            config="model:MaskConfig",
            model="model:MaskModel",
            build="model:build",
            items="sampling:MaskTrainingSet",
            reader="reader:open_reader",
            decoder="decode:open_decoder",
            rows="rows:open_rows",
        ),
    )
    forms = (Form("questions with passages", begins_questions, example='{"question": …, "passages": […]}'),)
    gold_keys = ("question", "documents", "passages")
    predictions_like_texts = False
    former_keys = FORMER_KEYS
    scorers = SCORERS
    epoch_scores = (("EM", "em"), ("F1", "f1"), ("score", "score"))
    roles = ("train",)
    further_roles = ("dev", "test", "train+zhidao", "dev+zhidao")
    # The oracle counts longer answers, and those of more tokens than there are masks.
    feature_keys = (*Task.feature_keys, "model.head.masks", "decode.longest", "sampling.mined")
    # So few questions: a quick average, and patience costs more than it brings.
    demo = ("training.ema_decay=0.99", "training.epochs=8")

    # -- data/

    def locate(self, folder: Path, *, needed: Sequence[str]) -> Sources:
        from ietool.tasks.qa.data.sources import locate

        return locate(folder, needed)

    def open_inputs(self, source: str, on_bad: OnBad | None = None) -> Iterator[Question]:
        from ietool.tasks.qa.data.reading import read_inputs_file

        return read_inputs_file(source, on_bad)

    def read_inputs(self, lines: Iterable[Line], on_bad: OnBad | None = None) -> Iterator[Question]:
        raise NotImplementedError("files of questions are read as a whole: see open_inputs")

    def input_of(self, text: str) -> Question:
        from ietool.tasks.qa.data.reading import input_of

        return input_of(text)

    def inputs_of(self, record: Mapping[str, Any], place: str) -> Iterator[Question]:
        from ietool.tasks.qa.data.reading import questions_of

        return questions_of(record, place)

    def told(self, asked: Question) -> str | dict[str, Any]:
        return {"question": asked.text, "passages": [passage.text for passage in asked.passages]}

    def format(self, prediction: Answered, assets: Path) -> str:
        from ietool.tasks.qa.writing import candidates_line

        return candidates_line(prediction)

    def submission(self, predictions: Iterable[Answered], assets: Path, output: str) -> Iterator[str]:
        from ietool.tasks.qa.writing import write

        return write(predictions, output)

    def show(self, prediction: Answered) -> Table:
        rows = [(c.answer, c.score, c.probability, f"{c.passage + 1}: {c.start}–{c.end}")
                for c in prediction.candidates[: max(5, prediction.nbest)]]  # fmt: skip
        columns = ("answer", "score", "probability", "passage: at")
        return Table(prediction.question, columns, rows, note="" if prediction.answer else "no answer found")

    def view(self, asked: Question, prediction: Answered) -> View:
        from ietool.core.view import Mark, View

        best = [c for c in prediction.candidates[:1] if prediction.answer]
        marks = [Mark(c.start, c.end, "answer", c.probability, c.passage) for c in best]
        others = prediction.candidates[len(best) : max(5, prediction.nbest)]
        marks += [Mark(c.start, c.end, "candidate", c.probability, c.passage) for c in others]
        return View([(passage.title, passage.text) for passage in asked.passages], marks)

    # -- features/, prepare/

    def prepare(
        self, recipe: QaRecipe, sources: Sources, folder: Path, *, rejects: Path | None, progress: Progress
    ) -> PrepareReport:
        from ietool.tasks.qa.prepare.preparation import prepare

        open_rows = self.head(recipe).load("rows")
        return prepare(recipe, sources, folder, open_rows=open_rows, rejects=rejects, progress=progress)

    def save_assets(self, recipe: QaRecipe, prepared: Path, run: Path) -> None:
        from ietool.text.readers import copy_reader

        copy_reader(prepared, run)

    def kept(self, prepared: Path) -> Kept[Question]:
        from ietool.tasks.qa.prepare.preparation import KEPT

        return KEPT

    def label_names(self, folder: Path) -> Sequence[str]:
        from ietool.tasks.qa.features.labels import LABELS, is_labelled

        return LABELS if is_labelled(folder) else ()

    def open_gold(self, recipe: QaRecipe, source: Path, assets: Path) -> Iterator[Question]:
        from ietool.tasks.qa.data.reading import load_questions

        return load_questions(source, form=None if recipe.data.form == "auto" else recipe.data.form)

    def kin(self, example: Question) -> Sequence[str]:
        from ietool.tasks.qa.prepare.preparation import KEPT

        return KEPT.group(example)

    def open_labelled(self, source: Path, files: Mapping[str, Path], on_bad: OnBad | None = None) -> Iterator[Question]:
        from ietool.tasks.qa.data.reading import load_questions

        return load_questions(source, on_bad)

    def first_lines(self, source: Path) -> Iterator[str]:
        from ietool.core.first import first_lines
        from ietool.tasks.qa.data.forms.documents import SQUAD

        return first_lines(source, SQUAD)

    def looked(self, example: Question) -> Looked:
        from ietool.tasks.qa.data.looked import looked

        return looked(example)

    def labels(self, recipe: QaRecipe, folder: Path) -> AnswerLabels:
        from ietool.tasks.qa.labels import AnswerLabels

        return AnswerLabels(folder, recipe, cast("QaDecoder", self.decoder(recipe, folder)))

    # -- score/

    def found(self, prediction: Answered) -> int:
        return int(bool(prediction.answer))

    def items(self, prediction: Answered) -> dict[Hashable, float]:
        from ietool.tasks.qa.heads.joining import items

        return items(prediction)

    def joined(self, predictions: Sequence[Answered], chosen: Mapping[Hashable, float]) -> Answered:
        from ietool.tasks.qa.heads.joining import joined

        return joined(predictions, chosen)

    def evaluate(
        self,
        recipe: QaRecipe,
        gold: Sequence[Question],
        predictions: Sequence[Answered],
        *,
        resamples: int = 0,
        outcomes: bool = False,
    ) -> Report:
        from ietool.tasks.qa.data.question import told_apart
        from ietool.tasks.qa.score.files import Predicted
        from ietool.tasks.qa.score.scorer import metric_of, score

        gold = told_apart(gold)
        found = {}
        for question, p in zip(gold, predictions, strict=True):
            found[question.question_id] = Predicted((p.answer,) if p.answer else (), (p.label,) if p.label else ())
        metric = metric_of(gold[0]) if recipe.score.metric == "auto" else recipe.score.metric
        return score(gold, found, metric=metric, explain=outcomes, resamples=resamples)

    def tunes(self, recipe: QaRecipe, gold: Sequence[Question]) -> bool:
        from ietool.tasks.qa.tuning import is_wanted

        return is_wanted(recipe, gold)

    def tune(self, recipe: QaRecipe, gold: Sequence[Question], predictions: Sequence[Answered]) -> Sequence[str]:
        from ietool.tasks.qa.tuning import find_threshold

        return find_threshold(recipe, gold, predictions)

    def retold(self, recipe: QaRecipe, predictions: Sequence[Answered]) -> Sequence[Answered]:
        from ietool.tasks.qa.heads.voting import submitted

        answers = (submitted(p.candidates, recipe.decode) for p in predictions)
        return [replace(p, answer=answer, label=p.label if answer else "")
                for p, answer in zip(predictions, answers, strict=True)]  # fmt: skip

    def tuning_start(self, recipe: QaRecipe, gold: Sequence[Question]) -> DecodeSection:
        from ietool.tasks.qa.tuning import NO_ANSWER

        if not any(question.is_impossible for question in gold):
            return recipe.decode
        return recipe.decode.model_copy(update={"none": recipe.decode.none or NO_ANSWER})

    def score(
        self,
        gold: Path,
        predictions: Path,
        *,
        metric: str | None,
        options: Mapping[str, Any],
        explain: bool,
        progress: Progress = no_progress,
    ) -> Report:
        from ietool.tasks.qa.score.scorer import score_paths

        return score_paths(gold, predictions, metric=metric, explain=explain, progress=progress)

    def error_classes(self, by: JudgedBy) -> ErrorClasses:
        from ietool.tasks.qa.data.reading import load_questions
        from ietool.tasks.qa.score.classes import AnswerClasses

        gold, examples = by.gold, by.examples
        if gold is not None:
            return AnswerClasses(lambda: load_questions(gold, needs_answers=False, needs_passages=False))
        return AnswerClasses(None if examples is None else lambda: examples)

    def asked(self, sources: Sources, role: str) -> Sequence[Path]:
        from ietool.tasks.qa.data.sources import files_of

        return files_of(sources, role)

    def competition(self, source: Path, result: Path, options: Mapping[str, Path]) -> str:
        from ietool.tasks.qa.score.checking import competition_of

        return competition_of(source)

    def check_submission(self, check: Check, progress: Progress = no_progress) -> None:
        from ietool.tasks.qa.score import checking

        checking.check(check)
