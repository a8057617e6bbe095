"""Invented records of events, prepared folders, and a model that finds much without training."""

from __future__ import annotations

import os
import random
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple
from unittest import mock

import torch

from ietool.core.contract import PrepareReport
from ietool.core.predicting import Predictor
from ietool.core.sources import Sources
from ietool.files.csv_rows import format_row
from ietool.recipe_io import load_recipe
from ietool.tasks.event_subject import SubjectTask
from ietool.tasks.event_subject.data.example import NONE, Example
from ietool.tasks.event_subject.heads.decoder import Answered
from ietool.tasks.event_subject.heads.pointer.model import SubjectModel
from ietool.tasks.event_subject.heads.pointer.recipe import PointerRecipe
from tests.tiny_encoder import make_encoder_folder

TASK = SubjectTask()
COMPANIES = ("林满科技", "云州食品", "Ada电子", "高岳", "青石置业", "高岳物流")
FRAMES = {"减持": "{c}大股东减持", "亏损": "{c}预计亏损3亿元", "违约": "{c}未能兑付债券"}
OTHER = "其他"

SMALL = (
    "model.encoder.hidden_size=16", "model.encoder.dilations=[1,2]", "model.encoder.embedding_dropout=0",
    "model.encoder.gate_dropout=0", "model.head.dropout=0", "model.head.size=8", "model.head.type_size=8",
    "model.head.dilations=[1]", "data.window=32", "data.overlap=12", "model.encoder.min_char_count=1",
    "decode.batch_size=4", "training.epochs=1", "training.batch_size=8", "training.precision=fp32",
)  # fmt: skip


def examples(count: int, seed: int = 1) -> list[Example]:
    """Records whose company depends on the type, some without any; some texts with several types."""
    dice = random.Random(seed)
    found: list[Example] = []
    while len(found) < count:
        kinds = dice.sample(list(FRAMES), dice.choice((1, 2, 3)))
        names = dice.sample(COMPANIES, len(kinds))
        text = "，".join(FRAMES[kind].format(c=name) for kind, name in zip(kinds, names, strict=True)) + f"（{seed}）"
        for kind, name in zip(kinds, names, strict=True):
            found.append(Example(text, kind, name, str(len(found) + 1)))
        if dice.random() < 0.3:
            found.append(Example(text, OTHER, "", str(len(found) + 1)))
    return found[:count]


def write_csv(path: Path, some: Iterable[Example], *, gold: bool = True) -> Path:
    """As the competition has it."""
    rows = ([e.id, e.text, e.type, *([e.subject or NONE] if gold else [])] for e in some)
    path.write_text("".join(format_row(row) + "\n" for row in rows), encoding="utf-8")
    return path


def small_recipe(*more: str) -> PointerRecipe:
    settings = [s for s in SMALL if not (any("model.encoder=" in m for m in more) and s.startswith("model.encoder."))]
    recipe = load_recipe("event-subject", [*settings, *more])
    assert isinstance(recipe, PointerRecipe)
    return recipe


def encoder_folder(path: Path) -> Path:
    return make_encoder_folder(path, [e.text for e in examples(40)], positions=64, dropout=0.0)


class Prepared(NamedTuple):
    folder: Path
    report: PrepareReport


def prepare(recipe: PointerRecipe, folder: Path, train: Sequence[Example], dev: Sequence[Example] = ()) -> Prepared:
    """Without ``dev`` some of train is held out."""
    out = folder / "prepared"
    out.mkdir(parents=True)
    files = {"train": write_csv(folder / "train.csv", train)}
    if dev:
        files["dev"] = write_csv(folder / "dev.csv", dev)
    with mock.patch.dict(os.environ, {"IETOOL_HOME": str(folder / "home")}):
        report = TASK.prepare(recipe, Sources(files), out, rejects=None, progress=lambda *_: None)
    return Prepared(out, report)


def loud_model(recipe: PointerRecipe, prepared: Path, seed: int = 5) -> SubjectModel:
    """Random weights, so large that spans differ, in double precision: a batch and a single text differ by nothing."""
    torch.manual_seed(seed)
    model = TASK.build_model(recipe, prepared)
    assert isinstance(model, SubjectModel)
    with torch.no_grad():
        for name, p in model.named_parameters():
            if not name.startswith("encoder.") or recipe.model.encoder.kind == "characters":
                p.copy_(torch.randn_like(p) * (0.3 if p.dim() > 1 else 0.2))
    return model.double().eval()


class Made:
    """A recipe, its training set and a loud model."""

    def __init__(self, folder: Path, *more: str) -> None:
        self.recipe = small_recipe(*more)
        self.folder = prepare(self.recipe, folder, examples(30), examples(6, seed=2)).folder
        self.model = loud_model(self.recipe, self.folder)
        self.data = TASK.training_set(self.recipe, self.folder)

    @property
    def predictor(self) -> Predictor[Example, Answered]:
        return TASK.predictor(self.recipe, self.model, self.folder)
