"""The models by head: a fresh one, one of a run folder, and a predictor from a folder."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path
from typing import cast

from ietool import yaml_io
from ietool.errors import WHOLE, UserError
from ietool.nn.encoder import encoder_settings, load_encoder
from ietool.nn.pretrained import open_pretrained
from ietool.tasks.ske.features.featurizer import RULES, SCHEMA, Featurizer, find_rules
from ietool.tasks.ske.features.prior import ROWS
from ietool.tasks.ske.heads.base import SkeConfig, SkeModel
from ietool.tasks.ske.heads.gplinker.config import LinkConfig
from ietool.tasks.ske.heads.predictor import SkePredictor
from ietool.tasks.ske.heads.stages.config import CascadeConfig, GraphConfig
from ietool.tasks.ske.recipe import SkeRecipe
from ietool.tasks.ske.rules.files import load_rules
from ietool.text.encoding import CHARACTERS, WORDS, TextEncoder
from ietool.text.units import TOKENIZER

HEADS: dict[str, tuple[type[SkeConfig], str]] = {
    "graph": (GraphConfig, "ietool.tasks.ske.heads.stages.graph:GraphModel"),
    "cascade": (CascadeConfig, "ietool.tasks.ske.heads.stages.cascade:CascadeModel"),
    "gplinker": (LinkConfig, "ietool.tasks.ske.heads.gplinker.model:LinkModel"),
}
"""``model.head`` → its configuration and its model."""


def model_class(head: str) -> type[SkeModel]:
    """The class of a head."""
    module, _, name = HEADS[head][1].partition(":")
    return cast(type[SkeModel], getattr(import_module(module), name))


def build_model(recipe: SkeRecipe, prepared: Path) -> SkeModel:
    """A fresh model of the recipe's sizes, its encoder's weights or the prepared word vectors in place."""
    featurizer = Featurizer.open(prepared, priors=False)
    section = recipe.model
    kind = HEADS[section.head][0]
    own = {
        "graph": ("attention_heads", "attention_head_size", "subject_points"),
        "cascade": ("subject_power", "object_power"),
        "gplinker": ("pointer_size",),
    }[section.head]
    settings = encoder_settings(section, featurizer.reader, prepared) | {name: getattr(section, name) for name in own}
    config = kind(
        labels=len(featurizer.schema.labels),
        priors=section.priors,
        head_dropout=section.head_dropout,
        **settings,
    )
    model = model_class(section.head)(config)
    load_encoder(model.encoder, section, prepared)
    return model


def open_model(run: Path) -> SkeModel:
    """The model of a run folder, of the head that its ``config.json`` names.

    Raises:
        UserError: the folder's files are missing or damaged.
    """
    try:
        kind = json.loads((run / "config.json").read_text(encoding="utf-8")).get("model_type")
    except (OSError, ValueError, AttributeError):
        kind = GraphConfig.model_type  # opening it says what is wrong
    for head, (config, _) in HEADS.items():
        if config.model_type == kind:
            return open_pretrained(model_class(head), run)
    raise UserError(f"is of an unknown model ({kind!r})", file=run / "config.json", mend=WHOLE)


def open_predictor(recipe: SkeRecipe, model: SkeModel, assets: Path) -> SkePredictor:
    """A predictor with the features and rules that a run folder or prepared folder carries.

    Raises:
        UserError: they belong to another model.
    """
    featurizer = Featurizer.open(assets, priors=recipe.model.priors)
    _check_fit(featurizer, model, assets, priors=recipe.model.priors)
    rules = None
    if recipe.decode.apply_rules and recipe.decode.rules is not None:
        own = assets / RULES
        path = own if own.is_file() and _rules_of(assets) == recipe.decode.rules else find_rules(recipe.decode.rules)
        rules = load_rules(path, set(featurizer.schema.relations))
    return SkePredictor(recipe, model, featurizer, rules)


def _rules_of(run: Path) -> str | None:
    """The name of the rules that a run folder carries; others may be asked for in prediction."""
    recipe, _, _ = yaml_io.read(run / "recipe.yaml")
    return cast(str | None, recipe["decode"]["rules"])


def _check_fit(featurizer: Featurizer, model: SkeModel, assets: Path, *, priors: bool) -> None:
    """Raise UserError where files of a folder belong to another model: better than wrong triples, or an index error."""
    config, index, reader = model.config, featurizer.prior, featurizer.reader
    words = reader.word_rows if isinstance(reader, TextEncoder) else 0
    pretrained, sizes = config.encoder is not None, config.encoder or {}
    labels = int(index.rows[:, 1].max()) + 1 if index is not None and len(index.rows) else 0
    wrong = {
        CHARACTERS: not pretrained and (not isinstance(reader, TextEncoder) or reader.size != config.characters),
        TOKENIZER: pretrained and (isinstance(reader, TextEncoder) or reader.size > sizes["vocab_size"]),
        SCHEMA: len(featurizer.schema.labels) != config.labels,
        WORDS: words > config.words or (words > 0) != (config.words > 0),
        "recipe.yaml": priors != config.priors,
        ROWS: labels > config.labels,
    }
    for name, is_wrong in wrong.items():
        if is_wrong:
            raise UserError("does not fit the model beside it", file=assets / name, mend="train again")
