"""Recipes of el: only keys that act, by head; and what recipes without sections for encoder and head became."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from ietool.errors import UserError
from ietool.recipe_io import load_recipe
from ietool.recipe_keys import keys_of
from ietool.tasks.el import ElTask
from ietool.tasks.el.heads.cross.recipe import CrossRecipe
from ietool.tasks.el.heads.joint.recipe import JointRecipe
from ietool.tasks.el.recipe import FORMER_KEYS

FLAT: dict[str, Any] = {
    "cut_vocabulary": True, "hidden_size": 48, "attention_heads": 2, "attention_head_size": 6,
    "embedding_dropout": 0.15, "head_dropout": 0.25, "part_of_speech": False, "mentions": "spans", "habits": False,
    "borders": False, "description": 40, "description_choice": "front", "query": 32, "ranked": "every",
}  # fmt: skip


def flat(folder: Path, head: str, encoder: str, **sections: Any) -> Path:
    data = {"name": "old", "task": "el", "model": {"head": head, "encoder": encoder, **FLAT}, **sections}
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump(data), encoding="utf-8")
    return path


def test_a_flat_recipe_of_head_joint(tmp_path: Path) -> None:
    recipe = load_recipe(flat(tmp_path, "joint", "dgcnn", sampling={"loss": "pair"}, data={"min_char_count": 5}))
    assert isinstance(recipe, JointRecipe)
    assert recipe.model.model_dump() == {
        "encoder": {"kind": "characters", "hidden_size": 48, "embedding_dropout": 0.15, "part_of_speech": False},
        "head": {
            "kind": "joint", "attention_heads": 2, "attention_head_size": 6, "dropout": 0.25, "mentions": "spans",
            "habits": False, "borders": False, "description": 40, "description_choice": "front",
        },
    }  # fmt: skip
    assert recipe.sampling.loss == "pair" and recipe.data.min_char_count == recipe.data.rarest == 5


def test_a_flat_recipe_of_head_cross(tmp_path: Path) -> None:
    path = flat(tmp_path, "cross", "a/folder", sampling={"loss": "listwise", "mentions": 3}, data={"min_char_count": 5})
    recipe = load_recipe(path)
    assert isinstance(recipe, CrossRecipe)
    assert recipe.model.model_dump() == {
        "encoder": {"kind": "pretrained", "name": "a/folder", "cut_vocabulary": True, "dropout": None},
        "head": {
            "kind": "cross", "size": 48, "dropout": 0.25, "habits": False, "borders": False, "query": 32,
            "description": 40, "description_choice": "front", "ranked": "every",
        },
    }  # fmt: skip
    assert recipe.sampling.mentions == 3 and not hasattr(recipe.sampling, "loss")
    assert recipe.data.rarest == 2 and recipe.fewest_ranked == 1


@pytest.mark.parametrize("name", ["el", "el-cross"])
def test_every_former_key_can_be_set(name: str) -> None:
    plain = load_recipe(name)
    own = set(keys_of(type(plain), plain.model_dump(mode="json")))
    assert {"model." + key for key in FLAT} == set(FORMER_KEYS)
    acting = 0
    for former, new in FORMER_KEYS.items():
        (key,) = [key for key in ([new] if isinstance(new, str) else new) if key in own] or [""]
        value = FLAT[former.removeprefix("model.")]
        if not key:
            with pytest.raises(UserError, match=r"there is no such key → it acts with model\.head="):
                load_recipe(name, [f"{former}={value}"])
            continue
        section = load_recipe(name, [f"{former}={value}"])
        for part in key.split("."):
            section = getattr(section, part)
        assert section == value  # type: ignore[comparison-overlap]
        acting += 1
    assert acting == {"el": 11, "el-cross": 9}[name]


def test_hidden_size_is_of_the_head_that_is_set_beside_it() -> None:
    changes = ["model.hidden_size=32", "model.head=cross", "model.encoder=a/folder"]
    recipe = load_recipe("el", changes)
    assert isinstance(recipe, CrossRecipe) and recipe.model.head.size == 32
    assert recipe.model.encoder.name == "a/folder"


@pytest.mark.parametrize(
    "name, setting, told",
    [
        ("el", "model.head.query=20", "it acts with model.head=cross; model.head has: kind, dropout"),
        ("el-cross", "sampling.loss=pair", "it acts with model.head=joint; sampling has: mentions, candidates"),
        ("el-cross", "data.min_char_count=3", "it acts with model.head=joint; data has: window"),
        ("el", "model.head.habit=false", "did you mean model.head.habits?"),
        ("el", "model.encoder=a/folder", "it acts with model.head=cross; model.encoder has: kind, hidden_size"),
        ("el-cross", "model.encoder=dgcnn", "should be 'pretrained', not 'characters'"),
        ("el", "model.head=crosss", "did you mean cross?"),
    ],
)
def test_what_does_not_act_is_refused_with_what_does(name: str, setting: str, told: str) -> None:
    with pytest.raises(UserError) as refused:
        load_recipe(name, [setting])
    assert told in str(refused.value)


def test_one_candidate_that_may_be_none_must_be_ranked() -> None:
    message = "--set model.head.ranked: must be every or auto where data.nil is keep, not 'several'"
    with pytest.raises(UserError, match=message):
        load_recipe("el-cross", ["data.nil=keep", "model.head.ranked=several"])
    auto = load_recipe("el-cross", ["data.nil=keep"])
    assert isinstance(auto, CrossRecipe) and auto.fewest_ranked == 1


def test_the_demo_sets_keys_that_act() -> None:
    for name in ("el", "el-cross"):
        assert load_recipe(name, list(ElTask.demo)).name == name
