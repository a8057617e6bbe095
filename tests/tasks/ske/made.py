"""A prepared folder and a model that finds much, made within a second and without training."""

from __future__ import annotations

import os
from collections.abc import Sequence
from copy import copy
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from torch import Tensor

from ietool import paths
from ietool.core.pools import finished
from ietool.core.predicting import Predictor
from ietool.nn.encoder import PretrainedEncoder
from ietool.nn.global_pointer import NEVER
from ietool.recipe_io import load_recipe, save_recipe
from ietool.recipe_keys import keys_of
from ietool.runs.folder import create_run, update_run
from ietool.tasks.ske import SkeTask
from ietool.tasks.ske.data.example import Example
from ietool.tasks.ske.features.featurizer import Features
from ietool.tasks.ske.heads.assembly import Extraction, SpanRow
from ietool.tasks.ske.heads.base import SkeModel
from ietool.tasks.ske.heads.cascade.model import CascadeModel
from ietool.tasks.ske.heads.gplinker.model import LinkModel
from ietool.tasks.ske.heads.graph.model import GraphModel
from ietool.tasks.ske.recipe import SkeRecipe
from ietool.training.saving import save_weights
from ietool.workflow.prepare import prepare
from tests.tiny_encoder import make_encoder_folder

SMALL = (
    "model.encoder.hidden_size=16", "model.encoder.dilations=[1,2,5]", "model.encoder.positions=40",
    "model.head.attention_heads=2", "model.head.attention_head_size=4",
    "data.window=48", "data.overlap=16", "model.encoder.min_char_count=1",
    "decode.rules=null", "decode.triple=0.1",
    "decode.batch_size=8", "training.epochs=1", "training.batch_size=8", "training.precision=fp32",
)  # fmt: skip


def small_recipe(*more: str, name: str = "ske") -> SkeRecipe:
    """A recipe with what of ``SMALL`` acts for its head and encoder, and more settings."""
    small = [setting for setting in acting((*more, *SMALL), name) if setting in SMALL]
    recipe = load_recipe(name, [*small, *more])
    assert isinstance(recipe, SkeRecipe)
    return recipe


def acting(settings: Sequence[str], name: str = "ske") -> tuple[str, ...]:
    """Those of some settings that act for the head and encoder which they or else the recipe name."""
    kinds = [setting for setting in settings if setting.startswith(("model.head=", "model.encoder="))]
    plain = load_recipe(name, kinds)
    keys = {*kinds, *keys_of(type(plain), plain.model_dump(mode="json"))}
    former = SkeTask.former_keys
    return tuple(s for s in settings if s in kinds or former.get(s.partition("=")[0], s.partition("=")[0]) in keys)


Opened = Predictor[Example, Extraction]


def open_predictor(recipe: SkeRecipe, model: SkeModel, assets: Path) -> Opened:
    return SkeTask().predictor(recipe, model, assets)


def asked(predictor: Opened, **decode: object) -> Opened:
    """The same with other settings of ``decode``."""
    return Predictor(predictor.reader, predictor.decoder, predictor.settings.model_copy(update=decode))


def read_otherwise(predictor: Opened, **changes: object) -> Opened:
    """The same with a reader of other attributes."""
    reader = copy(predictor.reader)
    for name, value in changes.items():
        setattr(reader, name, value)
    return Predictor(reader, predictor.decoder, predictor.settings)


def uncapped(predictor: Opened) -> Opened:
    """The same that may find any number of rows, which random weights do."""
    limits = {name: 10**9 for name in ("most", "subjects") if hasattr(predictor.reader, name)}
    return read_otherwise(predictor, **limits)


def rows_of(predictor: Opened, features: Sequence[Features]) -> list[list[SpanRow]]:
    """What is found above the thresholds in each of some windows, in units."""
    reader: Any = predictor.reader
    decoder: Any = predictor.decoder
    with torch.inference_mode():
        found = finished(reader.found(features, decoder.floor(predictor.settings)))
    able, probability = decoder.able(found.parts, predictor.settings)
    kept = np.flatnonzero(able & (probability >= predictor.settings.triple))
    rows: list[list[SpanRow]] = [[] for _ in features]
    for n, p in zip(kept.tolist(), probability[kept].tolist(), strict=True):
        a, b, label, c, d = found.rows[n].tolist()
        rows[found.at[n]].append((a, b, label, c, d, p))
    return rows


