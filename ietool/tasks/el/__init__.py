"""Entity linking (CCKS 2019, CCKS 2020): text → mentions and their entities in a knowledge base."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from ietool.core.contract import PrepareReport, Task
from ietool.core.forms import Form, with_keys
from ietool.core.heads import Head
from ietool.core.sources import Sources
from ietool.files.lines import Line, OnBad
from ietool.progress import Progress, no_progress
from ietool.scoring.report import Report
from ietool.tables import Table
from ietool.tasks.el.data.looked import WORDS
from ietool.tasks.el.recipe import FORMER_KEYS, ElRecipe

if TYPE_CHECKING:
    from ietool.core.checking import Check
    from ietool.core.intake import Kept
    from ietool.core.looked import Looked
    from ietool.core.view import View
    from ietool.scoring.classes import ErrorClasses, JudgedBy
    from ietool.tasks.el.data.example import Example
    from ietool.tasks.el.heads.linking import Linking
    from ietool.tasks.el.labels import MentionLabels


@dataclass(frozen=True, kw_only=True)
class ElHead(Head):
    """A head that links.

    Attributes:
        vocabulary: ``recipe → Vocabulary``: what its encoder reads, as a preparation writes it.
    """

    vocabulary: str


class ElTask(Task[ElRecipe]):
    """Mentions and their entities, by a network of our own or by a pretrained encoder."""

    name = "el"
    title = "entity linking"
    finds = "mentions"
    words = WORDS
    heads = (
        ElHead(
            "joint",
            folder="ietool.tasks.el.heads.joint",
            recipe="recipe:JointRecipe",
            config="config:JointConfig",
            model="model:JointModel",
            build="model:build",
            items="sampling:JointTrainingSet",
            reader="reader:open_reader",
            decoder="decode:open_decoder",
            vocabulary="vocabulary:CharacterVocabulary",
        ),
        ElHead(
            "cross",
            folder="ietool.tasks.el.heads.cross",
            recipe="recipe:CrossRecipe",
            config="config:CrossConfig",
            model="model:CrossModel",
            build="model:build",
            items="sampling:CrossTrainingSet",
            reader="reader:open_reader",
            decoder="decode:open_decoder",
            vocabulary="vocabulary:TokenVocabulary",
        ),
    )
    forms = (
        Form(
            "texts with mentions",
            with_keys("text", "mention_data"),
            example='{"text_id": "1", "text": …, "mention_data": […]}',
        ),
        Form(
            "a knowledge base",
            with_keys("subject_id", "subject"),
            role="kb",
            example='{"subject_id": "1", "subject": …, "alias": […], "type": […], "data": […]}',
        ),
    )
    former_keys = FORMER_KEYS
    scorers = ("ccks2019", "ccks2020")
    score_options = ("kb",)
    check_options = ("kb",)
    roles = ("kb", "train")
    further_roles = ("dev", "test", "mentions")
    feature_keys = ("model.encoder.kind", "model.encoder.name", "model.encoder.cut_vocabulary")
    # So few texts: small batches and a quick average; and its ambiguous names are not always what they were in train.
    demo = ("training.batch_size=16", "training.ema_decay=0.99", "decode.restrict=0")

    # -- data/

    def locate(self, folder: Path, *, needed: Sequence[str]) -> Sources:
        from ietool.tasks.el.data.sources import locate

        return locate(folder, needed)

    def read_inputs(self, lines: Iterable[Line], on_bad: OnBad | None = None) -> Iterator[Example]:
        from ietool.tasks.el.data.reading import read_inputs

        return read_inputs(lines, on_bad)

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

    def view(self, asked: Example, prediction: Linking) -> View:
        from ietool.core.view import Link, Mark, View

        marks, links = [], []
        for m in prediction.mentions:
            marks.append(Mark(m.start, m.end, m.kb_id, m.probability))
            name = next((c.subject for c in m.candidates if c.kb_id == m.kb_id), "")
            links.append(Link(m.mention, "links to", f"{m.kb_id} {name}".strip(), m.probability))
        return View([("", prediction.text)], marks, links)

    # -- features/, prepare/

    def prepare(
        self, recipe: ElRecipe, sources: Sources, folder: Path, *, rejects: Path | None, progress: Progress
    ) -> PrepareReport:
        from ietool.tasks.el.prepare.preparation import prepare

        # First, as what is wrong with an encoder should not take a while to be told.
        vocabulary = self.head(recipe).load("vocabulary")(recipe)
        return prepare(recipe, sources, folder, vocabulary, rejects=rejects, progress=progress)

    def save_assets(self, recipe: ElRecipe, prepared: Path, run: Path) -> None:
        from ietool.tasks.el.features.assets import copy_assets

        copy_assets(prepared, run)

    def kept(self, prepared: Path) -> Kept[Example]:
        from ietool.tasks.el.prepare.preparation import KEPT

        return KEPT

    def label_names(self, folder: Path) -> Sequence[str]:
        from ietool.tasks.el.features.assets import read_nil_types

        return read_nil_types(folder)

    def numbered(self, folder: Path) -> Mapping[str, Sequence[str]]:
        from ietool.tasks.el.features.traits import read_types

        return {**super().numbered(folder), "types of entities": list(read_types(folder))}

    def open_gold(self, recipe: ElRecipe, source: Path, assets: Path) -> Iterator[Example]:
        from ietool.tasks.el.data.reading import load_examples

        return load_examples(source)

    def open_labelled(self, source: Path, files: Mapping[str, Path], on_bad: OnBad | None = None) -> Iterator[Example]:
        from ietool.tasks.el.data.reading import load_examples

        return load_examples(source, on_bad)

    def looked(self, example: Example) -> Looked:
        from ietool.tasks.el.data.looked import looked

        return looked(example)

    def labels(self, recipe: ElRecipe, folder: Path) -> MentionLabels:
        from ietool.tasks.el.heads.decoder import LinkDecoder
        from ietool.tasks.el.labels import MentionLabels

        decoder = cast(LinkDecoder, self.decoder(recipe, folder))
        return MentionLabels(folder, decoder, recipe.decode.candidates)

    # -- score/

    def found(self, prediction: Linking) -> int:
        return len(prediction.mentions)

    def items(self, prediction: Linking) -> dict[Hashable, float]:
        return {(m.start, m.end, m.kb_id): m.probability for m in prediction.mentions}

    def joined(self, predictions: Sequence[Linking], chosen: Mapping[Hashable, float]) -> Linking:
        from ietool.tasks.el.heads.joining import joined

        return joined(predictions, chosen)

    def evaluate(
        self,
        recipe: ElRecipe,
        gold: Sequence[Example],
        predictions: Sequence[Linking],
        *,
        resamples: int = 0,
        outcomes: bool = False,
    ) -> Report:
        from ietool.tasks.el.score.scorer import score

        metric = recipe.score.metric
        if metric == "auto":
            metric = "ccks2020" if any(e.form == "ccks2020" for e in gold) else "ccks2019"
        return score(
            {(e.text_id, e.text): e.mentions for e in gold},
            {(p.text_id, p.text): p.submission() for p in predictions},
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
        from ietool.tasks.el.score.scorer import score_paths

        return score_paths(gold, predictions, metric=metric, explain=explain, progress=progress, **options)

    def error_classes(self, by: JudgedBy) -> ErrorClasses:
        from ietool.tasks.el.score.classes import MentionClasses

        return MentionClasses()

    def fitting(self, source: Path) -> Sequence[str]:
        from ietool.tasks.el.score.checking import gives_mentions

        return ("data.nil=keep", "decode.given_mentions=true") if gives_mentions(source) else ()

    def competition(self, source: Path, result: Path, options: Mapping[str, Path]) -> str:
        from ietool.tasks.el.score.checking import competition_of

        return competition_of(source, result)

    def check_submission(self, check: Check, progress: Progress = no_progress) -> None:
        from ietool.tasks.el.score import checking

        checking.check(check, progress)
