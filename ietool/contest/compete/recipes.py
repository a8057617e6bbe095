"""The recipes of a competition in its folder: what was looked at and measured is what is trained, whatever becomes of
the files that were named, and from wherever it goes on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ietool.recipe import Recipe
from ietool.recipe_io import save_recipe

RECIPES = "recipes"


def names_of(recipes: Sequence[Recipe]) -> list[str]:
    """What recipes are called within a competition: by their own names, a further one of a name with a number."""
    names: list[str] = []
    own = {recipe.name for recipe in recipes}
    for recipe in recipes:
        name, number = recipe.name, 1
        while name in names or (number > 1 and name in own):
            number += 1
            name = f"{recipe.name}-{number}"
        names.append(name)
    return names


def kept_recipe(folder: Path, name: str) -> Path:
    """The file of a recipe in the folder of a competition."""
    return folder / RECIPES / f"{name}.yaml"


def keep_recipes(folder: Path, recipes: Sequence[Recipe]) -> list[str]:
    """Write recipes, settings and all, into the folder of a competition; gives their names there."""
    names = names_of(recipes)
    (folder / RECIPES).mkdir(exist_ok=True)
    for name, recipe in zip(names, recipes, strict=True):
        save_recipe(recipe, kept_recipe(folder, name))
    return names
