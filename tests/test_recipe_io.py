"""Recipes in files: loading, overrides, errors, comparing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ietool.errors import UserError
from ietool.recipe_io import differences, find_recipe, load_recipe, save_recipe

HEAD = "name: mine\ntask: ner\n"


def write(folder: Path, text: str) -> Path:
    path = folder / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_shipped_by_name() -> None:
    recipe = load_recipe("ner-crf")
    assert (recipe.name, recipe.task) == ("ner-crf", "ner")


def test_every_key_has_a_default(tmp_path: Path) -> None:
    assert load_recipe(write(tmp_path, HEAD)).training.batch_size == 64


def test_empty_section_means_the_defaults(tmp_path: Path) -> None:
    assert load_recipe(write(tmp_path, HEAD + "training:\n  # epochs: 3\n")).training.epochs == 20


def test_byte_order_mark_and_crlf(tmp_path: Path) -> None:
    path = tmp_path / "windows.yaml"
    path.write_bytes(b"\xef\xbb\xbfname: mine\r\ntask: ske\r\ntraining:\r\n  epochs: 3\r\n")
    assert load_recipe(path).training.epochs == 3


@pytest.mark.parametrize(
    ("override", "value"),
    [
        ("training.learning_rate=5e-4", 5e-4),
        ("training.learning_rate=1", 1.0),
        ("training.epochs=3", 3),
        ("training.tensorboard=true", True),
        ("training.schedule=linear", "linear"),
        ("model.encoder.dilations=[1, 2, 5]", [1, 2, 5]),
        ("model.encoder.word_vectors=vectors/words.txt", Path("vectors/words.txt")),
        ("model.encoder.word_vectors=null", None),
    ],
)
def test_overrides_are_typed(override: str, value: Any) -> None:
    recipe: Any = load_recipe("ner-crf", [override])
    found = recipe
    for key in override.split("=")[0].split("."):
        found = getattr(found, key)
    assert (found, type(found)) == (value, type(value)) or (isinstance(value, Path) and found == value)


def test_overrides_reach_into_lists_and_the_last_one_counts() -> None:
    recipe = load_recipe(
        "ner-crf",
        [
            "training.later_stages=[{epochs: 2, learning_rate: 1e-4}]",
            "training.later_stages.0.epochs=4",
            "training.seed=1",
            "training.seed=2",
        ],
    )
    assert (recipe.training.later_stages[0].epochs, recipe.training.later_stages[0].learning_rate) == (4, 1e-4)
    assert recipe.training.seed == 2


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("training.learning_rat=3", ("training.learning_rat", "did you mean training.learning_rate?")),
        ("learning_rate=3", ("did you mean training.learning_rate?",)),
        ("training.epochs=many", ("training.epochs", "integer", "'many'", "10")),
        ("training.epochs=0", ("training.epochs", "greater than 0")),
        ("training.precision=fp8", ("'bf16'",)),
        ("training.epochs.x=3", ("training.epochs is a value",)),
        ("training.later_stages.0.epochs=3", ("0 items",)),
        ("training.epochs", ("has no value",)),
        ("training.epochs=[", ("cannot be read",)),
        ("task=foo", ("no task is called 'foo'",)),
    ],
)
def test_wrong_overrides_are_one_line(override: str, words: tuple[str, ...]) -> None:
    with pytest.raises(UserError) as caught:
        load_recipe("ner-crf", [override])
    assert "ner-crf.yaml" not in str(caught.value)  # the file is right, the command line is wrong
    assert all(word in str(caught.value) for word in words), str(caught.value)


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        (HEAD + "training:\n  epoch: 3\n", 4, ("training.epoch", "did you mean training.epochs?")),
        (HEAD + "epochs: 3\n", 3, ("did you mean training.epochs?",)),
        (HEAD + "training:\n  seed: 1\n  epochs: few\n", 5, ("training.epochs", "'few'")),
        (HEAD + "training:\n  seed: 1\n  seed: 2\n", 5, ("'seed' occurs twice",)),
        (HEAD + "training: [1, 2\n", 4, ("YAML",)),
        (HEAD + "a: &x 1\nb: *x\n", 4, ("alias",)),
        (HEAD + "training: !!python/object/apply:os.system [id]\n", 3, ("YAML",)),
        (HEAD + "training:\n  later_stages:\n    - epochs: 2\n      rate: 1\n", 6, ("later_stages.0.rate",)),
        (HEAD + "3: x\n", 3, ("quotes",)),
        ("name: mine\n", None, ("task", "is missing")),
        ("name: mine\ntask: nre\n", 2, ("no task is called 'nre'",)),
        ("task: ner\n", None, ("name: is missing",)),
        ("name: A B\ntask: ner\n", 1, ("name",)),
        ("", None, ("is no recipe",)),
        ("just words\n", None, ("is no recipe",)),
    ],
)
def test_wrong_files_name_line_and_key(tmp_path: Path, text: str, line: int | None, words: tuple[str, ...]) -> None:
    path = write(tmp_path, text)
    with pytest.raises(UserError) as caught:
        load_recipe(path)
    assert str(caught.value).startswith(f"{path}:{line}: " if line else f"{path}: "), str(caught.value)
    assert "\n" not in str(caught.value)
    assert all(word in str(caught.value) for word in words), str(caught.value)


def test_not_utf8(tmp_path: Path) -> None:
    path = tmp_path / "gbk.yaml"
    path.write_bytes("name: mine\ntitle: 三元组\n".encode("gbk"))
    with pytest.raises(UserError, match="UTF-8"):
        load_recipe(path)


def test_several_problems_are_counted(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="and 1 more problem"):
        load_recipe(write(tmp_path, HEAD + "training:\n  epochs: few\n  seed: x\n"))


def test_unknown_names_and_missing_files() -> None:
    with pytest.raises(UserError, match="did you mean ske"):
        find_recipe("skee")
    with pytest.raises(UserError, match="no such recipe file"):
        find_recipe("nowhere.yaml")


def test_save_and_load_again(tmp_path: Path) -> None:
    recipe = load_recipe("ner-crf", ["training.learning_rate=1e-5", "data.word_vectors=a b/词.txt"])
    save_recipe(recipe, tmp_path / "saved.yaml")
    assert load_recipe(tmp_path / "saved.yaml") == recipe


@example(rate=1.0, title="ù\x85Óc", seed=0)
@example(rate=1.0, title="a\u2028b\r\ufeffc", seed=0)
@given(rate=st.floats(1e-300, 1e300), title=st.text(), seed=st.integers(0, 2**32 - 1))
def test_saving_loses_nothing(tmp_path_factory: pytest.TempPathFactory, rate: float, title: str, seed: int) -> None:
    recipe = load_recipe("ner-crf").model_copy(deep=True)
    recipe.training.learning_rate, recipe.title, recipe.training.seed = rate, title, seed
    path = tmp_path_factory.mktemp("saved") / "saved.yaml"
    save_recipe(recipe, path)
    assert load_recipe(path) == recipe


def test_differences() -> None:
    base = load_recipe("ner-crf")
    recipe = load_recipe(
        "ner-crf", ["training.epochs=3", "model.encoder.dilations=[1]", "title=x", "training.learning_rate=0.00005"]
    )
    assert differences(recipe, base) == {"training.epochs": 3, "model.encoder.dilations": [1]}
    assert differences(base, base) == {}


def test_differences_of_another_kind() -> None:
    recipe = load_recipe("ner-crf", ["model.head=globalpointer", "model.encoder=folder"])
    found = differences(recipe, load_recipe("ner-crf"))
    assert found["model.head.kind"] == "globalpointer" and found["model.encoder.name"] == "folder"
    # What the base has and the recipe has not.
    assert found["model.head.tags"] is None and found["model.encoder.hidden_size"] is None


def test_run_folder_as_recipe(tmp_path: Path) -> None:
    save_recipe(load_recipe("ner-crf", ["training.seed=5"]), tmp_path / "recipe.yaml")
    assert load_recipe(tmp_path).training.seed == 5
