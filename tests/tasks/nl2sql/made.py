"""Questions of the shipped corpus, prepared folders, and models whose weights are random and large."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import torch

from ietool.core.contract import PrepareReport
from ietool.core.sources import Sources
from ietool.recipe_io import load_recipe
from ietool.recipe_keys import keys_of
from ietool.tasks.nl2sql import Nl2sqlTask
from ietool.tasks.nl2sql.data.example import Example
from ietool.tasks.nl2sql.data.reading import load_examples
from ietool.tasks.nl2sql.data.tables import dump_table
from ietool.tasks.nl2sql.heads.sketch.model import SketchModel
from ietool.tasks.nl2sql.heads.sketch.recipe import SketchRecipe
from tests.tasks.nl2sql.invented import write_lines
from tests.tiny_encoder import make_encoder_folder

SHIPPED = Path(__file__).resolve().parents[3] / "data" / "nl2sql"

TASK = Nl2sqlTask()

SMALL = (
    "model.encoder.hidden_size=16", "model.encoder.dilations=[1,2]", "model.encoder.embedding_dropout=0",
    "model.encoder.gate_dropout=0", "model.encoder.min_char_count=1", "model.head.dropout=0", "model.head.size=16",
    "decode.batch_size=4", "training.epochs=1", "training.batch_size=8", "training.precision=fp32",
)  # fmt: skip


@cache
def examples(count: int = 24) -> tuple[Example, ...]:
    """The first questions of the shipped corpus."""
    return tuple(islice(load_examples(SHIPPED / "train.json"), count))


def small_recipe(*more: str) -> SketchRecipe:
    recipe = load_recipe("nl2sql", more)
    keys = set(keys_of(type(recipe), recipe.model_dump(mode="json")))
    recipe = load_recipe("nl2sql", [*(one for one in SMALL if one.partition("=")[0] in keys), *more])
    assert isinstance(recipe, SketchRecipe)
    return recipe


def encoder_folder(path: Path, some: Iterable[Example] = (), *, positions: int = 128) -> Path:
    some = tuple(some) or examples()
    texts = [text for one in some for text in (one.question, *one.table.header)]
    return make_encoder_folder(path, texts, positions=positions, dropout=0.0)


def record_of(example: Example) -> dict[str, Any]:
    record: dict[str, Any] = {"table_id": example.table.id, "question": example.question}
    return record if example.query is None else {**record, "sql": example.query.plain}


def write_examples(path: Path, some: Sequence[Example]) -> Path:
    """A file of questions, and their tables beside it."""
    tables = {one.table.id: dump_table(one.table) for one in some}
    lines = "".join(line + "\n" for line in tables.values())
    path.with_suffix(".tables.json").write_text(lines, encoding="utf-8")
    return write_lines(path, map(record_of, some))


class Prepared(NamedTuple):
    folder: Path
    report: PrepareReport

    def oracle(self, split: str = "train") -> dict[str, int]:
        """Reason → gold queries lost by it, those that occur."""
        lost: dict[str, int] = self.report.statistics[split]["oracle"]["lost"]
        return {reason: count for reason, count in lost.items() if count}


def prepare_files(recipe: SketchRecipe, folder: Path, *, rejects: bool = False, **files: Path) -> Prepared:
    out = folder / "prepared"
    out.mkdir(parents=True)
    with mock.patch.dict(os.environ, {"IETOOL_HOME": str(folder / "home")}):
        report = TASK.prepare(
            recipe, Sources(files), out, rejects=out / "rejects.jsonl" if rejects else None, progress=lambda *_: None
        )
    return Prepared(out, report)


def prepare_examples(
    recipe: SketchRecipe, folder: Path, train: Sequence[Example], dev: Sequence[Example] | None = None
) -> Prepared:
    folder.mkdir(parents=True, exist_ok=True)
    files = {"train": write_examples(folder / "train.json", train)}
    files["dev"] = write_examples(folder / "dev.json", train[:6] if dev is None else dev)
    return prepare_files(recipe, folder, **files)


def loud_model(recipe: SketchRecipe, prepared: Path, seed: int = 5) -> SketchModel:
    """Random weights so large that rows of every kind are found; in double precision, in which a batch and a single
    question differ by less than anything that counts."""
    torch.manual_seed(seed)
    model = TASK.build_model(recipe, prepared).double().eval()
    assert isinstance(model, SketchModel)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if not name.startswith("encoder"):  # what pretrained ones say is larger
                weight.copy_(torch.randn_like(weight) * (0.7 if model.config.encoder is None else 0.25))
    return model
