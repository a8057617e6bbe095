"""Named entities (CLUENER, MSRA, Resume): text → stretches of it, each with its type."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from ietool.core.contract import PrepareReport, Task
from ietool.core.sources import Sources
from ietool.files import Line
from ietool.progress import Progress, no_progress
from ietool.recipe import Recipe
from ietool.scoring.report import Report
from ietool.tables import Table
from ietool.tasks.ner.recipe import NerRecipe

if TYPE_CHECKING:
    from ietool.tasks.ner.data.reading import Example
    from ietool.tasks.ner.heads.base import NerModel
    from ietool.tasks.ner.heads.predictor import NerPredictor, Recognised
    from ietool.tasks.ner.heads.sampling import NerTrainingSet


class NerTask(Task):
    """Named entities by a CRF or a GlobalPointer."""

    name = "ner"
    title = "named entities"
    recipe_class = NerRecipe
    scorers = ("seqeval", "span", "cluener")
    # What some 1,500 sentences want: more and larger steps, more dropout, an average over fewer steps.
    demo = (
        "training.batch_size=16",
        "training.epochs=14",
        "training.head_learning_rate=2e-3",
        "training.ema_decay=0.99",
        "model.transition_scale=10",
        "model.embedding_dropout=0.4",
        "model.gate_dropout=0.2",
    )
    roles = ("train",)
    models = (("ietool.tasks.ner.heads.base:NerConfig", "ietool.tasks.ner.heads.base:NerModel"),)
    # With another head the same gold may not be expressible: the oracle recall is another.
    feature_keys = ("model.encoder", "model.head")

    # -- data.py

    def locate(self, folder: Path, *, needed: Sequence[str]) -> Sources:
        from ietool.tasks.ner.data.sources import locate

        return locate(folder, needed)

    def read_inputs(self, lines: Iterable[Line]) -> Iterator[Example]:
        from ietool.tasks.ner.data.reading import read_inputs

        return read_inputs(lines)

    def input_of(self, text: str) -> Example:
        from ietool.tasks.ner.data.reading import Example

        return Example(text)

    def format(self, prediction: Recognised, assets: Path) -> str:
        from ietool.tasks.ner.writing import format_prediction

        return format_prediction(prediction, assets).removesuffix("\n")

    def show(self, prediction: Recognised) -> Table:
        rows = [(e.text, e.type, f"{e.start}–{e.end}", e.probability) for e in prediction.entities]
        note = "" if rows else "no entity found"
        return Table(prediction.example.text, ("entity", "type", "at", "probability"), rows, note=note)

    # -- features.py

    def prepare(
        self, recipe: Recipe, sources: Sources, folder: Path, *, rejects: Path | None, progress: Progress
    ) -> PrepareReport:
        from ietool.tasks.ner.prepare.preparation import prepare

        return prepare(cast(NerRecipe, recipe), sources, folder, rejects=rejects, progress=progress)

    def training_set(self, recipe: Recipe, prepared: Path, *, limit: int | None = None) -> NerTrainingSet:
        from ietool.tasks.ner.heads.sampling import NerTrainingSet

        return NerTrainingSet(cast(NerRecipe, recipe), prepared, limit=limit)

    def save_assets(self, recipe: Recipe, prepared: Path, run: Path) -> None:
        from ietool.tasks.ner.features.featurizer import copy_assets

        copy_assets(prepared, run)

    # -- model.py

    def build_model(self, recipe: Recipe, prepared: Path) -> NerModel:
        from ietool.tasks.ner.heads.opening import build_model

        return build_model(cast(NerRecipe, recipe), prepared)

    def load_model(self, run: Path) -> NerModel:
        from ietool.nn.pretrained import open_pretrained
        from ietool.tasks.ner.heads.base import NerModel

        return open_pretrained(NerModel, run)

    # -- decode.py

    def predictor(self, recipe: Recipe, model: Any, assets: Path) -> NerPredictor:
        from ietool.tasks.ner.heads.opening import open_predictor

        return open_predictor(cast(NerRecipe, recipe), model, assets)

    # -- score.py

    def dev_set(
        self, recipe: Recipe, prepared: Path, *, split: str = "dev", limit: int | None = None
    ) -> tuple[Sequence[Example], Sequence[Example]]:
        from ietool.tasks.ner.prepare.preparation import read_split

        examples = read_split(prepared, split, limit)
        return examples, examples

    def is_found(self, prediction: Recognised) -> bool:
        return bool(prediction.entities)

    def overfitting(self, recipe: Recipe, records: int) -> Recipe:
        copy = cast(NerRecipe, super().overfitting(recipe, records))
        model = copy.model
        model.embedding_dropout = model.gate_dropout = model.head_dropout = 0.0
        return copy

    def evaluate(
        self, recipe: Recipe, gold: Sequence[Example], predictions: Sequence[Recognised], *, resamples: int = 0
    ) -> Report:
        from ietool.tasks.ner.score.scorer import metric_of, score

        metric = cast(NerRecipe, recipe).score.metric
        return score(
            [(e.text, e.entities) for e in gold],
            [p.plain for p in predictions],
            metric=metric_of(gold[0].form if gold else "") if metric == "auto" else metric,
            resamples=resamples,
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
        from ietool.tasks.ner.score.scorer import score_paths

        return score_paths(gold, predictions, metric=metric, explain=explain)
