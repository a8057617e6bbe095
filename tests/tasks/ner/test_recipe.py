"""The recipes of named entities: their files hold the keys that act, all of them and no others."""

from __future__ import annotations

from typing import Any

import pytest

from ietool import paths
from ietool.files import yaml_io
from ietool.recipe_io import load_recipe
from ietool.recipe_keys import keys_of

NAMES = ("ner-crf", "ner-globalpointer")


def held(data: Any, prefix: str = "") -> set[str]:
    """Dotted keys of values in nested dictionaries."""
    if not isinstance(data, dict) or not data:
        return {prefix.removesuffix(".")}
    return set[str]().union(*(held(inner, f"{prefix}{key}.") for key, inner in data.items()))


@pytest.mark.parametrize("name", NAMES)
def test_a_file_shows_every_key_of_data_model_and_decode(name: str) -> None:
    data, _, _ = yaml_io.read(paths.shipped_recipes()[name])
    recipe = load_recipe(name)
    acting = set(keys_of(type(recipe), data))
    sections = {key.rpartition(".")[0] for key in acting}
    own = {key for key in acting - sections if key.split(".")[0] in ("data", "model", "decode", "score")}
    assert {key for key in held(data) if key.split(".")[0] in ("data", "model", "decode", "score")} == own
    assert held(data) <= acting


@pytest.mark.parametrize("name", NAMES)
def test_values_are_those_of_the_first_recipes(name: str) -> None:
    """By the keys of that time; nothing that acts has changed."""
    recipe: Any = load_recipe(name)
    encoder, head = recipe.model.encoder, recipe.model.head
    assert (recipe.data.window, recipe.data.overlap, recipe.data.form, recipe.data.held_out) == (256, 64, "auto", 0.1)
    assert (encoder.kind, encoder.hidden_size, encoder.positions, encoder.part_of_speech) == (
        "characters",
        128,
        0,
        True,
    )
    assert encoder.dilations == [1, 2, 5, 1, 2, 5, 1, 1, 1]
    assert (encoder.embedding_dropout, encoder.gate_dropout, head.dropout) == (0.25, 0.1, 0.1)
    assert recipe.decode.batch_size == 64 and recipe.score.metric == "auto"
    training = recipe.training
    assert (training.epochs, training.learning_rate, training.head_learning_rate) == (10, 5e-5, 1e-3)
    assert (training.batch_size, training.schedule, training.weight_decay, training.patience) == (32, "linear", 0.01, 4)
    if name == "ner-crf":
        assert (head.kind, head.tags, head.transition_scale, recipe.decode.threshold) == ("crf", "bioes", 1.0, 0.0)
    else:
        assert (head.kind, head.size, recipe.decode.threshold) == ("globalpointer", 64, 0.5)
