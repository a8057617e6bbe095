"""Runs made when one model held the layers of either head, and recipes knew no sections for encoder and head."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoConfig, AutoModel

import ietool.auto  # noqa: F401 - names our models to transformers
from ietool import load
from ietool.errors import UserError
from ietool.files import yaml_io
from ietool.recipe_io import load_recipe
from ietool.tasks.ner.heads.base import NerModel
from ietool.tasks.ner.heads.crf.model import CRFModel
from ietool.tasks.ner.heads.globalpointer.model import PointerModel
from ietool.tasks.ner.recipe import FORMER_KEYS
from tests.tasks.ner.made import TASK, examples

RUNS = Path(__file__).parents[3] / "recorded" / "runs" / "ner"
MODELS = {"ner-crf": CRFModel, "ner-globalpointer": PointerModel}


@pytest.fixture(params=MODELS)
def run(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A run folder that an earlier version left."""
    return shutil.copytree(RUNS / request.param, tmp_path / request.param)


def test_an_old_run_is_of_the_head_that_its_configuration_tells(run: Path) -> None:
    settings = json.loads((run / "config.json").read_text(encoding="utf-8"))
    assert settings["model_type"] == "ietool-ner"
    kind = MODELS[run.name]
    for model in (TASK.load_model(run), AutoModel.from_pretrained(run)):
        assert type(model) is kind and isinstance(model, NerModel)
        assert model.config.types == settings["types"]
        assert any(float(p.detach().abs().sum()) for p in model.parameters())
    one, other = TASK.load_model(run).state_dict(), AutoModel.from_pretrained(run).state_dict()
    assert one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)
    assert AutoConfig.from_pretrained(run).model_type == "ietool-ner"
    predictor = load(run, device="cpu").predictor
    assert len(list(predictor.predict(examples(5)))) == 5 and predictor.highest_probability > 0.1


NEWER = {"data": {"soft_weight": 1.0}, "training": {"bucket": 0, "compile": False, "tf32": True}}
"""Keys that there were not, with what they mean where a recipe lacks them."""


def test_its_recipe_means_what_it_meant(run: Path) -> None:
    flat, _, _ = yaml_io.read(run / "recipe.yaml")
    recipe: Any = load_recipe(run)
    today = recipe.model_dump(mode="json")
    assert today["model"]["head"]["kind"] == flat["model"]["head"]
    pretrained = flat["model"]["encoder"] != "dgcnn"
    assert today["model"]["encoder"]["kind"] == ("pretrained" if pretrained else "characters")
    if pretrained:
        assert today["model"]["encoder"]["name"] == flat["model"]["encoder"]
    acting = 0
    for former, key in FORMER_KEYS.items():
        section, name = former.split(".")
        place: Any = today
        for part in key.split("."):
            place = place.get(part) if isinstance(place, dict) else None
        if place is not None:
            assert place == flat[section][name], former
            acting += 1
    assert acting >= 3
    for section in ("data", "training", "score"):
        kept = {k: v for k, v in flat[section].items() if f"{section}.{k}" not in FORMER_KEYS}
        assert today[section] == NEWER.get(section, {}) | kept
    threshold = flat["decode"]["threshold"]
    assert recipe.decode.batch_size == flat["decode"]["batch_size"]
    usual = {"ner-crf": 0.0, "ner-globalpointer": 0.5}[run.name]
    assert recipe.decode.threshold == (usual if threshold is None else threshold)


def test_its_weights_keep_their_names_when_they_are_saved_anew(run: Path, tmp_path: Path) -> None:
    """By transformers too."""
    model = TASK.load_model(run)
    for at, opened in enumerate((model, AutoModel.from_pretrained(run))):
        folder = tmp_path / f"again-{at}"
        opened.save_pretrained(folder)
        again = AutoModel.from_pretrained(folder)
        assert type(again) is type(model)
        assert all(
            torch.equal(a, b) for a, b in zip(again.state_dict().values(), model.state_dict().values(), strict=True)
        )


def test_what_an_old_configuration_may_not_say(run: Path) -> None:
    path = run / "config.json"
    settings = json.loads(path.read_text(encoding="utf-8"))
    for change in ({"head": "lstm"}, {"model_type": "ietool-ner-gone"}, {"model_type": None}):
        path.write_text(json.dumps(settings | change), encoding="utf-8")
        with pytest.raises(UserError) as told:
            TASK.load_model(run)
        assert "\n" not in str(told.value)
    del settings["head"]  # of the very first runs: a CRF
    path.write_text(json.dumps(settings), encoding="utf-8")
    if run.name == "ner-crf":
        assert type(TASK.load_model(run)) is CRFModel
