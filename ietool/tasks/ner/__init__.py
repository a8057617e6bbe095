"""Named entities (CLUENER, CMeEE, MSRA, Weibo, Resume): text → stretches of it, each with its type."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ietool.core.contract import PrepareReport, Task
from ietool.core.forms import Form
from ietool.core.heads import Head
from ietool.core.sources import Sources
from ietool.files.lines import Line, OnBad
from ietool.progress import Progress, no_progress
from ietool.scoring.report import Report
from ietool.tables import Table
from ietool.tasks.ner.data.forms.recognise import begins_entities, begins_spans, begins_tags
from ietool.tasks.ner.data.looked import WORDS
from ietool.tasks.ner.recipe import FORMER_KEYS, NerRecipe

if TYPE_CHECKING:
    from ietool.core.checking import Check
    from ietool.core.intake import Kept
    from ietool.core.looked import Looked
    from ietool.core.view import View
    from ietool.scoring.classes import ErrorClasses, JudgedBy
    from ietool.tasks.ner.data.example import Example
    from ietool.tasks.ner.heads.decoder import Recognised
    from ietool.tasks.ner.labels import EntityLabels


class NerTask(Task[NerRecipe]):
    """Named entities by a CRF or a GlobalPointer."""

    name = "ner"
    title = "named entities"
    finds = "entities"
    words = WORDS
    heads = (
        Head(
            "crf",
            folder="ietool.tasks.ner.heads.crf",
            recipe="recipe:CRFRecipe",
            config="model:CRFConfig",
            model="model:CRFModel",
            build="model:build",
            items="sampling:CRFTrainingSet",
            reader="reader:open_reader",
            decoder="decode:open_decoder",
        ),
        Head(
            "globalpointer",
            folder="ietool.tasks.ner.heads.globalpointer",
            recipe="recipe:PointerRecipe",
            config="model:PointerConfig",
            model="model:PointerModel",
            build="model:build",
            items="sampling:PointerTrainingSet",
            reader="reader:open_reader",
            decoder="decode:open_decoder",
        ),
    )
    forms = (
        Form("texts with labels", begins_entities, example='{"text": …, "label": {type: {name: [[start, last]]}}}'),
        Form("texts with spans behind them", begins_spans),
        Form("tokens and tags", begins_tags),
    )
    gold_keys = ("text",)
    former_keys = FORMER_KEYS
    scorers = ("seqeval", "span", "cluener")
    check_options = ("schema",)
    takes_soft = True
    # What some 1,500 sentences want: more and larger steps, more dropout, an average over fewer steps.
    demo = (
        "training.batch_size=16",
        "training.epochs=14",
        "training.head_learning_rate=2e-3",
        "training.ema_decay=0.99",
        "model.head.transition_scale=10",
        "model.encoder.embedding_dropout=0.4",
        "model.encoder.gate_dropout=0.2",
    )
    roles = ("train",)

    def head_of(self, settings: Mapping[str, Any]) -> Head | None:
        from ietool.tasks.ner.heads.former import MODEL_TYPE

        if settings.get("model_type") == MODEL_TYPE:
            return self.head_named(str(settings.get("head", "crf")))
        return super().head_of(settings)

    def models(self) -> Iterator[tuple[Any, Any]]:
        from ietool.tasks.ner.heads.former import FormerConfig, FormerModel

        yield from super().models()
        yield FormerConfig, FormerModel

    # -- data/

    def locate(self, folder: Path, *, needed: Sequence[str]) -> Sources:
        from ietool.tasks.ner.data.sources import locate

        return locate(folder, needed)

    def open_inputs(self, source: str, on_bad: OnBad | None = None) -> Iterator[Example]:
        from ietool.tasks.ner.data.reading import load_inputs

        return load_inputs(source, on_bad)

    def read_inputs(self, lines: Iterable[Line], on_bad: OnBad | None = None) -> Iterator[Example]:
        from ietool.tasks.ner.data.reading import read_inputs

        return read_inputs(lines, on_bad)

    def input_of(self, text: str) -> Example:
        from ietool.tasks.ner.data.example import Example

        return Example(text)

    def format(self, prediction: Recognised, assets: Path) -> str:
        from ietool.tasks.ner.writing import format_prediction

        return format_prediction(prediction, assets).removesuffix("\n")

    def show(self, prediction: Recognised) -> Table:
        rows = [(e.text, e.type, f"{e.start}–{e.end}", e.probability) for e in prediction.entities]
        note = "" if rows else "no entity found"
        return Table(prediction.example.text, ("entity", "type", "at", "probability"), rows, note=note)

    def view(self, asked: Example, prediction: Recognised) -> View:
        from ietool.core.view import Mark, View

        marks = [Mark(e.start, e.end, e.type, e.probability) for e in prediction.entities]
        return View([("", prediction.example.text)], marks)

    # -- features/, prepare/

    def prepare(
        self, recipe: NerRecipe, sources: Sources, folder: Path, *, rejects: Path | None, progress: Progress
    ) -> PrepareReport:
        from ietool.tasks.ner.prepare.preparation import prepare

        return prepare(
            recipe, sources, folder, flat=recipe.model.head.kind == "crf", rejects=rejects, progress=progress
        )

    def save_assets(self, recipe: NerRecipe, prepared: Path, run: Path) -> None:
        from ietool.tasks.ner.features.featurizer import copy_assets

        copy_assets(prepared, run)

    def kept(self, prepared: Path) -> Kept[Example]:
        from ietool.tasks.ner.prepare.preparation import KEPT

        return KEPT

    def label_names(self, folder: Path) -> Sequence[str]:
        from ietool.tasks.ner.features.featurizer import Labels

        return Labels.load(folder).types

    def open_gold(self, recipe: NerRecipe, source: Path, assets: Path) -> Iterator[Example]:
        from ietool.tasks.ner.data.reading import load_examples

        return load_examples(source, form=recipe.data.form)

    def open_labelled(self, source: Path, files: Mapping[str, Path], on_bad: OnBad | None = None) -> Iterator[Example]:
        from ietool.tasks.ner.data.reading import load_examples

        return load_examples(source, on_bad)

    def looked(self, example: Example) -> Looked:
        from ietool.tasks.ner.data.looked import looked

        return looked(example)

    def labels(self, recipe: NerRecipe, folder: Path) -> EntityLabels:
        from ietool.tasks.ner.labels import EntityLabels

        return EntityLabels(folder, self.decoder(recipe, folder).layout)

    # -- score/

    def found(self, prediction: Recognised) -> int:
        return len(prediction.entities)

    def items(self, prediction: Recognised) -> dict[Hashable, float]:
        return {(e.start, e.end, e.type): e.probability for e in prediction.entities}

    def joined(self, predictions: Sequence[Recognised], chosen: Mapping[Hashable, float]) -> Recognised:
        from ietool.tasks.ner.heads.joining import joined

        return joined(predictions, chosen)

    def evaluate(
        self,
        recipe: NerRecipe,
        gold: Sequence[Example],
        predictions: Sequence[Recognised],
        *,
        resamples: int = 0,
        outcomes: bool = False,
    ) -> Report:
        from ietool.tasks.ner.score.scorer import metric_of, score

        metric = recipe.score.metric
        return score(
            [(e.text, e.entities) for e in gold],
            [p.plain for p in predictions],
            metric=metric_of(gold[0].form if gold else "") if metric == "auto" else metric,
            explain=outcomes,
            resamples=resamples,
        )

    def counts_by_label(self, metric: str) -> bool:
        return metric == "cluener"  # the mean over types

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

    def error_classes(self, by: JudgedBy) -> ErrorClasses:
        from ietool.tasks.ner.score.classes import EntityClasses

        return EntityClasses()

    def competition(self, source: Path, result: Path, options: Mapping[str, Path]) -> str:
        from ietool.tasks.ner.score.checking import competition_of

        return competition_of(source)

    def check_submission(self, check: Check, progress: Progress = no_progress) -> None:
        from ietool.tasks.ner.score import checking

        checking.check(check)
