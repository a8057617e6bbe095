"""Settings for many recipes at once: those that a recipe's head and encoder have no use for are left out."""

from __future__ import annotations

from collections.abc import Sequence

from ietool.recipe_io import load_recipe
from ietool.recipe_keys import is_kind, keys_of, today
from ietool.registry import get_task


def acting(recipe: str, general: Sequence[str], settings: Sequence[str]) -> list[str]:
    """Some settings without those of the ``general`` ones that do not act for the head and the encoder they choose."""
    kinds = [setting for setting in settings if is_kind(setting.partition("=")[0])]
    plain = load_recipe(recipe, kinds)
    task, data = get_task(plain.task), plain.model_dump(mode="json")
    own = set(keys_of(type(plain), data))
    return [s for s in settings if s not in general or s in kinds or today(task, data, s.partition("=")[0]) in own]
