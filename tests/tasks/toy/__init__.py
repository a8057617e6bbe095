"""A further task, as small as a task can be: which characters of a text are digits? It fills the contract, no more."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ietool.core.contract import PrepareReport, Task
from ietool.core.heads import Head
from ietool.core.intake import Kept
from ietool.core.sources import Sources
from ietool.errors import UserError
from ietool.files.lines import Line, OnBad
from ietool.progress import Progress, no_progress
from ietool.scoring.report import Report
from ietool.tables import Table
from tests.tasks.toy.data import KEPT, Example, read_examples, read_gold
from tests.tasks.toy.recipe import ToyRecipe


class ToyTask(Task[ToyRecipe]):
    """Digits in texts."""

    name = "toy"
    title = "digits in texts"
    finds = "digits"
    heads = (
        Head(
            "table",
            folder="tests.tasks.toy.heads",
            recipe="table.recipe:TableRecipe",
            config="table.model:TableConfig",
            model="table.model:TableModel",
            build="table.model:build",
            items="sampling:ToyTrainingSet",
            reader="reader:open_reader",
            decoder="decoder:open_decoder",
        ),
    )
    scorers = ("digits",)

    def locate(self, folder: Path, *, needed: Sequence[str]) -> Sources:
        found = {role: folder / f"{role}.jsonl" for role in needed}
        for role, path in found.items():
            if not path.is_file():
                raise UserError(f"has no {role} file", file=folder, mend=f"add {path.name}")
        return Sources(found)

    def read_inputs(self, lines: Iterable[Line], on_bad: OnBad | None = None) -> Iterator[Example]:
        return read_examples(lines)

    def input_of(self, text: str) -> Example:
        return Example(text, [])

    def format(self, prediction: Example, assets: Path) -> str:
        return json.dumps({"text": prediction.text, "digits": prediction.digits}, ensure_ascii=False)

    def show(self, prediction: Example) -> Table:
        return Table(prediction.text, ("at", "digit"), [(at, prediction.text[at]) for at in prediction.digits])

    def prepare(
        self, recipe: ToyRecipe, sources: Sources, folder: Path, *, rejects: Path | None, progress: Progress
    ) -> PrepareReport:
        from tests.tasks.toy.features import prepare

        return prepare(sources, folder, progress)

    def save_assets(self, recipe: ToyRecipe, prepared: Path, run: Path) -> None:
        shutil.copyfile(prepared / "characters.txt", run / "characters.txt")

    def kept(self, prepared: Path) -> Kept[Example]:
        return KEPT

    def found(self, prediction: Example) -> int:
        return len(prediction.digits)

    def evaluate(
        self,
        recipe: ToyRecipe,
        gold: Sequence[Example],
        predictions: Sequence[Example],
        *,
        resamples: int = 0,
        outcomes: bool = False,
    ) -> Report:
        from tests.tasks.toy.score import score

        return score(gold, predictions)

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
        from tests.tasks.toy.score import score

        return score(read_gold(gold), read_gold(predictions))
