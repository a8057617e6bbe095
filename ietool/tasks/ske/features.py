"""A text as the model's input: ids of characters, words and parts of speech, and prior marks."""

from __future__ import annotations

import shutil
from collections.abc import Collection
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ietool import paths
from ietool.errors import UserError
from ietool.tasks.ske.prior import NAMES, ROWS, Fact, PriorIndex
from ietool.tasks.ske.recipe import SkeRecipe
from ietool.tasks.ske.schema import Schema
from ietool.text.characters import CharVocabulary
from ietool.text.segmentation import words as segment

CHARACTERS, WORDS, VECTORS, SCHEMA = "characters.txt", "words.txt", "word_vectors.npy", "schema.json"
RULES = "rules.yaml"


@dataclass(frozen=True)
class Features:
    """One text or window. ``characters``, ``words`` and ``tags`` are (L,); ``prior`` is (n, 5) rows of half-open spans."""

    characters: npt.NDArray[np.int32]
    words: npt.NDArray[np.int32]
    tags: npt.NDArray[np.uint8]
    prior: npt.NDArray[np.int32]


class Featurizer:
    """Everything that turns a text into features; opened from a prepared folder or a run folder."""

    def __init__(
        self, vocabulary: CharVocabulary, schema: Schema, word_rows: dict[str, int] | None, prior: PriorIndex | None
    ) -> None:
        self.vocabulary, self.schema, self.prior = vocabulary, schema, prior
        self.labels = {label: i for i, label in enumerate(schema.labels)}
        self._word_rows = word_rows

    @classmethod
    def open(cls, folder: Path, *, priors: bool) -> Featurizer:
        word_rows = None
        if (folder / WORDS).is_file():
            word_rows = {w: i for i, w in enumerate((folder / WORDS).read_text(encoding="utf-8").split("\n"), 1) if w}
        return cls(
            CharVocabulary.load(folder / CHARACTERS),
            Schema.from_json((folder / SCHEMA).read_text(encoding="utf-8")),
            word_rows,
            PriorIndex(folder) if priors else None,
        )

    def encode(self, text: str, own: Collection[Fact] = ()) -> Features:
        """Features of a text; ``own`` as in :meth:`PriorIndex.find`."""
        characters = self.vocabulary.encode(text)
        words = np.zeros(len(text), np.int32)
        tags = np.zeros(len(text), np.uint8)
        at = 0
        rows = self._word_rows
        for word, tag in segment(text):
            end = at + len(word)
            tags[at:end] = tag
            if rows is not None:
                # Row 0 is the zero vector of words without one.
                words[at:end] = rows.get(word) or rows.get(word.lower(), 0)
            at = end
        prior = self.prior.find(text, own) if self.prior is not None else np.zeros((0, 5), np.int32)
        return Features(characters, words, tags, prior)


@cache
def read_assets_schema(folder: Path) -> Schema:
    """The schema that a prepared folder or run folder carries."""
    return Schema.from_json((folder / SCHEMA).read_text(encoding="utf-8"))


def copy_assets(recipe: SkeRecipe, source: Path, target: Path) -> None:
    """What a run folder carries: everything :meth:`Featurizer.open` reads, and the recipe's rule file."""
    prior = (ROWS, NAMES) if recipe.model.priors else ()
    for name in (CHARACTERS, WORDS, SCHEMA, *prior):
        if (source / name).is_file():
            shutil.copyfile(source / name, target / name)
    if recipe.decode.rules is not None:
        shutil.copyfile(find_rules(recipe.decode.rules), target / RULES)


def find_rules(name: str) -> Path:
    """The rule file of a name under ``recipes/rules`` or a path. Raises UserError if there is none."""
    shipped = paths.recipes_folder() / "rules" / f"{name}.yaml"
    if shipped.is_file() and Path(name).name == name:
        return shipped
    if not Path(name).is_file():
        raise UserError(f"no rule file {name!r}", field="decode.rules", mend="name one of recipes/rules or give a path")
    return Path(name)
