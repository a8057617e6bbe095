"""A fresh model of a recipe, and a predictor from a folder."""

from __future__ import annotations

from pathlib import Path

from ietool.errors import WHOLE, UserError
from ietool.nn.encoder import encoder_settings, load_encoder
from ietool.tasks.ner.features.featurizer import LABELS, Featurizer, Labels
from ietool.tasks.ner.heads.base import NerConfig, NerModel
from ietool.tasks.ner.heads.predictor import NerPredictor
from ietool.tasks.ner.recipe import NerRecipe
from ietool.text.encoding import CHARACTERS, WORDS, TextEncoder
from ietool.text.readers import open_reader
from ietool.text.units import TOKENIZER


def open_predictor(recipe: NerRecipe, model: NerModel, assets: Path) -> NerPredictor:
    """A predictor with the features and types that a run folder or prepared folder carries.

    Raises:
        UserError: they belong to another model.
    """
    featurizer, labels, config = Featurizer.open(recipe, assets), Labels.load(assets), model.config
    if len(labels.types) != config.types:
        raise UserError("does not fit the model beside it", file=assets / LABELS, mend=WHOLE)
    if recipe.model.head != config.head or (config.head == "crf" and recipe.model.tags != config.tag_scheme):
        raise UserError("does not fit the model beside it", file=assets / "recipe.yaml", mend=WHOLE)
    reader = featurizer.reader
    if isinstance(reader, TextEncoder):
        words = reader.word_rows
        if config.encoder is not None or reader.size != config.characters:
            raise UserError("does not fit the model beside it", file=assets / CHARACTERS, mend=WHOLE)
        if words > config.words or (words > 0) != (config.words > 0):
            raise UserError("does not fit the model beside it", file=assets / WORDS, mend=WHOLE)
    elif config.encoder is None or reader.size > int(config.encoder.get("vocab_size", reader.size)):
        raise UserError("does not fit the model beside it", file=assets / TOKENIZER, mend=WHOLE)
    return NerPredictor(recipe, model, featurizer, labels)


def build_model(recipe: NerRecipe, prepared: Path) -> NerModel:
    """A fresh model of the recipe's sizes, with the prepared word vectors or the pretrained weights in place."""
    section = recipe.model
    config = NerConfig(
        types=len(Labels.load(prepared).types),
        head=section.head,
        tag_scheme=section.tags,
        transition_scale=section.transition_scale,
        head_size=section.head_size,
        head_dropout=section.head_dropout,
        **encoder_settings(section, open_reader(prepared), prepared),
    )
    model = NerModel(config)
    load_encoder(model.encoder, section, prepared)
    return model