def head_of_corpus(folder: Path, train: int = 60, dev: int = 20) -> Path:
    """The first lines of the shipped corpus as a folder of competition files."""
    shipped = paths.shipped_data("ske")
    for name, lines in (("train.jsonl", train), ("dev.jsonl", dev), ("test.jsonl", dev), ("schema.jsonl", 99)):
        text = (shipped / name).read_text(encoding="utf-8").splitlines(keepends=True)[:lines]
        (folder / name).write_text("".join(text), encoding="utf-8")
    return folder


def encoder_of_corpus(folder: Path) -> Path:
    """A tiny pretrained encoder that knows the characters of the shipped corpus, but not all of its words."""
    shipped = paths.shipped_data("ske")
    return make_encoder_folder(folder / "encoder", texts_of(shipped / "train.jsonl")[:80], positions=64)


def prepare_small(recipe: SkeRecipe, data: Path, folder: Path) -> Path:
    """A prepared folder, without a trace of it elsewhere."""
    with mock.patch.dict(os.environ, {"IETOOL_HOME": str(folder / "home")}):
        return prepare(recipe, data=data, output=folder / "prepared").folder


def loud_model(recipe: SkeRecipe, prepared: Path, seed: int = 5) -> SkeModel:
    """Random weights so large that probabilities spread from 0 to 1, and gates that are mostly open. Of a pretrained
    encoder the weights stay."""
    torch.manual_seed(seed)
    model: Any = SkeTask().build_model(recipe, prepared)
    kept = {id(p) for p in model.encoder.parameters()} if isinstance(model.encoder, PretrainedEncoder) else set()
    with torch.no_grad():
        for name, p in model.named_parameters():
            if id(p) in kept:
                continue
            p.copy_(torch.randn_like(p) * (0.5 if p.dim() > 1 else 0.2))
            if name.endswith(("_out.weight", "outer.weight", "any_object.weight")):
                p.mul_(1.5)
        if isinstance(model, GraphModel):
            for gate in (model.entity_gates.outer, model.presence.outer, model.any_object):
                gate.bias.add_(2.0)
    if isinstance(model, CascadeModel | LinkModel):
        _calibrate(model.eval())
    ready: SkeModel = model.eval()
    return ready


@torch.no_grad()
def _calibrate(model: CascadeModel | LinkModel) -> None:
    """Scale and shift the heads so that of all places, spans and links a few lie above the usual thresholds."""
    ids = torch.randint(1, model.encoder.table.num_embeddings, (8, 40))
    lengths = torch.full((8,), 40)

    def tame(layer: torch.nn.Linear, logits: Tensor, share: float, level: float) -> None:
        factor = 2.0 / logits.std()
        layer.weight.mul_(factor)
        layer.bias.mul_(factor).add_(level - (logits * factor).flatten()[:100_000].quantile(1 - share))

    if isinstance(model, CascadeModel):
        tame(model.subject_out, model.encode(ids, lengths)["subject_logits"], 0.1, 1.0)
        every = torch.arange(8)
        encoded = model.encode(ids, lengths)
        logits, _ = model.objects(encoded, every, every, every + 2)
        tame(model.object_out, logits, 0.02, 2.0)
        return
    for layer, name, share in (
        (model.entity, "entity", 0.01),
        (model.heads, "heads", 0.05),
        (model.tails, "tails", 0.05),
    ):
        pair = getattr(model.encode(ids, lengths), name).pair
        layer.projection.weight.mul_(pair[pair > NEVER / 2].std() ** -0.5)
        layer.projection.bias.zero_()
        scores = getattr(model.encode(ids, lengths), name)
        layer.bias.weight.div_(torch.cat([scores.first, scores.last]).std())
        layer.bias.bias.zero_()
        scores = getattr(model.encode(ids, lengths), name)
        whole = scores.pair.unsqueeze(1) + scores.first.unsqueeze(3) + scores.last.unsqueeze(2)
        known = whole[whole > NEVER / 2]
        layer.bias.bias[: layer.types] = -known[torch.randperm(len(known))[:100_000]].quantile(1 - share)


def texts_of(path: Path) -> list[str]:
    return [example.text for example in SkeTask().read_inputs(_lines(path))]


def _lines(path: Path) -> Any:
    from ietool.files.lines import read_lines

    return read_lines(path)


def make_run(recipe: SkeRecipe, prepared: Path, model: SkeModel, folder: Path) -> Path:
    """A finished run folder around a model."""
    run = create_run(recipe, folder)
    SkeTask().save_assets(recipe, prepared, run)
    save_weights(model, run)
    save_recipe(recipe, run / "recipe.yaml")
    update_run(run, state="finished", best={"score": 0.0, "metric": "duie2", "stage": 1, "epoch": 1})
    return run
