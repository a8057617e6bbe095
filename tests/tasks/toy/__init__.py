"""A third task, as small as a task can be: which characters of a text are digits? It fills the contract, no more."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ietool.core.contract import PrepareReport, Task
from ietool.core.sources import Sources
from ietool.errors import UserError
from ietool.files import Line
from ietool.progress import Progress, no_progress
from ietool.recipe import Recipe
from ietool.scoring.report import Report
from ietool.tables import Table
from tests.tasks.toy.data import Example, read_examples, read_gold

if TYPE_CHECKING:
    from tests.tasks.toy.decode import ToyPredictor
    from tests.tasks.toy.features import ToyTrainingSet
    from tests.tasks.toy.model import ToyModel


class ToyTask(Task):
    """Digits in texts."""

    name = "toy"
    title = "digits in texts"
    scorers = ("digits",)

    def locate(self, folder: Path, *, needed: Sequence[str]) -> Sources:
        found = {role: folder / f"{role}.jsonl" for role in needed}
        for role, path in found.items():
            if not path.is_file():
                raise UserError(f"has no {role} file", file=folder, mend=f"add {path.name}")
        return Sources(found)

    def read_inputs(self, lines: Iterable[Line]) -> Iterator[str]:
        return (example.text for example in read_examples(lines))

    def input_of(self, text: str) -> str:
        return text

    def format(self, prediction: Example, assets: Path) -> str:
        return json.dumps({"text": prediction.text, "digits": prediction.digits}, ensure_ascii=False)

    def show(self, prediction: Example) -> Table:
        return Table(prediction.text, ("at", "digit"), [(at, prediction.text[at]) for at in prediction.digits])

    def prepare(
        self, recipe: Recipe, sources: Sources, folder: Path, *, rejects: Path | None, progress: Progress
    ) -> PrepareReport:
        from tests.tasks.toy.features import prepare

        return prepare(sources, folder, progress)

    def training_set(self, recipe: Recipe, prepared: Path, *, limit: int | None = None) -> ToyTrainingSet:
        from tests.tasks.toy.features import ToyTrainingSet

        return ToyTrainingSet(prepared, limit)

    def build_model(self, recipe: Recipe, prepared: Path) -> ToyModel:
        from tests.tasks.toy.features import vocabulary
        from tests.tasks.toy.model import ToyConfig, ToyModel

        return ToyModel(ToyConfig(characters=len(vocabulary(prepared))))

    def save_assets(self, recipe: Recipe, prepared: Path, run: Path) -> None:
        shutil.copyfile(prepared / "characters.txt", run / "characters.txt")

    def load_model(self, run: Path) -> ToyModel:
        from ietool.nn.pretrained import open_pretrained
        from tests.tasks.toy.model import ToyModel

        return open_pretrained(ToyModel, run)

    def predictor(self, recipe: Recipe, model: Any, assets: Path) -> ToyPredictor:
        from tests.tasks.toy.decode import ToyPredictor
        from tests.tasks.toy.features import vocabulary

        return ToyPredictor(model, vocabulary(assets))

    def dev_set(
        self, recipe: Recipe, prepared: Path, *, split: str = "dev", limit: int | None = None
    ) -> tuple[Sequence[str], Mapping[str, list[int]]]:
        gold = read_gold(prepared / f"{split}.jsonl", limit)
        return list(gold), gold

    def is_found(self, prediction: Example) -> bool:
        return bool(prediction.digits)

    def evaluate(
        self, recipe: Recipe, gold: Mapping[str, list[int]], predictions: Sequence[Example], *, resamples: int = 0
    ) -> Report:
        from tests.tasks.toy.score import score

        return score(gold, {p.text: p.digits for p in predictions})

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
