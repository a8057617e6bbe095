"""With which knowledge base a reader links: the one trained with, or another that the recipe names."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ietool.tasks.el.features.assets import KB
from ietool.tasks.el.kb.knowledge_base import KnowledgeBase, open_any
from ietool.tasks.el.recipe import ElRecipe


def chosen_base(recipe: ElRecipe, model: Any, assets: Path) -> tuple[KnowledgeBase | None, Sequence[str]]:
    """The knowledge base of ``decode.kb``, if there is one, and what the user should know of it."""
    if recipe.decode.kb is None:
        return None, ()
    kb, own = open_any(recipe.decode.kb), KnowledgeBase.open(assets / KB)
    if kb.fingerprint == own.fingerprint:
        return kb, ()
    note = (
        f"the knowledge base {recipe.decode.kb} ({kb.info.entities:,} entities) is not the one trained with "
        f"({own.info.entities:,} entities): what training learnt of names and ids that it lacks is of no use"
    )
    unknown = ", and tokens that it alone has are unknown" if getattr(model.config, "token_rows", 0) else ""
    return kb, (note + unknown,)
