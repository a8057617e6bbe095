"""A text as the model's input: ids of characters, words and parts of speech, and prior marks."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Sequence
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
from ietool.text.encoding import TextEncoder, copy_vocabulary

SCHEMA, RULES = "schema.json", "rules.yaml"


@dataclass(frozen=True)
class Features:
    """One text or window: ``characters``, ``words``, ``tags`` are (L,); ``prior`` is (n, 5) rows of half-open spans."""

    characters: npt.NDArray[np.int32]
    words: npt.NDArray[np.int32]
    tags: npt.NDArray[np.uint8]
    prior: npt.NDArray[np.int32]


class Featurizer:
    """Everything that turns a text into features; opened from a prepared folder or a run folder."""

    def __init__(self, encoder: TextEncoder, schema: Schema, prior: PriorIndex | None) -> None:
        self.encoder, self.schema, self.prior = encoder, schema, prior
        self.labels = {label: i for i, label in enumerate(schema.labels)}

    @classmethod
    def open(cls, folder: Path, *, priors: bool, compact: bool = False) -> Featurizer:
        """From what :func:`copy_assets` copies; ``compact`` as in :class:`PriorIndex`."""
        return cls(
            TextEncoder.open(folder),
            Schema.load(folder / SCHEMA),
            PriorIndex(folder, compact=compact) if priors else None,
        )

    def encode(self, text: str, own: Collection[Fact] = ()) -> Features:
        """Features of a text; ``own`` as in :meth:`PriorIndex.find`."""
        prior = self.prior.find(text, own) if self.prior is not None else np.zeros((0, 5), np.int32)
        return Features(*self.encoder.ids(text), prior)

    def encode_all(self, texts: Sequence[str], owns: Sequence[Collection[Fact]]) -> list[Features]:
        """:meth:`encode` for several texts at once, which a compact index needs to be fast."""
        found = (
            self.prior.find_all(texts, owns) if self.prior is not None else [np.zeros((0, 5), np.int32)] * len(texts)
        )
        return [Features(*self.encoder.ids(text), prior) for text, prior in zip(texts, found, strict=True)]


@cache
def read_assets_schema(folder: Path) -> Schema:
    """The schema that a prepared folder or run folder carries."""
    return Schema.load(folder / SCHEMA)


def copy_assets(recipe: SkeRecipe, source: Path, target: Path) -> None:
    """What a run folder carries: everything :meth:`Featurizer.open` reads, and the recipe's rule file."""
    copy_vocabulary(source, target)
    prior = (ROWS, NAMES) if recipe.model.priors else ()
    for name in (SCHEMA, *prior):
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
