"""Recipes of ske hold what acts for their head and encoder, and those of older runs mean what they meant."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from ietool import paths
from ietool.errors import UserError
from ietool.files import yaml_io
from ietool.recipe_io import load_recipe, save_recipe
from ietool.recipe_keys import keys_of
from ietool.tasks.ske import SkeTask
from ietool.tasks.ske.heads.cascade.recipe import CascadeRecipe, CascadeSection
from ietool.tasks.ske.heads.gplinker.recipe import LinkRecipe, LinkSection
from ietool.tasks.ske.heads.graph.recipe import GraphRecipe, GraphSection
from ietool.tasks.ske.recipe import SkeRecipe

NAMES = {"ske": GraphRecipe, "ske-cascade": CascadeRecipe, "ske-gplinker": LinkRecipe}

FLAT: dict[str, Any] = {
    "name": "old", "task": "ske", "title": "Before heads had sections",
    "data": {"window": 160, "overlap": 48, "word_vectors": None, "min_char_count": 3, "occurrences": "first"},
    "model": {
        "head": "graph", "encoder": "dgcnn", "cut_vocabulary": False, "subject_power": 3.0, "object_power": 5.0,
        "pointer_size": 32, "hidden_size": 64, "dilations": [1, 2, 5], "attention_heads": 4,
        "attention_head_size": 8, "positions": 160, "subject_points": 5, "embedding_dropout": 0.3,
        "gate_dropout": 0.2, "head_dropout": 0.15, "part_of_speech": False, "priors": False,
    },
    "sampling": {"subjects": 2, "wrong_subjects": 0.25, "replacement": 0.125},
    "decode": {
        "subject_start": 0.31, "subject_end": 0.32, "object_start": 0.33, "object_end": 0.34, "triple": 0.01,
        "entity": 0.41, "link": 0.42, "rules": "ske", "apply_rules": False, "batch_size": 7,
    },
}  # fmt: skip
"""All keys that a recipe once had, whatever its head, with values of their own."""


def flat(tmp_path: Path, **model: Any) -> SkeRecipe:
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(FLAT | {"model": FLAT["model"] | model}), encoding="utf-8")
    recipe = load_recipe(str(path))
    assert isinstance(recipe, SkeRecipe)
    return recipe


def test_a_flat_recipe_of_each_head(tmp_path: Path) -> None:
    graph, cascade, link = (flat(tmp_path, head=head) for head in ("graph", "cascade", "gplinker"))
    encoder = {
        "kind": "characters", "word_vectors": None, "min_char_count": 3, "hidden_size": 64, "dilations": [1, 2, 5],
        "positions": 160, "embedding_dropout": 0.3, "gate_dropout": 0.2, "part_of_speech": False,
    }  # fmt: skip
    data = {"window": 160, "overlap": 48, "occurrences": "first", "held_out": 0.1, "held_out_seed": 42,
            "soft_weight": 1.0}  # fmt: skip
    for recipe in (graph, cascade, link):
        assert recipe.model.encoder.model_dump() == encoder and not recipe.model.priors
        assert recipe.data.model_dump() == data and recipe.decode.batch_size == 7
    assert isinstance(graph, GraphRecipe) and isinstance(cascade, CascadeRecipe) and isinstance(link, LinkRecipe)
    assert graph.model.head == GraphSection(dropout=0.15, attention_heads=4, attention_head_size=8, subject_points=5)
    assert cascade.model.head == CascadeSection(dropout=0.15, subject_power=3.0, object_power=5.0)
    assert link.model.head == LinkSection(dropout=0.15, pointer_size=32)
    for stages in (graph, cascade):
        assert stages.sampling.model_dump() == FLAT["sampling"]
        own = {k: v for k, v in FLAT["decode"].items() if k not in ("entity", "link")}
        assert stages.decode.model_dump() == own | {"by_label": {}}
    assert link.sampling.model_dump() == {"replacement": 0.125}
    own = {k: v for k, v in FLAT["decode"].items() if not k.startswith(("sub", "obj"))}
    assert link.decode.model_dump() == own | {"by_label": {}}
    pretrained = flat(tmp_path, head="gplinker", encoder="some/encoder", cut_vocabulary=True)
    assert pretrained.model.encoder.model_dump() == {
        "kind": "pretrained", "name": "some/encoder", "cut_vocabulary": True, "dropout": None,
    }  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_what_ships_holds_what_acts_and_comes_back(name: str, tmp_path: Path) -> None:
    recipe = load_recipe(name)
    assert type(recipe) is NAMES[name]
    written, _, _ = yaml_io.read(paths.shipped_recipes()[name])
    # Of training the file has what differs from the defaults.
    resolved = recipe.model_dump(mode="json")
    assert resolved | {"training": resolved["training"] | written["training"]} == resolved
    assert resolved | {"training": None} == written | {"training": None}
    save_recipe(recipe, tmp_path / "recipe.yaml")
    assert load_recipe(str(tmp_path / "recipe.yaml")) == recipe


def test_settings_of_old_and_new_names() -> None:
    acting = {name: set(keys_of(type(r), r.model_dump())) for name in NAMES for r in [load_recipe(name)]}
    for old, new in SkeTask.former_keys.items():
        name, leaf = next(name for name in NAMES if new in acting[name]), new.rpartition(".")[2]
        value = {
            "dilations": "[1,2]",
            "part_of_speech": "false",
            "cut_vocabulary": "true",
            "word_vectors": "v.txt",
        }.get(leaf, "")
        value = value or ("0.75" if "dropout" in leaf else "12")
        ours, theirs = load_recipe(name, [f"{old}={value}"]), load_recipe(name, [f"{new}={value}"])
        assert ours == theirs != load_recipe(name)


def test_kinds_take_along_what_both_know() -> None:
    recipe = load_recipe("ske", ["model.head=gplinker", "model.encoder=a/folder", "model.head.dropout=0.3"])
    assert isinstance(recipe, LinkRecipe)
    assert recipe.model.head == LinkSection(dropout=0.3) and recipe.decode.rules == "ske"
    assert recipe.model.encoder.model_dump() == {
        "kind": "pretrained", "name": "a/folder", "cut_vocabulary": False, "dropout": None,
    }  # fmt: skip
    back = load_recipe("ske-cascade", ["model.encoder=dgcnn"])
    assert back.model.encoder == load_recipe("ske").model.encoder  # type: ignore[attr-defined]
    assert load_recipe("ske-cascade", ["model.encoder.kind=characters"]) == back


@pytest.mark.parametrize(
    ("name", "setting", "says"),
    [
        ("ske", "decode.entity=0.4", "there is no such key → it acts with model.head=gplinker; decode has: "),
        ("ske-gplinker", "decode.subject_start=0.4", "it acts with model.head=graph and cascade; decode has: triple, "),
        ("ske-gplinker", "sampling.subjects=1", "it acts with model.head=graph and cascade; sampling has: replacement"),
        ("ske-cascade", "model.attention_heads=2", "--set model.head.attention_heads: there is no such key → it acts"),
        ("ske-cascade", "model.head.pointer=2", "model.head has: kind, dropout, subject_power, object_power"),
        ("ske", "model.head.attention_head=2", "did you mean model.head.attention_heads?"),
        ("ske", "model.head=cascad", "the task ske has no head 'cascad' → did you mean cascade?"),
        ("ske", "model.positions=0", "--set model.encoder.positions: should be greater than 0, not 0"),
        ("ske-cascade", "model.encoder.hidden_size=4", "model.encoder has: kind, name, cut_vocabulary"),
        ("ske", "model.encoder.hidden_size=5", "multiple of 2, not 5 → the recipe has 128"),
    ],
)
def test_what_does_not_act_is_refused(name: str, setting: str, says: str) -> None:
    with pytest.raises(UserError, match=re.escape(says)):
        load_recipe(name, [setting])


def test_overfitting_keeps_nothing_that_hides_the_gold() -> None:
    for name in NAMES:
        recipe = load_recipe(name, ["model.encoder=characters"])
        assert isinstance(recipe, SkeRecipe)
        copy = SkeTask().overfitting(recipe, 8)
        assert copy.sampling.replacement == 0.0 == copy.model.head.dropout
        assert copy.model.encoder.model_dump()["embedding_dropout"] == 0.0
        assert recipe.model.head.dropout == 0.1  # the recipe itself stays


def test_recipes_and_decoders_need_no_torch() -> None:
    code = (
        "import sys; from ietool.tasks.ske import SkeTask\n"
        "for head in SkeTask.heads: head.load('recipe'), head.load('decoder')\n"
        "heavy = {'torch', 'transformers', 'datasets'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
