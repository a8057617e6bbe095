"""Triple extraction (SKE 2019, DuIE 2.0): text → set of (subject, predicate, object)."""

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
from ietool.tasks.ske.recipe import SkeRecipe

if TYPE_CHECKING:
    from ietool.tasks.ske.data.example import Example
    from ietool.tasks.ske.data.reading import Schema
    from ietool.tasks.ske.heads.assembly import Extraction
    from ietool.tasks.ske.heads.base import SkeModel
    from ietool.tasks.ske.heads.predictor import SkePredictor
    from ietool.tasks.ske.heads.sampling import SkeTrainingSet


class SkeTask(Task):
    """SKE 2019 and DuIE 2.0."""

    name = "ske"
    title = "triple extraction"
    recipe_class = SkeRecipe
    further_roles = ("schema", "test")
    scorers = ("duie2", "ske2019")
    # What some 1,600 sentences want: more steps an epoch, a rate that stays up, an average over fewer steps.
    demo = (
        "training.batch_size=16",
        "training.epochs=13",
        "training.warmup_epochs=0.5",
        "training.schedule=constant_with_warmup",
        "training.ema_decay=0.99",
        "model.head_dropout=0",
    )
    score_options = ("alias", "locations")
    feature_keys = ("model.encoder", "model.head")  # the oracle recall is that of a head's decoder
    models = (
        ("ietool.tasks.ske.heads.stages.config:GraphConfig", "ietool.tasks.ske.heads.stages.graph:GraphModel"),
        ("ietool.tasks.ske.heads.stages.config:CascadeConfig", "ietool.tasks.ske.heads.stages.cascade:CascadeModel"),
        ("ietool.tasks.ske.heads.gplinker.config:LinkConfig", "ietool.tasks.ske.heads.gplinker.model:LinkModel"),
    )

    # -- data.py

    def locate(self, folder: Path, *, needed: Sequence[str]) -> Sources:
        from ietool.tasks.ske.data.sources import locate

        return locate(folder, needed)

    def read_inputs(self, lines: Iterable[Line]) -> Iterator[Example]:
        from ietool.tasks.ske.data.reading import read_inputs

        return read_inputs(lines)

    def input_of(self, text: str) -> Example:
        from ietool.tasks.ske.data.example import Example

        return Example(text)

    def format(self, prediction: Extraction, assets: Path) -> str:
        from ietool.tasks.ske.writing import format_line

        return format_line(prediction.text, (t.triple for t in prediction.triples), _schema(assets))

    def show(self, prediction: Extraction) -> Table:
        rows = [
            (
                t.triple.subject,
                t.triple.predicate,
                " ".join(v if slot == "@value" else f"{slot}={v}" for slot, v in t.triple.object),
                f"{t.subject.start}–{t.subject.end}" if t.subject else "by rule",
                " ".join(f"{span.start}–{span.end}" for _, span in t.slots) or "by rule",
                t.probability,
            )
            for t in prediction.triples
        ]
        columns = ("subject", "predicate", "object", "subject at", "object at", "probability")
        return Table(prediction.text, columns, rows, note="" if rows else "no triple found")

    # -- features.py

    def prepare(
        self, recipe: Recipe, sources: Sources, folder: Path, *, rejects: Path | None, progress: Progress
    ) -> PrepareReport:
        from ietool.tasks.ske.prepare.preparation import prepare

        return prepare(cast(SkeRecipe, recipe), sources, folder, rejects=rejects, progress=progress)

    def training_set(self, recipe: Recipe, prepared: Path, *, limit: int | None = None) -> SkeTrainingSet:
        from ietool.tasks.ske.heads.sampling import SkeTrainingSet

        return SkeTrainingSet(cast(SkeRecipe, recipe), prepared, limit=limit)

    def save_assets(self, recipe: Recipe, prepared: Path, run: Path) -> None:
        from ietool.tasks.ske.features.featurizer import copy_assets

        copy_assets(cast(SkeRecipe, recipe), prepared, run)

    # -- model.py

    def build_model(self, recipe: Recipe, prepared: Path) -> SkeModel:
        from ietool.tasks.ske.heads.opening import build_model

        return build_model(cast(SkeRecipe, recipe), prepared)

    def load_model(self, run: Path) -> SkeModel:
        from ietool.tasks.ske.heads.opening import open_model

        return open_model(run)

    # -- decode.py

    def predictor(self, recipe: Recipe, model: Any, assets: Path) -> SkePredictor:
        from ietool.tasks.ske.heads.opening import open_predictor

        return open_predictor(cast(SkeRecipe, recipe), model, assets)

    # -- score.py

    def dev_set(
        self, recipe: Recipe, prepared: Path, *, split: str = "dev", limit: int | None = None
    ) -> tuple[Sequence[Example], Sequence[Example]]:
        from ietool.tasks.ske.prepare.preparation import read_split

        examples = read_split(prepared, split, limit)
        return examples, examples

    def is_found(self, prediction: Extraction) -> bool:
        return bool(prediction.triples)

    def check(self, recipe: Recipe) -> None:
        from ietool.tasks.ske.features.featurizer import find_rules
        from ietool.tasks.ske.rules.files import load_rules

        rules = cast(SkeRecipe, recipe).decode.rules
        if rules is not None:
            load_rules(find_rules(rules))

    def overfitting(self, recipe: Recipe, records: int) -> Recipe:
        copy = cast(SkeRecipe, super().overfitting(recipe, records))
        copy.sampling.replacement = 0.0
        model = copy.model
        model.embedding_dropout = model.gate_dropout = model.head_dropout = 0.0
        return copy

    def evaluate(
        self, recipe: Recipe, gold: Sequence[Example], predictions: Sequence[Extraction], *, resamples: int = 0
    ) -> Report:
        from ietool.tasks.ske.score.scorer import score

        metric = cast(SkeRecipe, recipe).score.metric
        if metric == "auto":
            form = next((e.form for e in gold if e.form), "duie2")
            metric = "ske2019" if form == "ske2019" else "duie2"
        return score(
            {e.text: e.triples for e in gold},
            {p.text: [t.triple for t in p.triples] for p in predictions},
            metric=metric,
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
        from ietool.tasks.ske.score.scorer import score_paths

        return score_paths(gold, predictions, metric=metric, explain=explain, **options)


def _schema(assets: Path) -> Schema:
    from ietool.tasks.ske.features.featurizer import read_assets_schema

    return read_assets_schema(assets)
