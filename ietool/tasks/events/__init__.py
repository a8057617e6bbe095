"""Events (DuEE 1.0, FewFC): text → events, each of a type, with a trigger and arguments in their roles."""

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
from ietool.tasks.events.data.forms.recognise import begins_duee, begins_fewfc, begins_schema
from ietool.tasks.events.data.looked import WORDS
from ietool.tasks.events.recipe import EventsRecipe

if TYPE_CHECKING:
    from ietool.core.checking import Check
    from ietool.core.intake import Kept
    from ietool.core.looked import Looked
    from ietool.core.view import View
    from ietool.scoring.classes import ErrorClasses, JudgedBy
    from ietool.tasks.events.data.example import Example
    from ietool.tasks.events.heads.decoder import Extracted
    from ietool.tasks.events.labels import EventLabels


class EventsTask(Task[EventsRecipe]):
    """Events by linked spans, or by triggers and then their arguments."""

    name = "events"
    title = "events with their arguments"
    finds = "events"
    words = WORDS
    heads = (
        Head(
            "linked",
            folder="ietool.tasks.events.heads.linked",
            recipe="recipe:LinkedRecipe",
            config="model:LinkedConfig",
            model="model:LinkedModel",
            build="model:build",
            items="sampling:LinkedTrainingSet",
            reader="reader:open_reader",
            decoder="decode:open_decoder",
        ),
        Head(
            "staged",
            folder="ietool.tasks.events.heads.staged",
            recipe="recipe:StagedRecipe",
            config="model:StagedConfig",
            model="model:StagedModel",
            build="model:build",
            items="sampling:StagedTrainingSet",
            reader="reader:open_reader",
            decoder="decode:open_decoder",
        ),
    )
    forms = (
        Form("texts with events", begins_duee, example='{"text": …, "id": …, "event_list": […]}'),
        Form("texts with financial events", begins_fewfc, example='{"id": …, "content": …, "events": […]}'),
        Form("a schema of events", begins_schema, role="schema", example='{"event_type": …, "role_list": […]}'),
    )
    roles = ("train",)
    further_roles = ("schema", "dev", "test")
    scorers = ("duee1", "exact")
    check_options = ("schema",)
    gold_keys = ("text",)
    # What some 1,200 sentences want: more and larger steps, an average over fewer of them.
    demo = (
        "training.batch_size=16",
        "training.epochs=8",
        "training.head_learning_rate=3e-3",
        "training.ema_decay=0.97",
    )

    # -- data/

    def locate(self, folder: Path, *, needed: Sequence[str]) -> Sources:
        from ietool.tasks.events.data.sources import locate

        return locate(folder, needed)

    def read_inputs(self, lines: Iterable[Line], on_bad: OnBad | None = None) -> Iterator[Example]:
        from ietool.tasks.events.data.reading import read_inputs

        return read_inputs(lines, on_bad)

    def input_of(self, text: str) -> Example:
        from ietool.tasks.events.data.example import Example

        return Example(text)

    def format(self, prediction: Extracted, assets: Path) -> str:
        from ietool.tasks.events.writing import format_line

        return format_line(prediction.example, prediction.plain)

    def show(self, prediction: Extracted) -> Table:
        rows = []
        for number, event in enumerate(prediction.events, 1):
            spans = [("trigger", event.trigger)] if event.trigger is not None else []
            for role, a in [*spans, *((a.role, a) for a in event.arguments)]:
                rows.append((number, event.type, role, a.text, f"{a.start}–{a.end}", a.probability))
        columns = ("event", "type", "role", "argument", "at", "probability")
        return Table(prediction.example.text, columns, rows, note="" if rows else "no event found")

    def view(self, asked: Example, prediction: Extracted) -> View:
        from ietool.core.view import Link, Mark, View

        marks, links = [], []
        for number, event in enumerate(prediction.events, 1):
            name = f"{number}: {event.type}"
            if event.trigger is not None:
                t = event.trigger
                marks.append(Mark(t.start, t.end, f"{event.type}: trigger", t.probability))
            for a in event.arguments:
                marks.append(Mark(a.start, a.end, f"{event.type}: {a.role}", a.probability))
                links.append(Link(name, a.role, a.text, a.probability))
        return View([("", prediction.example.text)], marks, links)

    # -- features/, prepare/

    def prepare(
        self, recipe: EventsRecipe, sources: Sources, folder: Path, *, rejects: Path | None, progress: Progress
    ) -> PrepareReport:
        from ietool.tasks.events.prepare.preparation import prepare

        decoding = self.head(recipe).load("decoder")
        return prepare(recipe, sources, folder, decoding=decoding, rejects=rejects, progress=progress)

    def save_assets(self, recipe: EventsRecipe, prepared: Path, run: Path) -> None:
        from ietool.tasks.events.features.featurizer import copy_assets

        copy_assets(prepared, run)

    def kept(self, prepared: Path) -> Kept[Example]:
        from ietool.tasks.events.prepare.preparation import KEPT

        return KEPT

    def label_names(self, folder: Path) -> Sequence[str]:
        from ietool.tasks.events.features.featurizer import Labels

        return [f"{kind}: {role}" if role else kind for kind, role in Labels.load(folder).names]

    def open_gold(self, recipe: EventsRecipe, source: Path, assets: Path) -> Iterator[Example]:
        from ietool.tasks.events.data.reading import load_examples

        return load_examples(source)

    def open_labelled(self, source: Path, files: Mapping[str, Path], on_bad: OnBad | None = None) -> Iterator[Example]:
        from ietool.tasks.events.data.reading import load_examples
        from ietool.tasks.events.data.schema import read_schema

        schema = read_schema(files["schema"]) if "schema" in files else None
        return load_examples(source, schema, on_bad)

    def looked(self, example: Example) -> Looked:
        from ietool.tasks.events.data.looked import looked

        return looked(example)

    def labels(self, recipe: EventsRecipe, folder: Path) -> EventLabels:
        from ietool.tasks.events.labels import EventLabels

        return EventLabels(folder, self.decoder(recipe, folder).layout)

    # -- score/

    def found(self, prediction: Extracted) -> int:
        return len(prediction.events)

    def items(self, prediction: Extracted) -> dict[Hashable, float]:
        from ietool.tasks.events.heads.joining import parts_found

        best: dict[Hashable, float] = {}
        for one in parts_found(prediction):
            best[one.part] = max(one.probability, best.get(one.part, 0.0))
        return best

    def joined(self, predictions: Sequence[Extracted], chosen: Mapping[Hashable, float]) -> Extracted:
        from ietool.tasks.events.heads.joining import joined

        return joined(predictions, chosen)

    def evaluate(
        self,
        recipe: EventsRecipe,
        gold: Sequence[Example],
        predictions: Sequence[Extracted],
        *,
        resamples: int = 0,
        outcomes: bool = False,
    ) -> Report:
        from ietool.tasks.events.score.judge import told_of
        from ietool.tasks.events.score.scorer import score

        return score(
            [told_of(e.text, e.events) for e in gold],
            [told_of(p.example.text, p.plain) for p in predictions],
            metric=recipe.score.metric,
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
        from ietool.tasks.events.score.scorer import score_paths

        return score_paths(gold, predictions, metric=metric, explain=explain)

    def error_classes(self, by: JudgedBy) -> ErrorClasses:
        from ietool.tasks.events.score.classes import ArgumentClasses

        return ArgumentClasses()

    def competition(self, source: Path, result: Path, options: Mapping[str, Path]) -> str:
        from ietool.tasks.events.score.checking import competition_of

        return competition_of(source)

    def check_submission(self, check: Check, progress: Progress = no_progress) -> None:
        from ietool.tasks.events.score import checking

        checking.check(check)
