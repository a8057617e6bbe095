"""Queries on tables (TableQA, RETQA): a question and the table that it asks → a query on it, in TableQA's form."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ietool.core.contract import PrepareReport, Task
from ietool.core.forms import Form, with_keys
from ietool.core.heads import Head
from ietool.core.sources import Sources
from ietool.files.lines import Line, OnBad
from ietool.progress import Progress, no_progress
from ietool.scoring.report import Report
from ietool.tables import Table
from ietool.tasks.nl2sql.data.looked import WORDS
from ietool.tasks.nl2sql.recipe import Nl2sqlRecipe

if TYPE_CHECKING:
    from ietool.core.checking import Check
    from ietool.core.intake import Kept
    from ietool.core.labelled import LabelWriter
    from ietool.core.looked import Looked
    from ietool.core.view import View
    from ietool.scoring.classes import ErrorClasses, JudgedBy
    from ietool.tasks.nl2sql.data.example import Example
    from ietool.tasks.nl2sql.heads.sketch.decode import Answered


class Nl2sqlTask(Task[Nl2sqlRecipe]):
    """Queries by a sketch whose parts are filled in."""

    name = "nl2sql"
    title = "queries on tables"
    inputs = "questions"
    text_names_files = True
    asks_text = False  # a question, a file of tables and which of them, with tabs between
    finds = "queries"
    words = WORDS
    one_item = True
    heads = (
        Head(
            "sketch",
            folder="ietool.tasks.nl2sql.heads.sketch",
            recipe="recipe:SketchRecipe",
            config="model:SketchConfig",
            model="model:SketchModel",
            build="model:build",
            items="sampling:SketchTrainingSet",
            reader="reader:open_reader",
            decoder="decode:open_decoder",
        ),
    )
    forms = (
        Form(
            "questions on tables",
            with_keys("table_id", "question"),
            example='{"table_id": …, "question": …, "sql": {…}}',
        ),
        Form(
            "tables",
            with_keys("header", "rows"),
            role="tables",
            example='{"id": …, "header": […], "types": […], "rows": [[…], …]}',
        ),
    )
    gold_keys = ("table_id", "question")
    predictions_like_texts = False
    scorers = ("tableqa", "logical")
    score_options = ("tables",)
    check_options = ("tables",)
    input_roles = ("tables",)
    epoch_scores = (("logic", "logical"), ("exec", "execution"), ("mean", "mean"))
    roles = ("train",)
    further_roles = ("dev", "test", "tables", "train+tables", "dev+tables", "extra+tables")
    feature_keys = (*Task.feature_keys, "model.encoder.cut_vocabulary")
    # What some 1,100 questions want: larger steps, and an average over fewer of them.
    demo = ("training.batch_size=16", "training.head_learning_rate=4e-3", "training.ema_decay=0.99")

    # -- data/

    def locate(self, folder: Path, *, needed: Sequence[str]) -> Sources:
        from ietool.tasks.nl2sql.data.sources import locate

        return locate(folder, needed)

    def beside(self, files: Mapping[str, Path]) -> Mapping[str, Path]:
        from ietool.tasks.nl2sql.data.sources import tables_of

        return tables_of(files)

    def open_inputs(self, source: str, on_bad: OnBad | None = None) -> Iterator[Example]:
        from ietool.tasks.nl2sql.data.reading import load_inputs

        return load_inputs(source, on_bad)

    def open_inputs_with(
        self, source: str, files: Mapping[str, Path], on_bad: OnBad | None = None
    ) -> Iterator[Example]:
        from ietool.tasks.nl2sql.data.reading import load_inputs

        return load_inputs(source, on_bad, tables=files.get("tables"))

    def read_inputs(self, lines: Iterable[Line], on_bad: OnBad | None = None) -> Iterator[Example]:
        raise NotImplementedError("questions are read with their tables: see open_inputs")

    def input_of(self, text: str) -> Example:
        from ietool.tasks.nl2sql.data.reading import input_of

        return input_of(text)

    def inputs_of(self, record: Mapping[str, Any], place: str) -> Iterator[Example]:
        from ietool.tasks.nl2sql.data.reading import questions_of

        return questions_of(record, place)

    def told(self, asked: Example) -> str | dict[str, Any]:
        table = asked.table
        rows = [list(row) for row in table.rows]
        return {
            "question": asked.question,
            "table": {"header": list(table.header), "types": list(table.types), "rows": rows},
        }

    def format(self, prediction: Answered, assets: Path) -> str:
        from ietool.tasks.nl2sql.writing import format_prediction

        return format_prediction(prediction)

    def show(self, prediction: Answered) -> Table:
        from ietool.tasks.nl2sql.writing import show

        return show(prediction)

    def view(self, asked: Example, prediction: Answered) -> View:
        from ietool.tasks.nl2sql.writing import view

        return view(prediction)

    def record(self, prediction: Answered) -> dict[str, Any]:
        from ietool.tasks.nl2sql.writing import record

        return record(prediction)

    # -- features/, prepare/

    def prepare(
        self, recipe: Nl2sqlRecipe, sources: Sources, folder: Path, *, rejects: Path | None, progress: Progress
    ) -> PrepareReport:
        from ietool.tasks.nl2sql.prepare.preparation import prepare

        return prepare(recipe, sources, folder, rejects=rejects, progress=progress)

    def save_assets(self, recipe: Nl2sqlRecipe, prepared: Path, run: Path) -> None:
        from ietool.tasks.nl2sql.features.featurizer import copy_assets

        copy_assets(prepared, run)

    def kept(self, prepared: Path) -> Kept[Example]:
        from ietool.tasks.nl2sql.prepare.keeping import Keeping

        return Keeping(prepared).kept

    def open_gold(self, recipe: Nl2sqlRecipe, source: Path, assets: Path) -> Iterator[Example]:
        from ietool.tasks.nl2sql.data.reading import load_examples

        return load_examples(source)

    def open_gold_with(
        self, recipe: Nl2sqlRecipe, source: Path, assets: Path, files: Mapping[str, Path]
    ) -> Iterator[Example]:
        return self.open_labelled(source, files)

    def kin(self, example: Example) -> Sequence[str]:
        from ietool.tasks.nl2sql.prepare.keeping import kin

        return kin(example)

    def open_labelled(self, source: Path, files: Mapping[str, Path], on_bad: OnBad | None = None) -> Iterator[Example]:
        from ietool.tasks.nl2sql.data.reading import load_examples

        return load_examples(source, on_bad, tables=files.get("tables"))

    def looked(self, example: Example) -> Looked:
        from ietool.tasks.nl2sql.data.looked import looked

        return looked(example)

    def labels(self, recipe: Nl2sqlRecipe, folder: Path) -> LabelWriter[Any, Any]:
        from ietool.tasks.nl2sql.labels import QueryLabels

        return QueryLabels(folder, self.decoder(recipe, folder).layout)

    # -- score/

    def found(self, prediction: Answered) -> int:
        return 1

    def items(self, prediction: Answered) -> dict[Hashable, float]:
        from ietool.tasks.nl2sql.heads.joining import items

        return items(prediction)

    def joined(self, predictions: Sequence[Answered], chosen: Mapping[Hashable, float]) -> Answered:
        from ietool.tasks.nl2sql.heads.joining import joined

        return joined(predictions, chosen)

    def evaluate(
        self,
        recipe: Nl2sqlRecipe,
        gold: Sequence[Example],
        predictions: Sequence[Answered],
        *,
        resamples: int = 0,
        outcomes: bool = False,
    ) -> Report:
        from ietool.tasks.nl2sql.score.scorer import evaluate

        return evaluate(
            gold, [p.query for p in predictions], recipe.score.metric, explain=outcomes, resamples=resamples
        )

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
        from ietool.tasks.nl2sql.score.files import score_paths

        return score_paths(gold, predictions, metric=metric, tables=options.get("tables"), explain=explain)

    def error_classes(self, by: JudgedBy) -> ErrorClasses:
        from ietool.tasks.nl2sql.score.classes import QueryClasses

        return QueryClasses()

    def competition(self, source: Path, result: Path, options: Mapping[str, Path]) -> str:
        return "tableqa"

    def check_submission(self, check: Check, progress: Progress = no_progress) -> None:
        from ietool.tasks.nl2sql.score import checking

        checking.check(check)
