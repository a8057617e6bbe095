"""``ietool recipes`` and its sub-commands."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ietool import paths
from ietool.recipe import TrainingSection
from ietool.recipe_io import load_recipe
from tests.cli.conftest import Ietool


def test_list(ietool: Ietool) -> None:
    done = ietool("recipes")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0].split() == ["name", "title", "best", "measured", "score"]
    assert "DGCNN" in done.stdout


def test_json_is_one_value_and_nothing_else(ietool: Ietool) -> None:
    done = ietool("recipes", "--json")
    found = {info["name"]: info for info in json.loads(done.stdout)}
    assert found["ske"]["task"] == "ske"
    assert "6671" in found["ske"]["header"]
    assert done.stderr == ""


@pytest.mark.parametrize("name", sorted(paths.shipped_recipes()))
def test_each_shipped_recipe_opens_with_its_header(name: str) -> None:
    text = paths.shipped_recipes()[name].read_text(encoding="utf-8")
    header = text[: text.index("\n\n")]
    for word in ("# Model:", "# Article:", "# Data:", "# Launch:", "# Best:", "# Caveat:"):
        assert word in header, word
    assert load_recipe(name).name == name


@pytest.mark.parametrize("name", sorted(paths.shipped_recipes()))
def test_each_shipped_recipe_spells_out_every_key_but_what_training_has_by_default(name: str) -> None:
    import yaml

    written = yaml.safe_load(paths.shipped_recipes()[name].read_text(encoding="utf-8"))
    recipe = load_recipe(name).model_dump(mode="json", exclude={"best"})
    defaults = TrainingSection().model_dump(mode="json")
    for section, value in recipe.items():
        assert section in written
        if section == "training":
            assert set(written[section]) >= {key for key in value if value[key] != defaults[key]}
        else:
            assert _keys(value) == _keys(written[section]), section


def _keys(value: object, prefix: str = "") -> set[str]:
    if not isinstance(value, dict):
        return {prefix}
    return {key for name, part in value.items() for key in _keys(part, f"{prefix}.{name}")}


@pytest.mark.parametrize("name", sorted(paths.shipped_recipes()))
def test_show_all_is_a_recipe_that_means_the_same(ietool: Ietool, tmp_path: Path, name: str) -> None:
    text = ietool("recipes", "show", name, "--all").stdout
    assert "# the registered task that runs it" in text
    (tmp_path / "all.yaml").write_text(text, encoding="utf-8")
    assert load_recipe(tmp_path / "all.yaml") == load_recipe(name)


def test_names_and_runs_are_validated_too(ietool: Ietool, tmp_path: Path) -> None:
    assert "ske: a valid recipe for task ske" in ietool("recipes", "validate", "ske").stdout
    refused = ietool("recipes", "validate", "skee")
    assert refused.returncode == 2 and "did you mean ske?" in refused.stderr


def test_a_key_given_as_an_option_is_told_how_to_be_set(ietool: Ietool) -> None:
    for option, setting in (("--epochs", "training.epochs"), ("--batch-size", "training.batch_size")):
        done = ietool("train", "--recipe", "ske", option, "1")
        assert done.returncode == 2
        assert f"it is a key of recipes: --set {setting}=VALUE" in done.stderr
    assert "--help" in ietool("train", "--recipe", "ske", "--nothing-like-it").stderr


def test_show_prints_the_file(ietool: Ietool) -> None:
    assert ietool("recipes", "show", "ske").stdout == paths.shipped_recipes()["ske"].read_text(encoding="utf-8")


def test_show_json_is_the_resolved_recipe(ietool: Ietool) -> None:
    assert json.loads(ietool("recipes", "show", "ske", "--json").stdout) == load_recipe("ske").model_dump(mode="json")


def test_show_names_the_nearest(ietool: Ietool) -> None:
    done = ietool("recipes", "show", "skee")
    assert done.returncode == 2
    assert "did you mean ske?" in done.stderr


def test_copy_edit_validate(ietool: Ietool, tmp_path: Path) -> None:
    assert ietool("recipes", "copy", "ske", "my.yaml").returncode == 0
    mine = tmp_path / "my.yaml"
    mine.write_text(mine.read_text(encoding="utf-8").replace("batch_size: 32 ", "batch_size: 7 "), encoding="utf-8")

    again = ietool("recipes", "copy", "ske", "my.yaml")
    assert again.returncode == 2
    assert "--force" in again.stderr
    assert "batch_size: 7 " in mine.read_text(encoding="utf-8")

    valid = ietool("recipes", "validate", "my.yaml")
    assert valid.returncode == 0
    assert "training.batch_size = 7" in valid.stdout
    assert json.loads(ietool("recipes", "validate", "my.yaml", "--json").stdout)["differences"] == {
        "training.batch_size": 7
    }

    assert ietool("recipes", "copy", "ske", "my.yaml", "--force").returncode == 0
    assert "batch_size: 32 " in mine.read_text(encoding="utf-8")


def test_validate_names_file_line_key_and_nearest(ietool: Ietool, tmp_path: Path) -> None:
    (tmp_path / "my.yaml").write_text("name: mine\ntask: ske\ntraining:\n  epoch: 3\n", encoding="utf-8")
    done = ietool("recipes", "validate", "my.yaml")
    assert done.returncode == 2
    assert done.stderr == "error: my.yaml:4: training.epoch: there is no such key → did you mean training.epochs?\n"


def test_copy_into_a_folder_is_refused(ietool: Ietool, tmp_path: Path) -> None:
    done = ietool("recipes", "copy", "ske", tmp_path)
    assert done.returncode == 2
    assert "ske.yaml" in done.stderr
