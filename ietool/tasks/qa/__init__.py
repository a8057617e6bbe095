"""Question answering over passages (WebQA, SogouQA, CMRC 2018, DuReader): question and passages → answer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from ietool.core.contract import Predictor, PrepareReport, Task
from ietool.core.sources import Sources
from ietool.files import Line
from ietool.progress import Progress, no_progress
from ietool.recipe import Recipe
from ietool.scoring.report import Report
from ietool.tables import Table
from ietool.tasks.qa.recipe import QaRecipe
from ietool.tasks.qa.score.metrics import SCORERS

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from ietool.tasks.qa.data.reading import Question
    from ietool.tasks.qa.heads.reader.sampling import QaTrainingSet
    from ietool.tasks.qa.heads.span.sampling import SpanTrainingSet
    from ietool.tasks.qa.heads.voting import Answered


class QaTask(Task):
    """Reading comprehension."""

    name = "qa"
    title = "question answering"
    recipe_class = QaRecipe
    scorers = SCORERS
    epoch_scores = (("EM", "em"), ("F1", "f1"), ("score", "score"))
    roles = ("train",)
    further_roles = ("dev", "test", "train+zhidao", "dev+zhidao")
    feature_sections = ("data",)
    feature_keys = ("model.encoder", "model.head", "model.masks", "decode.longest")  # the oracle counts longer answers
    models = (
        ("ietool.tasks.qa.heads.reader.model:QaConfig", "ietool.tasks.qa.heads.reader.model:QaModel"),
        ("ietool.tasks.qa.heads.span.model:SpanConfig", "ietool.tasks.qa.heads.span.model:SpanModel"),
        ("ietool.tasks.qa.heads.mlm.model:MaskConfig", "ietool.tasks.qa.heads.mlm.model:MaskModel"),
    )
    # So few questions: a quick average, and patience costs more than it brings.
    demo = ("training.ema_decay=0.99", "training.epochs=8")

    # -- data.py

    def locate(self, folder: Path, *, needed: Sequence[str]) -> Sources:
        from ietool.tasks.qa.data.sources import locate

        return locate(folder, needed)

    def open_inputs(self, source: str) -> Iterator[Question]:
        from ietool.tasks.qa.data.reading import read_inputs_file

        return read_inputs_file(source)

    def read_inputs(self, lines: Iterable[Line]) -> Iterator[Question]:
        raise NotImplementedError("files of questions are read as a whole: see open_inputs")

    def input_of(self, text: str) -> Question:
        from ietool.tasks.qa.data.reading import input_of

        return input_of(text)

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

    # -- features.py

    def prepare(
        self, recipe: Recipe, sources: Sources, folder: Path, *, rejects: Path | None, progress: Progress
    ) -> PrepareReport:
        from ietool.tasks.qa.prepare.preparation import prepare

        return prepare(cast(QaRecipe, recipe), sources, folder, rejects=rejects, progress=progress)

    def training_set(
        self, recipe: Recipe, prepared: Path, *, limit: int | None = None
    ) -> QaTrainingSet | SpanTrainingSet:
        if _head(recipe) == "span":
            from ietool.tasks.qa.heads.span.sampling import SpanTrainingSet

            return SpanTrainingSet(cast(QaRecipe, recipe), prepared, limit=limit)
        if _head(recipe) == "mlm":
            from ietool.tasks.qa.heads.mlm.sampling import MaskTrainingSet

            return MaskTrainingSet(cast(QaRecipe, recipe), prepared, limit=limit)
        from ietool.tasks.qa.heads.reader.sampling import QaTrainingSet

        return QaTrainingSet(cast(QaRecipe, recipe), prepared, limit=limit)

    def save_assets(self, recipe: Recipe, prepared: Path, run: Path) -> None:
        from ietool.text.readers import copy_reader

        copy_reader(prepared, run)

    # -- model.py

    def build_model(self, recipe: Recipe, prepared: Path) -> PreTrainedModel:
        from ietool.tasks.qa.heads.opening import build

        return build(cast(QaRecipe, recipe), prepared)

    def load_model(self, run: Path) -> PreTrainedModel:
        from ietool.tasks.qa.heads.opening import open_model

        return open_model(run)

    # -- decode.py

    def predictor(self, recipe: Recipe, model: Any, assets: Path) -> Predictor:
        if _head(recipe) == "span":
            from ietool.tasks.qa.heads.span.decode import open_predictor as open_span_predictor

            return open_span_predictor(cast(QaRecipe, recipe), model, assets)
        if _head(recipe) == "mlm":
            from ietool.tasks.qa.heads.mlm.decode import open_predictor as open_mask_predictor

            return open_mask_predictor(cast(QaRecipe, recipe), model, assets)
        from ietool.tasks.qa.heads.reader.decode import open_predictor

        return open_predictor(cast(QaRecipe, recipe), model, assets)

    # -- score.py

    def dev_set(
        self, recipe: Recipe, prepared: Path, *, split: str = "dev", limit: int | None = None
    ) -> tuple[Sequence[Question], Sequence[Question]]:
        from ietool.tasks.qa.prepare.preparation import read_split

        questions = read_split(prepared, split, limit)
        return questions, questions

    def is_found(self, prediction: Answered) -> bool:
        return bool(prediction.answer)

    def overfitting(self, recipe: Recipe, records: int) -> Recipe:
        copy = cast(QaRecipe, super().overfitting(recipe, records))
        copy.model.embedding_dropout = copy.model.gate_dropout = copy.model.head_dropout = 0.0
        return copy

    def evaluate(
        self, recipe: Recipe, gold: Sequence[Question], predictions: Sequence[Answered], *, resamples: int = 0
    ) -> Report:
        from ietool.tasks.qa.heads.voting import submitted
        from ietool.tasks.qa.score.files import Predicted
        from ietool.tasks.qa.score.scorer import metric_of, score

        metric, decode = cast(QaRecipe, recipe).score.metric, cast(QaRecipe, recipe).decode
        found = {}
        for p in predictions:
            answer = submitted(p.candidates, decode)
            found[p.question_id] = Predicted((answer,) if answer else (), (p.label,) if p.label else ())
        return score(gold, found, metric=metric_of(gold[0]) if metric == "auto" else metric, resamples=resamples)

    def tunes(self, recipe: Recipe, gold: Sequence[Question]) -> bool:
        from ietool.tasks.qa.tuning import is_wanted

        return is_wanted(cast(QaRecipe, recipe), gold)

    def tune(self, recipe: Recipe, gold: Sequence[Question], predictions: Sequence[Answered]) -> Sequence[str]:
        from ietool.tasks.qa.tuning import find_threshold

        return find_threshold(cast(QaRecipe, recipe), gold, predictions)

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


def _head(recipe: Recipe) -> str:
    return cast(QaRecipe, recipe).model.head
