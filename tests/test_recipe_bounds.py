"""Numbers beyond any machine are refused as a recipe is read."""

from __future__ import annotations

from typing import Any

import pytest

from ietool.errors import UserError
from ietool.recipe import LARGEST
from ietool.recipe_io import load_recipe
from ietool.recipe_keys import at, keys_of


@pytest.mark.parametrize("name", ["ske", "el-cross", "qa-mlm"])
def test_no_number_is_without_bounds(name: str) -> None:
    recipe = load_recipe(name)
    keys = keys_of(type(recipe), recipe.model_dump(mode="json"))
    numbers: dict[str, Any] = {key: at(recipe.model_dump(mode="json"), key) for key in keys}
    tried = 0
    for key, value in numbers.items():
        values = []
        if isinstance(value, int) and not isinstance(value, bool):
            values = ["99999999999999999999"]
        elif isinstance(value, float):
            values = [".inf", ".nan"]
        elif isinstance(value, list) and value and isinstance(value[0], int):
            values = ["[99999999999999999999]"]
        for wrong in values:
            tried += 1
            with pytest.raises(UserError) as told:
                load_recipe(name, [f"{key}={wrong}"])
            assert key in str(told.value) and "→" in str(told.value)
    assert tried > 20
    assert load_recipe(name, [f"training.seed={LARGEST}"]).training.seed == LARGEST
