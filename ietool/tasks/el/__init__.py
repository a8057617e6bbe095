"""Entity linking (CCKS 2019, CCKS 2020): text → mentions and their entities in a knowledge base."""

from __future__ import annotations

import json
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
from ietool.tasks.el.recipe import ElRecipe

if TYPE_CHECKING:
    from ietool.tasks.el.data.example import Example
    from ietool.tasks.el.heads.cross.model import ElCrossModel
    from ietool.tasks.el.heads.joint.model import ElModel
    from ietool.tasks.el.heads.linking import Linking
    from ietool.tasks.el.heads.predictor import ElPredictor
    from ietool.tasks.el.heads.sampling import ElTrainingSet


class ElTask(Task):
    """CCKS 2019 and 2020."""

    name = "el"
    title = "entity linking"
    recipe_class = ElRecipe
    scorers = ("ccks2019", "ccks2020")
    score_options = ("kb",)
    roles = ("kb", "train")
    further_roles = ("dev", "test", "mentions")
    feature_sections = ("data",)
    feature_keys = ("model.encoder", "model.cut_vocabulary")
    models = (
        ("ietool.tasks.el.heads.joint.config:ElConfig", "ietool.tasks.el.heads.joint.model:ElModel"),
        ("ietool.tasks.el.heads.cross.config:ElCrossConfig", "ietool.tasks.el.heads.cross.model:ElCrossModel"),
    )
    # So few texts: small batches and a quick average; and its ambiguous names are not always what they were in train.
    demo = ("training.batch_size=16", "training.ema_decay=0.99", "decode.restrict=0")

    # -- data.py

    def locate(self, folder: Path, *, needed: Sequence[str]) -> Sources:
        from ietool.tasks.el.data.sources import locate

        return locate(folder, needed)

    def read_inputs(self, lines: Iterable[Line]) -> Iterator[Example]:
        from ietool.tasks.el.data.reading import read_inputs

        return read_inputs(lines)

    def input_of(self, text: str) -> Example:
        from ietool.tasks.el.data.example import Example

        return Example("", text)

    def format(self, prediction: Linking, assets: Path) -> str:
        from ietool.tasks.el.writing import format_line

        return format_line(prediction.text_id, prediction.text, prediction.submission())

    def show(self, prediction: Linking) -> Table:
        rows = []
        for m in prediction.mentions:
            best = next((c.subject for c in m.candidates if c.kb_id == m.kb_id), "")
            others = ", ".join(f"{c.kb_id} {c.probability:.2f}" for c in m.candidates if c.kb_id != m.kb_id)
            rows.append((m.mention, f"{m.start}–{m.end}", m.kb_id, best, m.probability, others))
        columns = ("mention", "at", "kb_id", "entity", "probability", "other candidates")
        return Table(prediction.text, columns, rows, note="" if rows else "no mention found")

    # -- features.py

    def prepare(
        self, recipe: Recipe, sources: Sources, folder: Path, *, rejects: Path | None, progress: Progress
    ) -> PrepareReport:
        from ietool.tasks.el.prepare.preparation import prepare

        return prepare(cast(ElRecipe, recipe), sources, folder, rejects=rejects, progress=progress)

    def training_set(self, recipe: Recipe, prepared: Path, *, limit: int | None = None) -> ElTrainingSet:
        if _is_cross(recipe):
            from ietool.tasks.el.heads.cross.sampling import ElCrossTrainingSet

            return ElCrossTrainingSet(cast(ElRecipe, recipe), prepared, limit=limit)
        from ietool.tasks.el.heads.sampling import ElTrainingSet

        return ElTrainingSet(cast(ElRecipe, recipe), prepared, limit=limit)

    def save_assets(self, recipe: Recipe, prepared: Path, run: Path) -> None:
        from ietool.tasks.el.features.assets import copy_assets

        copy_assets(prepared, run)

    # -- model.py

    def build_model(self, recipe: Recipe, prepared: Path) -> ElModel | ElCrossModel:
        if _is_cross(recipe):
            from ietool.tasks.el.heads.cross.model import build_cross_model

            return build_cross_model(cast(ElRecipe, recipe), prepared)
        from ietool.tasks.el.heads.joint.model import build_model

        return build_model(cast(ElRecipe, recipe), prepared)

    def load_model(self, run: Path) -> ElModel | ElCrossModel:
        from ietool.nn.pretrained import open_pretrained
        from ietool.tasks.el.heads.joint.model import ElModel

        if kind_of(run) == CROSS:
            from ietool.tasks.el.heads.cross.model import ElCrossModel

            return open_pretrained(ElCrossModel, run)
        return open_pretrained(ElModel, run)

    # -- decode.py

    def predictor(self, recipe: Recipe, model: Any, assets: Path) -> ElPredictor:
        from ietool.tasks.el.heads.opening import open_predictor

        return open_predictor(cast(ElRecipe, recipe), model, assets)

    # -- score.py

    def dev_set(
        self, recipe: Recipe, prepared: Path, *, split: str = "dev", limit: int | None = None
    ) -> tuple[Sequence[Example], Sequence[Example]]:
        from ietool.tasks.el.prepare.preparation import read_split

        examples = read_split(prepared, split, limit)
        return examples, examples

    def is_found(self, prediction: Linking) -> bool:
        return bool(prediction.mentions)

    def overfitting(self, recipe: Recipe, records: int) -> Recipe:
        copy = cast(ElRecipe, super().overfitting(recipe, records))
        copy.model.embedding_dropout = copy.model.head_dropout = 0.0
        return copy

    def evaluate(
        self, recipe: Recipe, gold: Sequence[Example], predictions: Sequence[Linking], *, resamples: int = 0
    ) -> Report:
        from ietool.tasks.el.score.scorer import score

        metric = cast(ElRecipe, recipe).score.metric
        if metric == "auto":
            metric = "ccks2020" if any(e.form == "ccks2020" for e in gold) else "ccks2019"
        return score(
            {(e.text_id, e.text): e.mentions for e in gold},
            {(p.text_id, p.text): p.submission() for p in predictions},
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
        from ietool.tasks.el.score.scorer import score_paths

        return score_paths(gold, predictions, metric=metric, explain=explain, progress=progress, **options)


CROSS = "ietool-el-cross"
"""Of a run's ``config.json``: the kind of a model of head ``cross``."""


def kind_of(run: Path) -> str | None:
    """The kind of model that a run folder holds; None where that cannot be read, which opening the model will tell."""
    try:
        kind = json.loads((run / "config.json").read_text(encoding="utf-8")).get("model_type")
    except (OSError, ValueError, AttributeError):
        return None
    return kind if isinstance(kind, str) else None


def _is_cross(recipe: Recipe) -> bool:
    return cast(ElRecipe, recipe).model.head == "cross"
