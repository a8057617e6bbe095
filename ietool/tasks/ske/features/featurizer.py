"""A text as the model's input: its units, and prior marks."""

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
from ietool.tasks.ske.data.schema import Schema
from ietool.tasks.ske.features.prior import NAMES, ROWS, Fact, PriorIndex
from ietool.tasks.ske.recipe import SkeRecipe
from ietool.text.readers import copy_reader, open_reader
from ietool.text.units import UnitReader, Units

SCHEMA, RULES = "schema.json", "rules.yaml"


@dataclass(frozen=True)
class Features:
    """One text or window; ``prior`` is (n, 5) rows of half-open spans of its units."""

    units: Units
    prior: npt.NDArray[np.int32]


class Featurizer:
    """Everything that turns a text into features; opened from a prepared folder or a run folder."""

    def __init__(self, reader: UnitReader, schema: Schema, prior: PriorIndex | None) -> None:
        self.reader, self.schema, self.prior = reader, schema, prior
        self.labels = {label: i for i, label in enumerate(schema.labels)}

    @classmethod
    def open(cls, folder: Path, *, priors: bool, compact: bool = False) -> Featurizer:
        """From what :func:`copy_assets` copies; ``compact`` as in :class:`PriorIndex`."""
        return cls(
            open_reader(folder),
            Schema.load(folder / SCHEMA),
            PriorIndex(folder, compact=compact) if priors else None,
        )

    def encode(self, text: str, own: Collection[Fact] = ()) -> Features:
        """Features of a text; ``own`` as in :meth:`PriorIndex.find`."""
        return self.encode_all([text], [own])[0]

    def encode_all(self, texts: Sequence[str], owns: Sequence[Collection[Fact]]) -> list[Features]:
        """:meth:`encode` for several texts at once, which a compact index needs to be fast."""
        found = [np.zeros((0, 5), np.int32)] * len(texts)
        if self.prior is not None:
            one = len(texts) == 1
            found = [self.prior.find(texts[0], owns[0])] if one else self.prior.find_all(texts, owns)
        units = self.reader.units_all(texts)
        return [Features(u, unit_rows(u, prior)[0]) for u, prior in zip(units, found, strict=True)]


def unit_rows(units: Units, rows: npt.NDArray[np.int32]) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.bool_]]:
    """Rows (subject start, end, label, object start, end) of characters as rows of units.

    Returns:
        The rows that units can express, and which of the given ones those are.
    """
    rows = rows.reshape(-1, 5)
    spans = units.spans_of(rows[:, [0, 1, 3, 4]].reshape(-1, 2)).reshape(-1, 4)
    kept: npt.NDArray[np.bool_] = np.all(spans >= 0, axis=1)
    label = rows[kept, 2][:, None].astype(np.int32)
    return np.concatenate([spans[kept, :2], label, spans[kept, 2:]], 1).astype(np.int32), kept


@cache
def read_assets_schema(folder: Path) -> Schema:
    """The schema that a prepared folder or run folder carries."""
    return Schema.load(folder / SCHEMA)


def copy_assets(recipe: SkeRecipe, source: Path, target: Path) -> None:
    """What a run folder carries: everything :meth:`Featurizer.open` reads, and the recipe's rule file."""
    copy_reader(source, target)
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
