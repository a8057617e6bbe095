"""The models behind ``model.head``, and how a run folder tells which one it holds."""

from __future__ import annotations

import json
from pathlib import Path

from transformers import PreTrainedModel

from ietool.nn.pretrained import open_pretrained
from ietool.tasks.qa.heads.mlm import model as mlm
from ietool.tasks.qa.heads.reader import model as reader
from ietool.tasks.qa.heads.span import model as span
from ietool.tasks.qa.prepare.preparation import LABELLED
from ietool.tasks.qa.recipe import QaRecipe


def build(recipe: QaRecipe, prepared: Path) -> PreTrainedModel:
    """A fresh model of the recipe's head, with word vectors or pretrained weights in place.

    Raises:
        UserError: the encoder cannot be had.
    """
    labels = (prepared / LABELLED).is_file()
    if recipe.model.head == "span":
        return span.build_model(recipe, prepared, labels)
    if recipe.model.head == "mlm":
        return mlm.build_model(recipe, prepared)
    return reader.build_model(recipe, prepared, labels)


def open_model(run: Path) -> PreTrainedModel:
    """The model of a run folder. Raises UserError if its files are damaged."""
    try:
        kind = json.loads((run / "config.json").read_text(encoding="utf-8"))["model_type"]
    except (OSError, ValueError, LookupError, TypeError):
        kind = ""  # opening it will say what is wrong
    if kind == span.SpanConfig.model_type:
        return open_pretrained(span.SpanModel, run)
    if kind == mlm.MaskConfig.model_type:
        return open_pretrained(mlm.MaskModel, run)
    return open_pretrained(reader.QaModel, run)
