"""Triple extraction (SKE 2019, DuIE 2.0, WebNLG): text → set of (subject, predicate, object)."""

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
from ietool.tasks.ske.data.looked import WORDS
from ietool.tasks.ske.recipe import FORMER_KEYS, SkeRecipe

if TYPE_CHECKING:
    from ietool.core.checking import Check
    from ietool.core.intake import Kept
    from ietool.core.looked import Looked
    from ietool.core.view import View
    from ietool.scoring.classes import ErrorClasses, JudgedBy
    from ietool.tasks.ske.data.example import Example
    from ietool.tasks.ske.data.schema import Schema
    from ietool.tasks.ske.heads.assembly import Extraction
    from ietool.tasks.ske.labels import TripleLabels


class SkeTask(Task[SkeRecipe]):
    """SKE 2019, DuIE 2.0 and WebNLG."""

    name = "ske"
    title = "triple extraction"
    finds = "triples"
    words = WORDS
    heads = (
        Head(
            "graph",
            folder="ietool.tasks.ske.heads",
            recipe="graph.recipe:GraphRecipe",
            config="graph.model:GraphConfig",
            model="graph.model:GraphModel",
            build="graph.model:build",
            items="stages.sampling:StageTrainingSet",
            reader="stages.reader:StageReader",
            decoder="stages.decode:StageDecoder",
        ),
        Head(
            "cascade",
            folder="ietool.tasks.ske.heads",
            recipe="cascade.recipe:CascadeRecipe",
            config="cascade.model:CascadeConfig",
            model="cascade.model:CascadeModel",
            build="cascade.model:build",
            items="stages.sampling:StageTrainingSet",
            reader="stages.reader:StageReader",
            decoder="stages.decode:StageDecoder",
        ),
        Head(
            "gplinker",
            folder="ietool.tasks.ske.heads.gplinker",
            recipe="recipe:LinkRecipe",
            config="model:LinkConfig",
            model="model:LinkModel",
            build="model:build",
            items="sampling:LinkTrainingSet",
            reader="reader:LinkReader",
            decoder="decode:LinkDecoder",
        ),
    )
    forms = (
        Form("texts with triples", with_keys("spo_list"), example='{"text": …, "spo_list": […]}'),
        Form("texts with lists of triples", with_keys("triple_list"), example='{"text": …, "triple_list": […]}'),
        Form(
            "a schema",
            with_keys("predicate", "subject_type", "object_type"),
            role="schema",
            example='{"subject_type": …, "predicate": …, "object_type": …}',
        ),
    )
    gold_keys = ("postag",)
    former_keys = FORMER_KEYS
    roles = ("train",)
    further_roles = ("schema", "dev", "test")
    scorers = ("duie2", "ske2019", "webnlg")
    takes_soft = True
    # What some 1,600 sentences want: more steps an epoch, a rate that stays up, an average over fewer steps.
    demo = (
        "training.batch_size=16",
        "training.epochs=13",
        "training.warmup_epochs=0.5",
        "training.schedule=constant_with_warmup",
        "training.ema_decay=0.99",
        "model.head.dropout=0",
    )
    score_options = ("alias", "locations")
    check_options = ("schema",)
    class_options = ("schema",)

    # -- data/

    def locate(self, folder: Path, *, needed: Sequence[str]) -> Sources:
        from ietool.tasks.ske.data.sources import locate

        return locate(folder, needed)

    def read_inputs(self, lines: Iterable[Line], on_bad: OnBad | None = None) -> Iterator[Example]:
        from ietool.tasks.ske.data.reading import read_inputs

        return read_inputs(lines, on_bad)

    def open_inputs(self, source: str, on_bad: OnBad | None = None) -> Iterator[Example]:
        from ietool.tasks.ske.data.webnlg import open_records

        return self.read_inputs(open_records(source, on_bad), on_bad)

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

    def view(self, asked: Example, prediction: Extraction) -> View:
        from ietool.core.view import Link, Mark, View

        marks, links = [], []
        for t in prediction.triples:
            subject, predicate = t.triple.subject, t.triple.predicate
            if t.subject is not None:
                marks.append(Mark(t.subject.start, t.subject.end, f"{predicate}: subject", t.probability))
            for slot, value in t.triple.object:
                label = predicate if slot == "@value" else f"{predicate}.{slot}"
                links.append(Link(subject, label, value, t.probability))
            for slot, span in t.slots:
                label = predicate if slot == "@value" else f"{predicate}.{slot}"
                marks.append(Mark(span.start, span.end, label, t.probability))
        return View([("", prediction.text)], marks, links)

    # -- features/, prepare/

    def prepare(
        self, recipe: SkeRecipe, sources: Sources, folder: Path, *, rejects: Path | None, progress: Progress
    ) -> PrepareReport:
        from ietool.tasks.ske.prepare.preparation import prepare

        perfect = self.head(recipe).load("decoder").perfect
        return prepare(recipe, sources, folder, perfect=perfect, rejects=rejects, progress=progress)

    def save_assets(self, recipe: SkeRecipe, prepared: Path, run: Path) -> None:
        from ietool.tasks.ske.features.featurizer import copy_assets

        copy_assets(recipe, prepared, run)

    def kept(self, prepared: Path) -> Kept[Example]:
        from ietool.tasks.ske.prepare.preparation import kept

        return kept(_schema(prepared))

    def label_names(self, folder: Path) -> Sequence[str]:
        return [predicate if slot == "@value" else f"{predicate}.{slot}" for predicate, slot in _schema(folder).labels]

    def open_gold(self, recipe: SkeRecipe, source: Path, assets: Path) -> Iterator[Example]:
        from ietool.tasks.ske.data.reading import load_examples

        return load_examples(source, _schema(assets))

    def open_labelled(self, source: Path, files: Mapping[str, Path], on_bad: OnBad | None = None) -> Iterator[Example]:
        from ietool.tasks.ske.data.reading import load_examples
        from ietool.tasks.ske.data.schema import read_schema

        schema = read_schema(files["schema"]) if "schema" in files else None
        return load_examples(source, schema, on_bad)

    def looked(self, example: Example) -> Looked:
        from ietool.tasks.ske.data.looked import looked

        return looked(example)

    def labels(self, recipe: SkeRecipe, folder: Path) -> TripleLabels:
        from ietool.tasks.ske.labels import TripleLabels

        return TripleLabels(folder, self.decoder(recipe, folder).layout)

    # -- score/

    def found(self, prediction: Extraction) -> int:
        return len(prediction.triples)

    def items(self, prediction: Extraction) -> dict[Hashable, float]:
        return {t.triple: t.probability for t in prediction.triples}

    def joined(self, predictions: Sequence[Extraction], chosen: Mapping[Hashable, float]) -> Extraction:
        from ietool.tasks.ske.heads.joining import joined

        return joined(predictions, chosen)

    def check(self, recipe: SkeRecipe) -> None:
        from ietool.tasks.ske.features.featurizer import find_rules
        from ietool.tasks.ske.rules.files import load_rules

        if recipe.decode.rules is not None:
            load_rules(find_rules(recipe.decode.rules))

    def overfitting(self, recipe: SkeRecipe, records: int) -> SkeRecipe:
        copy = super().overfitting(recipe, records)
        copy.sampling.replacement = 0.0
        return copy

    def evaluate(
        self,
        recipe: SkeRecipe,
        gold: Sequence[Example],
        predictions: Sequence[Extraction],
        *,
        resamples: int = 0,
        outcomes: bool = False,
    ) -> Report:
        from ietool.tasks.ske.score.scorer import score

        metric: str = recipe.score.metric
        if metric == "auto":
            form = next((e.form for e in gold if e.form), "duie2")
            metric = form
        return score(
            {e.text: e.triples for e in gold},
            {p.text: [t.triple for t in p.triples] for p in predictions},
            metric=metric,
            explain=outcomes,
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

    def error_classes(self, by: JudgedBy) -> ErrorClasses:
        from ietool.tasks.ske.data.schema import read_schema
        from ietool.tasks.ske.score.classes import TripleClasses

        if "schema" in by.files:
            return TripleClasses(read_schema(by.files["schema"]))
        return TripleClasses(None if by.assets is None else _schema(by.assets))

    def competition(self, source: Path, result: Path, options: Mapping[str, Path]) -> str:
        from ietool.tasks.ske.score.checking import competition_of

        return competition_of(source, result, options.get("schema"))

    def check_submission(self, check: Check, progress: Progress = no_progress) -> None:
        from ietool.tasks.ske.score import checking

        checking.check(check)


def _schema(assets: Path) -> Schema:
    from ietool.tasks.ske.features.featurizer import read_assets_schema

    return read_assets_schema(assets)
