"""Predictions in the form of the input."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from ietool.tasks.ner.data.forms.cluener import format_record
from ietool.tasks.ner.data.forms.cmeee import format_line
from ietool.tasks.ner.data.forms.recognise import CLUENER, CMEEE, RECORDS
from ietool.tasks.ner.data.forms.tokens import format_sentence
from ietool.tasks.ner.data.schemes import SCHEMES
from ietool.tasks.ner.features.featurizer import Labels

if TYPE_CHECKING:
    from ietool.tasks.ner.heads.decoder import Recognised


def format_prediction(prediction: Recognised, assets: Path) -> str:
    """One prediction, with its line ends: a line of JSON or of CMeEE, or the lines of a sentence and the blank one
    behind it, in the scheme of the training file (BIO where that had a text a line)."""
    example = prediction.example
    if example.form in ("", CLUENER):
        return format_record(example, prediction.plain) + "\n"
    if example.form == CMEEE:
        return format_line(example.text, prediction.plain) + "\n"
    labels = _labels(assets)
    scheme = SCHEMES["bio" if labels.form in RECORDS else labels.form]
    return format_sentence(example, prediction.plain, scheme, labels.separator)


@lru_cache(8)
def _labels(folder: Path) -> Labels:
    return Labels.load(folder)
