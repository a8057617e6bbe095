"""A prepared folder and a model that finds much, made within a second and without training."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from unittest import mock

import torch

from ietool import paths
from ietool.nn.encoder import PretrainedEncoder
from ietool.recipe_io import load_recipe, save_recipe
from ietool.runs import create_run, update_run
from ietool.tasks.ske import SkeTask
from ietool.tasks.ske.cascade import CascadeModel
from ietool.tasks.ske.gplinker import LinkModel
from ietool.tasks.ske.graph import GraphModel
from ietool.tasks.ske.model import SkeModel, build_model
from ietool.tasks.ske.recipe import SkeRecipe
from ietool.training.trainer import save_weights
from ietool.workflow.prepare import prepare

SMALL = (
    "model.hidden_size=16", "model.dilations=[1,2,5]", "model.attention_heads=2", "model.attention_head_size=4",
    "model.positions=40", "data.window=48", "data.overlap=16", "data.min_char_count=1",
    "decode.rules=null", "decode.triple=0.1",
    "decode.batch_size=8", "training.epochs=1", "training.batch_size=8", "training.precision=fp32",
)  # fmt: skip


def small_recipe(*more: str) -> SkeRecipe:
    recipe = load_recipe("ske", [*SMALL, *more])
    assert isinstance(recipe, SkeRecipe)
    return recipe


def head_of_corpus(folder: Path, train: int = 60, dev: int = 20) -> Path:
    """The first lines of the shipped corpus as a folder of competition files."""
    shipped = paths.shipped_data("ske")
    for name, lines in (("train.jsonl", train), ("dev.jsonl", dev), ("test.jsonl", dev), ("schema.jsonl", 99)):
        text = (shipped / name).read_text(encoding="utf-8").splitlines(keepends=True)[:lines]
        (folder / name).write_text("".join(text), encoding="utf-8")
    return folder


def prepare_small(recipe: SkeRecipe, data: Path, folder: Path) -> Path:
    """A prepared folder, without a trace of it elsewhere."""
    with mock.patch.dict(os.environ, {"IETOOL_HOME": str(folder / "home")}):
        return prepare(recipe, data=data, output=folder / "prepared").folder


def loud_model(recipe: SkeRecipe, prepared: Path, seed: int = 5) -> SkeModel:
    """Random weights so large that probabilities spread from 0 to 1, and gates that are mostly open. Of a pretrained
    encoder the weights stay."""
    torch.manual_seed(seed)
    model = build_model(recipe, prepared)
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
        elif isinstance(model, CascadeModel):
            model.object_out.weight.mul_(0.5)
            model.object_out.bias.add_(-1.0)
        elif isinstance(model, LinkModel):
            model.entity.bias.bias.add_(-2.0)
            for link in (model.heads, model.tails):
                link.bias.bias.add_(-0.5)
    return model.eval()


def texts_of(path: Path) -> list[str]:
    return [example.text for example in SkeTask().read_inputs(_lines(path))]


def _lines(path: Path) -> Any:
    from ietool.files import read_lines

    return read_lines(path)


def make_run(recipe: SkeRecipe, prepared: Path, model: SkeModel, folder: Path) -> Path:
    """A finished run folder around a model."""
    run = create_run(recipe, folder)
    SkeTask().save_assets(recipe, prepared, run)
    save_weights(model, run)
    save_recipe(recipe, run / "recipe.yaml")
    update_run(run, state="finished", best={"score": 0.0, "metric": "duie2", "stage": 1, "epoch": 1})
    return run
