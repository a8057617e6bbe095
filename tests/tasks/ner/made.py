"""Invented texts with entities, prepared folders, and models that find much without training."""

from __future__ import annotations

import cmath
import json
import math
import os
import random
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import numpy as np
import torch
from torch import Tensor

from ietool.core.candidates import Candidates, Floor
from ietool.core.contract import PrepareReport
from ietool.core.pools import finished
from ietool.core.predicting import Predictor
from ietool.core.sources import Sources
from ietool.core.span_reader import Spans
from ietool.nn.encoder import PretrainedEncoder
from ietool.recipe_io import load_recipe
from ietool.recipe_keys import keys_of
from ietool.tasks.ner import NerTask
from ietool.tasks.ner.data.example import Entity, Example
from ietool.tasks.ner.data.forms.cluener import label_of
from ietool.tasks.ner.data.forms.tokens import format_sentence
from ietool.tasks.ner.data.schemes import SCHEMES
from ietool.tasks.ner.heads.base import NerModel
from ietool.tasks.ner.heads.crf.model import CRFModel
from ietool.tasks.ner.heads.decoder import Recognised
from ietool.tasks.ner.heads.globalpointer.model import PointerModel
from ietool.tasks.ner.heads.reader import Encoded, NerReader
from ietool.tasks.ner.recipe import NerRecipe
from tests.tiny_encoder import make_encoder_folder

PEOPLE = ("林满", "何舟远", "Ada Lin", "高岳", "周雨桐")
PLACES = ("云州", "江城", "青石镇", "北湾")
FRAMES = ("{p}在{l}工作。", "昨天{p}和{q}去了{l}大学，天气很好。", "{l}下雨了，{p}没有出门！", "2024年{p}说：{l}真远")

TASK = NerTask()

SMALL = (
    "model.encoder.hidden_size=16", "model.encoder.dilations=[1,2]", "model.encoder.embedding_dropout=0",
    "model.encoder.gate_dropout=0", "model.head.dropout=0", "model.head.size=8", "data.window=32",
    "data.overlap=12", "model.encoder.min_char_count=1", "decode.batch_size=4", "training.epochs=1",
    "training.batch_size=8", "training.precision=fp32",
)  # fmt: skip


def examples(count: int, seed: int = 1, *, nested: bool = False) -> list[Example]:
    """Texts with people and places, each text once; nested: a university has the name of its city within its own."""
    dice = random.Random(seed)
    found: dict[str, Example] = {}
    while len(found) < count:
        frame = dice.choice(FRAMES)
        text, entities = f"（{len(found)}）", set()
        for part in frame.replace("{", "\0{").replace("}", "}\0").split("\0"):
            name = {"{p}": PEOPLE, "{q}": PEOPLE, "{l}": PLACES}.get(part)
            if name is None:
                if nested and part.startswith("大学"):
                    place = max(e for e in entities if e.end == len(text))
                    entities.add(Entity(place.start, len(text) + 2, "机构"))
                text += part
                continue
            chosen = dice.choice(name)
            kind = "地点" if part == "{l}" else "人物"
            entities.add(Entity(len(text), len(text) + len(chosen), kind))
            text += chosen
        found[text] = Example(text, tuple(sorted(entities)))
    return list(found.values())


def write_json(path: Path, some: Iterable[Example]) -> Path:
    rows = ({"text": e.text, "label": label_of(e.text, e.entities)} for e in some)
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def write_tags(path: Path, some: Iterable[Example], scheme: str = "bmes", separator: str = " ") -> Path:
    """A character a token, but blanks left out as such files do."""
    lines = []
    for example in some:
        at = [n for n, c in enumerate(example.text) if not c.isspace()]
        place = {n: k for k, n in enumerate(at)}
        text = "".join(example.text[n] for n in at)
        entities = [Entity(place[e.start], place[e.end - 1] + 1, e.type) for e in example.entities]
        lines.append(format_sentence(Example(text), entities, SCHEMES[scheme], separator))
    path.write_text("".join(lines), encoding="utf-8")
    return path


def acting(name: str, settings: Iterable[str], *more: str) -> list[str]:
    """Of some settings those that act for a recipe changed by ``more``, and ``more`` behind them."""
    recipe = load_recipe(name, more)
    keys = set(keys_of(type(recipe), recipe.model_dump(mode="json")))
    return [*(setting for setting in settings if setting.partition("=")[0] in keys), *more]


def small_recipe(name: str = "ner-crf", *more: str) -> NerRecipe:
    recipe = load_recipe(name, acting(name, SMALL, *more))
    assert isinstance(recipe, NerRecipe)
    return recipe


def encoder_folder(path: Path, positions: int = 64) -> Path:
    return make_encoder_folder(path, [e.text for e in examples(40)], positions=positions, dropout=0.0)


class Prepared(NamedTuple):
    folder: Path
    report: PrepareReport

    def oracle(self, split: str = "dev") -> dict[str, int]:
        """Reason → gold entities lost by it, those that occur."""
        lost: dict[str, int] = self.report.statistics[split]["oracle"]["lost"]
        return {reason: count for reason, count in lost.items() if count}


