"""Subjects of events (CCKS 2019, financial news): text and event type → the company, or none."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ietool.core.contract import PrepareReport, Task
from ietool.core.forms import Form
from ietool.core.heads import Head
from ietool.core.sources import Sources
from ietool.errors import UserError
from ietool.files.lines import Line, OnBad
from ietool.progress import Progress, no_progress
from ietool.scoring.report import Report
from ietool.tables import Table
from ietool.tasks.event_subject.data.looked import WORDS
from ietool.tasks.event_subject.data.reading import begins_events
from ietool.tasks.event_subject.recipe import SubjectRecipe

if TYPE_CHECKING:
    from ietool.core.checking import Check
    from ietool.core.intake import Kept
    from ietool.core.looked import Looked
    from ietool.core.view import View
    from ietool.scoring.classes import ErrorClasses, JudgedBy
    from ietool.tasks.event_subject.data.example import Example
    from ietool.tasks.event_subject.heads.decoder import Answered
    from ietool.tasks.event_subject.labels import SubjectLabels


class SubjectTask(Task[SubjectRecipe]):
    """Whom an event of a given type happened to, by conditional pointers."""

    name = "event_subject"
    title = "event subjects"
    inputs = "records"
    asks_text = False  # a type and a text, with a tab between them
    one_item = True
    finds = "subjects"
    words = WORDS
    heads = (
        Head(
            "pointer",
            folder="ietool.tasks.event_subject.heads.pointer",
            recipe="recipe:PointerRecipe",
            config="model:SubjectConfig",
            model="model:SubjectModel",
            build="model:build",
            items="sampling:PointerTrainingSet",
            reader="reader:open_reader",
            decoder="decode:open_decoder",
        ),
    )
    forms = (Form("texts with event types", begins_events, example='"id","text","type","subject"'),)
    gold_keys = ("text",)
    predictions_like_texts = False
    scorers = ("ccks2019", "accuracy")
    epoch_scores = (("acc.", "accuracy"), ("R", "recall"), ("F1", "f1"))
    roles = ("train",)
    demo = ("training.epochs=7", "training.batch_size=16", "training.ema_decay=0.99")

    # -- data/

    def locate(self, folder: Path, *, needed: Sequence[str]) -> Sources:
        from ietool.tasks.event_subject.data.sources import locate

        return locate(folder, needed)

    def read_inputs(self, lines: Iterable[Line], on_bad: OnBad | None = None) -> Iterator[Example]:
        from ietool.tasks.event_subject.data.reading import read_inputs

        return read_inputs(lines, on_bad)

    def input_of(self, text: str) -> Example:
        from ietool.tasks.event_subject.data.example import Example

        kind, tab, rest = text.partition("\t")
        if not tab or not kind.strip() or not rest.strip():
            mend = "write the event type, a tab and the text"
            raise UserError("an event type and a text are needed", field="--text", mend=mend)
        return Example(rest, kind.strip(), id="1")

    def told(self, asked: Example) -> str | dict[str, Any]:
        return {"id": asked.id, "type": asked.type, "text": asked.text}

    def format(self, prediction: Answered, assets: Path) -> str:
        from ietool.tasks.event_subject.writing import format_prediction

        return format_prediction(prediction)

    def show(self, prediction: Answered) -> Table:
        found = prediction.subject
        rows = [] if found is None else [(found.text, f"{found.start}–{found.end}", found.probability)]
        title = f"{prediction.example.type}: {prediction.example.text}"
        return Table(title, ("subject", "at", "probability"), rows, note="" if rows else "no subject found")

    def view(self, asked: Example, prediction: Answered) -> View:
        from ietool.core.view import Mark, View

        found, example = prediction.subject, prediction.example
        marks = [] if found is None else [Mark(found.start, found.end, example.type, found.probability)]
        return View([(example.type, example.text)], marks)

    # -- features/, prepare/

    def prepare(
        self, recipe: SubjectRecipe, sources: Sources, folder: Path, *, rejects: Path | None, progress: Progress
    ) -> PrepareReport:
        from ietool.tasks.event_subject.prepare.preparation import prepare

        return prepare(recipe, sources, folder, rejects=rejects, progress=progress)

    def save_assets(self, recipe: SubjectRecipe, prepared: Path, run: Path) -> None:
        from ietool.tasks.event_subject.features.featurizer import copy_assets

        copy_assets(prepared, run)

    def kept(self, prepared: Path) -> Kept[Example]:
        from ietool.tasks.event_subject.prepare.preparation import KEPT

        return KEPT

    def label_names(self, folder: Path) -> Sequence[str]:
        from ietool.tasks.event_subject.features.featurizer import load_types

        return load_types(folder)

    def open_gold(self, recipe: SubjectRecipe, source: Path, assets: Path) -> Iterator[Example]:
        from ietool.tasks.event_subject.data.reading import load_examples

        return load_examples(source)

    def open_labelled(self, source: Path, files: Mapping[str, Path], on_bad: OnBad | None = None) -> Iterator[Example]:
        from ietool.tasks.event_subject.data.reading import load_examples

        return load_examples(source, on_bad)

    def looked(self, example: Example) -> Looked:
        from ietool.tasks.event_subject.data.looked import looked

        return looked(example)

    def labels(self, recipe: SubjectRecipe, folder: Path) -> SubjectLabels:
        from ietool.tasks.event_subject.labels import SubjectLabels

        return SubjectLabels(folder, self.decoder(recipe, folder).layout)

    # -- score/

    def found(self, prediction: Answered) -> int:
        return int(prediction.subject is not None)

    def items(self, prediction: Answered) -> dict[Hashable, float]:
        found = prediction.subject
        return {} if found is None else {found.text: found.probability}

    def joined(self, predictions: Sequence[Answered], chosen: Mapping[Hashable, float]) -> Answered:
        from ietool.tasks.event_subject.heads.decoder import joined

        return joined(predictions, chosen)

    def evaluate(
        self,
        recipe: SubjectRecipe,
        gold: Sequence[Example],
        predictions: Sequence[Answered],
        *,
        resamples: int = 0,
        outcomes: bool = False,
    ) -> Report:
        from ietool.tasks.event_subject.score.scorer import Judged, score

        judged = [Judged(example, p.name) for example, p in zip(gold, predictions, strict=True)]
        return score(judged, metric=recipe.score.metric, explain=outcomes, resamples=resamples)

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
        from ietool.tasks.event_subject.score.scorer import score_paths

        return score_paths(gold, predictions, metric=metric, explain=explain)

    def error_classes(self, by: JudgedBy) -> ErrorClasses:
        from ietool.tasks.event_subject.score.classes import SubjectClasses

        return SubjectClasses()

    def competition(self, source: Path, result: Path, options: Mapping[str, Path]) -> str:
        from ietool.tasks.event_subject.score.checking import competition_of

        return competition_of(source)

    def check_submission(self, check: Check, progress: Progress = no_progress) -> None:
        from ietool.tasks.event_subject.score import checking

        checking.check(check)
