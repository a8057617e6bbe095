"""A predictor from a model and the folder beside it, which must belong together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ietool.errors import UserError
from ietool.tasks.el.features.assets import KB, read_nil_types
from ietool.tasks.el.features.featurizer import Featurizer
from ietool.tasks.el.features.traits import TYPES
from ietool.tasks.el.heads.cross.decode import ElCrossPredictor
from ietool.tasks.el.heads.predictor import ElPredictor
from ietool.tasks.el.kb.knowledge_base import KnowledgeBase, open_any
from ietool.tasks.el.recipe import ElRecipe
from ietool.text.encoding import CHARACTERS, WORDS
from ietool.text.tokens import TokenReader
from ietool.text.units import TOKENIZER


def open_predictor(recipe: ElRecipe, model: Any, assets: Path) -> ElPredictor:
    """A predictor with the features that a run folder or prepared folder carries, or with ``decode.kb``.

    Raises:
        UserError: they belong to another model, or the knowledge base cannot be opened.
    """
    notes, kb = [], None
    if recipe.decode.kb is not None:
        kb = open_any(recipe.decode.kb)
        own = KnowledgeBase.open(assets / KB)
        if kb.fingerprint != own.fingerprint:
            notes.append(
                f"the knowledge base {recipe.decode.kb} ({kb.info.entities:,} entities) is not the one trained with "
                f"({own.info.entities:,} entities): what training learnt of names and ids that it lacks is of no use"
                + (", and tokens that it alone has are unknown" if getattr(model.config, "token_rows", 0) else "")
            )
    featurizer = Featurizer.open(recipe, assets, kb)
    types = read_nil_types(assets) if recipe.data.nil == "keep" else []
    config = model.config
    words = featurizer.encoder.word_rows
    cross = recipe.model.head == "cross"
    wrong = {
        CHARACTERS: not cross and len(featurizer.encoder.vocabulary) != config.characters,
        TOKENIZER: cross and not _reads(featurizer, config),
        WORDS: words > config.words or (words > 0) != (config.words > 0),
        TYPES: len(featurizer.types) != config.types,
        "recipe.yaml": len(types) != config.nil_types,
    }
    for name, is_wrong in wrong.items():
        if is_wrong:
            raise UserError("does not fit the model beside it", file=assets / name, mend="train again")
    if cross:
        return ElCrossPredictor(recipe, model, featurizer, types, notes)
    return ElPredictor(recipe, model, featurizer, types, notes)


def _reads(featurizer: Featurizer, config: Any) -> bool:
    """Whether a model's encoder knows all that a reader gives."""
    return isinstance(featurizer.reader, TokenReader) and featurizer.reader.size <= config.encoder["vocab_size"]