def prepare_files(recipe: NerRecipe, folder: Path, *, rejects: bool = False, **files: Path) -> Prepared:
    out = folder / "prepared"
    out.mkdir(parents=True)
    with mock.patch.dict(os.environ, {"IETOOL_HOME": str(folder / "home")}):
        report = TASK.prepare(
            recipe, Sources(files), out, rejects=out / "rejects.jsonl" if rejects else None, progress=lambda *_: None
        )
    return Prepared(out, report)


def prepare_examples(recipe: NerRecipe, folder: Path, train: Sequence[Example], dev: Sequence[Example]) -> Prepared:
    folder.mkdir(parents=True, exist_ok=True)
    files = {"train": write_json(folder / "train.json", train), "dev": write_json(folder / "dev.json", dev)}
    return prepare_files(recipe, folder, **files)


def loud_model(recipe: NerRecipe, prepared: Path, seed: int = 5) -> NerModel:
    """Random weights so large that paths and spans of every kind are found, in double precision, in which a batch and
    a single text differ by nothing. Of a pretrained encoder the weights stay."""
    torch.manual_seed(seed)
    model = TASK.build_model(recipe, prepared)
    assert isinstance(model, NerModel)
    kept = {id(p) for p in model.encoder.parameters()} if isinstance(model.encoder, PretrainedEncoder) else set()
    with torch.no_grad():
        for p in model.parameters():
            if id(p) not in kept:
                p.copy_(torch.randn_like(p) * (0.6 if p.dim() > 1 else 0.3))
        if isinstance(model, PointerModel):
            model.out.bias.bias.add_(-1.5)
        else:
            assert isinstance(model, CRFModel)
            model.out.bias[0].add_(-1.0)
    return model.double().eval()


def logsumexp(values: list[float]) -> float:
    top = max(values)
    return top + math.log(sum(math.exp(value - top) for value in values))


class Made:
    """A recipe, its training set and a loud model."""

    def __init__(self, folder: Path, name: str, *more: str) -> None:
        self.recipe: NerRecipe = small_recipe(name, *more)
        self.folder = prepare_examples(
            self.recipe, folder, examples(20, nested=name != "ner-crf"), examples(3, seed=2)
        ).folder
        self.model: NerModel = loud_model(self.recipe, self.folder)
        self.data = TASK.training_set(self.recipe, self.folder)

    @property
    def predictor(self) -> Predictor[Example, Recognised]:
        return TASK.predictor(self.recipe, self.model, self.folder)

    def batch(self, *numbers: int) -> dict[str, Tensor]:
        return self.data.collate([self.data[n] for n in numbers])

    def alone(self, n: int) -> tuple[Tensor, list[int]]:
        """(T, H) of one text without padding, and its units that stand for characters."""
        batch = self.batch(n)
        with torch.no_grad():
            h = self.model.encode(batch["ids"], batch["lengths"], batch["words"], batch["tags"])[0]
        return h, batch["inside"][0].nonzero().flatten().tolist()


def span_scores(made: Made, n: int, kind: int) -> dict[tuple[int, int], float]:
    """Scores of the spans of one type, (first, last) unit, one by one; the rotation as complex numbers."""
    assert isinstance(made.model, PointerModel)
    head = made.model.out
    h, inside = made.alone(n)
    size = head.head_size
    z = head.projection(h)
    bias = head.bias(z).T  # first of all types, then last of all types

    def turned(vector: Tensor, at: int) -> list[complex]:
        pairs = vector.tolist()
        return [complex(pairs[k], pairs[k + 1]) * cmath.exp(1j * at * 10000 ** (-k / size)) for k in range(0, size, 2)]

    found = {}
    for i in inside:
        for j in inside:
            if i <= j:
                q, k = turned(z[i, :size], i), turned(z[j, size:], j)
                score = sum((a * b.conjugate()).real for a, b in zip(q, k, strict=True)) / math.sqrt(size)
                found[i, j] = score + float(bias[kind, i]) + float(bias[head.types + kind, j])
    return found


def spans_of(reader: NerReader[Any], h: Tensor, inside: Tensor, floor: Floor) -> Spans:
    """What a reader finds in encoded windows."""
    return finished(reader.found(Encoded(h, inside, inside.numpy()), floor))


def by_window(found: Spans) -> list[Candidates]:
    """What each of a batch of windows holds, in units."""
    return [
        Candidates(found.rows[found.text == n].astype(np.int32), found.parts[found.text == n],
                   np.zeros(0, np.float32), int(left_out))
        for n, left_out in enumerate(found.left_out)
    ]  # fmt: skip


def parts_by_window(reader: NerReader[Any], h: Tensor, inside: Tensor, rows: Sequence[np.ndarray]) -> list[np.ndarray]:
    """What a reader says of some rows of each window."""
    text = np.repeat(np.arange(len(rows)), [len(own) for own in rows])
    encoded = Encoded(h, inside, inside.numpy())
    parts = finished(reader.parts(encoded, text, np.concatenate(rows).astype(np.int64)))
    return [parts[text == n] for n in range(len(rows))]
