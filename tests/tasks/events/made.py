"""Texts with events, prepared folders, and models that find much without training."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import numpy as np
import torch

from ietool.core.candidates import Candidates, Floor
from ietool.core.contract import PrepareReport
from ietool.core.sources import Sources
from ietool.paths import shipped_data
from ietool.recipe_io import load_recipe
from ietool.tasks.events import EventsTask
from ietool.tasks.events.data.example import Argument, Event, Example
from ietool.tasks.events.data.forms.duee import gold_list
from ietool.tasks.events.data.reading import load_examples
from ietool.tasks.events.heads.base import EventsModel
from ietool.tasks.events.recipe import EventsRecipe
from tests.acting import acting

TASK = EventsTask()

SMALL = (
    "model.encoder.hidden_size=16", "model.encoder.dilations=[1,2]", "model.encoder.embedding_dropout=0",
    "model.encoder.gate_dropout=0", "model.head.dropout=0", "model.head.size=8", "data.window=32",
    "data.overlap=16", "model.encoder.min_char_count=1", "decode.batch_size=4", "training.epochs=1",
    "training.batch_size=8", "training.precision=fp32",
)  # fmt: skip

NAMES = ("events", "events-staged")


def examples(count: int, split: str = "train") -> list[Example]:
    """The first texts of what ships."""
    return list(islice(load_examples(shipped_data("events") / f"{split}.jsonl"), count))


def event(text: str, kind: str, trigger: str, **roles: str | Sequence[str]) -> Event:
    """An event whose names stand in the text where they stand first."""

    def place(name: str) -> tuple[int, int]:
        at = text.index(name)
        return at, at + len(name)

    spans = (
        Argument(*place(name), role)
        for role, names in roles.items()
        for name in ((names,) if isinstance(names, str) else names)
    )
    return Event(kind, *(place(trigger) if trigger else (-1, -1)), tuple(sorted(spans)))


def row(example: Example) -> dict[str, Any]:
    """As DuEE has it."""
    own = {} if example.id is None else {"id": example.id}
    return {"text": example.text, **own, "event_list": gold_list(example.text, example.events)}


def write_json(path: Path, some: Iterable[Example]) -> Path:
    path.write_text("".join(json.dumps(row(e), ensure_ascii=False) + "\n" for e in some), encoding="utf-8")
    return path


def small_recipe(name: str = "events", *more: str) -> EventsRecipe:
    recipe = load_recipe(name, acting(name, (*SMALL, *more), more))
    assert isinstance(recipe, EventsRecipe)
    return recipe


class Prepared(NamedTuple):
    folder: Path
    report: PrepareReport


def prepare_files(recipe: EventsRecipe, folder: Path, *, rejects: bool = False, **files: Path) -> Prepared:
    out = folder / "prepared"
    out.mkdir(parents=True)
    with mock.patch.dict(os.environ, {"IETOOL_HOME": str(folder / "home")}):
        report = TASK.prepare(
            recipe, Sources(files), out, rejects=out / "rejects.jsonl" if rejects else None, progress=lambda *_: None
        )
    return Prepared(out, report)


def prepare_examples(recipe: EventsRecipe, folder: Path, train: Sequence[Example], dev: Sequence[Example]) -> Prepared:
    folder.mkdir(parents=True, exist_ok=True)
    files = {"train": write_json(folder / "train.json", train), "dev": write_json(folder / "dev.json", dev)}
    return prepare_files(recipe, folder, **files)


def loud_model(recipe: EventsRecipe, prepared: Path, seed: int = 5) -> EventsModel:
    """A random head, so loud that it finds spans and links of every kind, in double precision, in which a batch and a
    single text differ by nothing."""
    torch.manual_seed(seed)
    model = TASK.build_model(recipe, prepared)
    assert isinstance(model, EventsModel)
    with torch.no_grad():
        for name, p in model.named_parameters():
            if not name.startswith("encoder."):
                loud = 0.8 if p.dim() > 1 else 0.2
                if name.startswith(("norm.", "arguments.")):  # they read what is normalised
                    loud = 0.15 if name.startswith("arguments.") else 0.01
                p.copy_(torch.randn_like(p) * loud)
            if name == "norm.norm.weight":
                p.add_(1.0)
            if name.endswith("bias.bias"):
                p.add_(-0.7)
    return model.double().eval()


class Made:
    """A recipe, its prepared folder and a loud model."""

    def __init__(self, folder: Path, name: str, *more: str) -> None:
        self.recipe = small_recipe(name, *more)
        self.folder = prepare_examples(self.recipe, folder, examples(20), examples(3, "dev")).folder
        self.model = loud_model(self.recipe, self.folder)
        self.data: Any = TASK.training_set(self.recipe, self.folder)

    def reader(self) -> Any:
        return TASK.reader(self.recipe, self.model, self.folder)

    def proposed(self, some: Sequence[Example], floor: Floor | None = None) -> list[Candidates]:
        return [found for _, found in self.reader().propose(some, floor=floor or Floor(0.4))]

    def high(self, some: Sequence[Example], count: int, others: float = 0.5) -> Floor:
        """A floor that about ``count`` spans of each of some texts exceed, and this share of what they are tied by."""
        reader = self.reader()
        names, single = reader.layout.parts, reader.ties.singles
        own = [name for name in names if name in ("first", "second", "trigger")]
        least = dict.fromkeys(own, 0.05)
        for asked in (own, [name for name in names if name not in own]):
            found = [one for _, one in reader.propose(some, floor=Floor(0.0, dict(least)))]
            rows, parts = np.concatenate([f.rows for f in found]), np.concatenate([f.parts for f in found])
            alone = rows[:, 4] < single
            for name in asked:
                values = np.sort(
                    parts[alone if asked is own else ~alone, names.index(own[0] if asked is own else name)]
                )
                at = count * len(some) if asked is own else int(len(values) * others)
                least[name] = float(values[::-1][min(len(values) - 1, at)]) - 1e-5
        return Floor(parts=least)
