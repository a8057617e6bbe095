"""A text as the pieces that the model reads, what it is taught to find in them, and what a run must carry for that."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations_with_replacement
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ietool.errors import WHOLE, UserError, cause
from ietool.tasks.events.data.example import TRIGGER, Example
from ietool.tasks.events.data.schema import Schema
from ietool.tasks.events.recipe import EventsRecipe
from ietool.text.pieces import Piece, cut_pieces
from ietool.text.readers import copy_reader, open_reader
from ietool.text.units import UnitReader

LABELS = "labels.json"

Label = tuple[str, str]
"""(type of event, role); the trigger is a role, too."""


@dataclass(frozen=True)
class Labels:
    """What a model was taught: every type of event with its roles, the trigger first."""

    names: tuple[Label, ...]

    @classmethod
    def of(cls, schema: Schema, before: Labels | None = None) -> Labels:
        """Those of a schema, behind those that another run has numbered already."""
        found = [(kind, role) for kind, roles in schema.roles.items() for role in (TRIGGER, *roles)]
        return cls(tuple(dict.fromkeys((*(before.names if before else ()), *found))))

    @cached_property
    def numbers(self) -> dict[Label, int]:
        """Label → its number."""
        return {label: number for number, label in enumerate(self.names)}

    @cached_property
    def types(self) -> tuple[str, ...]:
        """Of events, in the order of the labels."""
        return tuple(dict.fromkeys(kind for kind, _ in self.names))

    @cached_property
    def roles(self) -> tuple[str, ...]:
        """Of arguments, whatever the type, each once."""
        return tuple(dict.fromkeys(role for _, role in self.names if role != TRIGGER))

    @cached_property
    def type_of(self) -> npt.NDArray[np.int64]:
        """(labels,): which of the types each is of."""
        return np.array([self.types.index(kind) for kind, _ in self.names], np.int64)

    @cached_property
    def role_of(self) -> npt.NDArray[np.int64]:
        """(labels,): which of the roles each has; −1 for triggers."""
        numbers = {role: number for number, role in enumerate(self.roles)}
        return np.array([numbers.get(role, -1) for _, role in self.names], np.int64)

    @cached_property
    def of_role(self) -> npt.NDArray[np.int64]:
        """(types, 1 + roles): the label of a role of a type, −1 where it has none such; the trigger comes first."""
        table = np.full((len(self.types), 1 + len(self.roles)), -1, np.int64)
        table[self.type_of, self.role_of + 1] = np.arange(len(self.names))
        return table

    @cached_property
    def ties(self) -> Ties:
        """The numbers of what rows of candidates speak of."""
        return Ties(self)

    def save(self, folder: Path) -> None:
        """Write what :meth:`load` reads."""
        (folder / LABELS).write_text(json.dumps(self.names, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Labels:
        """From a prepared folder or run folder. Raises UserError if the file is missing or damaged."""
        path = folder / LABELS
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            names = tuple((kind, role) for kind, role in data)
            if not names or not all(isinstance(x, str) for name in names for x in name):
                raise ValueError("something is no string")
            if len(set(names)) < len(names) or any((kind, TRIGGER) not in names for kind, _ in names):
                raise ValueError("something is twice, or has no trigger")
        except FileNotFoundError:
            raise UserError("is missing", file=path, mend=WHOLE) from None
        except (OSError, ValueError, TypeError) as error:
            raise UserError(f"is no list of types and roles ({cause(error)})", file=path, mend=WHOLE) from None
        return cls(names)


class Ties:
    """What rows of candidates speak of, by one number: a span as (type, role), or two spans as (type, role, role), the
    roles in the order of their strings, so that runs that number labels otherwise have the same names.

    Attributes:
        names: of all, those of single spans first, which have the numbers of their labels.
        pair: (labels, labels) → number; −1 for two labels that are not of one type.
        first, second: (ties,) the labels of each; the same twice for single spans.
    """

    def __init__(self, labels: Labels) -> None:
        count = len(labels.names)
        self.names: list[tuple[str, ...]] = list(labels.names)
        self.pair = np.full((count, count), -1, np.int64)
        first, second = list(range(count)), list(range(count))
        for kind in range(len(labels.types)):
            mine = sorted(np.flatnonzero(labels.type_of == kind).tolist(), key=lambda n: labels.names[n][1])
            for a, b in combinations_with_replacement(mine, 2):
                self.pair[a, b] = self.pair[b, a] = len(self.names)
                self.names.append((*labels.names[a], labels.names[b][1]))
                first.append(a)
                second.append(b)
        self.first, self.second = np.array(first, np.int64), np.array(second, np.int64)
        self.singles = count
        """How many are of single spans: the first ones."""
        rank = np.zeros(count, np.int64)
        rank[sorted(range(count), key=lambda n: labels.names[n][1])] = np.arange(count)
        self.rank = rank
        """(labels,): which of two comes first."""


class Featurizer:
    """Turns texts into pieces; opened from a prepared folder or a run folder."""

    def __init__(self, reader: UnitReader, window: int, overlap: int) -> None:
        self.reader, self.window, self.overlap = reader, window, overlap

    @classmethod
    def open(cls, recipe: EventsRecipe, folder: Path) -> Featurizer:
        return cls(open_reader(folder), recipe.data.window, recipe.data.overlap)

    def cut(self, examples: Sequence[Example]) -> Iterator[tuple[int, Piece]]:
        """The windows of some examples, each with the number of its example."""
        return ((piece.text, piece) for piece in self.pieces([example.text for example in examples]))

    def pieces(self, texts: Sequence[str]) -> list[Piece]:
        """The windows of some texts; see :func:`ietool.text.pieces.cut_pieces`."""
        return cut_pieces(self.reader, texts, self.window, self.overlap)


def copy_assets(source: Path, target: Path) -> None:
    """What a run folder carries: everything :meth:`Featurizer.open` and :meth:`Labels.load` read."""
    copy_reader(source, target)
    shutil.copyfile(source / LABELS, target / LABELS)
