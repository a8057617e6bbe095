"""A question and the headers of its table as one input: class symbol, question, class symbol, header, class symbol …"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
from rapidfuzz.fuzz import partial_ratio

from ietool.tasks.nl2sql.data.example import Example
from ietool.tasks.nl2sql.data.holding import by_table
from ietool.tasks.nl2sql.features.marks import (
    CELLS,
    CLASS,
    TEXTS,
    Marks,
    cell_marks,
    header_marks,
    question_marks,
    shared,
)
from ietool.tasks.nl2sql.features.values import Span, values_of
from ietool.tasks.nl2sql.recipe import Nl2sqlRecipe
from ietool.tasks.nl2sql.values.finding import Mention
from ietool.text.readers import copy_reader, open_reader
from ietool.text.units import UnitReader, Units

_HEADERS = 1 << 14
"""Headers whose units are kept."""

QUESTION_SHARE = 0.75
"""Of an input's units, at most, where a long question leaves no room for headers."""


@dataclass(frozen=True)
class Piece:
    """An input of T units: the question, and C of the columns of its table.

    Attributes:
        example: what it is of.
        units: all of them; ``starts`` and ``ends`` count characters of the question, and are 0 elsewhere.
        marks: (T,) bits of :mod:`ietool.tasks.nl2sql.features.marks`.
        cuts: (C + 2,) where the question begins and each header, and the end; a class symbol stands first in each.
        columns: (C,) numbers of the columns, ascending.
        links: (n, 3) of place among these, unit, and why the two belong together, see
            :data:`ietool.tasks.nl2sql.features.marks.TEXTS`.
        shortened: whether the question lost its end.
    """

    example: Example
    units: Units
    marks: Marks
    cuts: npt.NDArray[np.int32]
    columns: npt.NDArray[np.int32]
    links: npt.NDArray[np.int32]
    shortened: bool = False

    def __len__(self) -> int:
        return len(self.units)

    @property
    def left_out(self) -> int:
        """Columns that found no room."""
        return self.example.table.width - len(self.columns)

    @property
    def asked(self) -> npt.NDArray[np.bool_]:
        """(T,): true for units that stand for characters of the question."""
        return self.units.inside

    @property
    def values(self) -> dict[Span, tuple[Mention, ...]]:
        """What the question mentions, see :func:`ietool.tasks.nl2sql.features.values.values_of`."""
        return dict(values_of(self.example.question, self.example.table))


class Featurizer:
    """Turns questions into pieces; opened from a prepared folder or a run folder."""

    def __init__(self, reader: UnitReader, longest: int, *, mark_cells: bool) -> None:
        self.reader, self.mark_cells = reader, mark_cells
        self.longest = min(longest, getattr(reader, "limit", longest))
        self.header_units = lru_cache(_HEADERS)(self._header_units)

    @classmethod
    def open(cls, recipe: Nl2sqlRecipe, folder: Path) -> Featurizer:
        return cls(open_reader(folder), recipe.data.longest, mark_cells=recipe.data.mark_cells)

    def cut(self, examples: Sequence[Example]) -> Iterator[tuple[int, Piece]]:
        """A piece of each example, with its number."""
        return enumerate(self.pieces(examples))

    def pieces(self, examples: Sequence[Example]) -> list[Piece]:
        """A piece of each example."""
        questions = self.reader.units_all([example.question for example in examples])
        order = by_table(example.table for example in examples)
        found = {n: self._piece(examples[n], questions[n]) for n in order}
        return [found[n] for n in range(len(examples))]

    def _piece(self, example: Example, units: Units) -> Piece:
        question, table = example.question, example.table
        units = self._with_class(units)
        values = values_of(question, table) if self.mark_cells else {}
        mentions = [one for each in values.values() for one in each]
        headers = [self.header_units(name) for name in table.header]
        columns, room = list(range(table.width)), self.longest
        shortened = False
        if len(units) + sum(map(len, headers)) > room:
            most = max(2, int(room * QUESTION_SHARE))
            shortened = len(units) > most
            units = _part(units, most) if shortened else units
            columns = _likeliest(example, [len(one) for one in headers], mentions, room - len(units))
        at_headers = header_marks(table, mentions)
        texts = [shared(question, table.header[column]) for column in columns]
        cells = [cell_marks(question, (one for one in mentions if one.column == column)) for column in columns]
        said = _of_units(units, np.stack([question_marks(question, mentions), *texts, *cells]))
        marks = [_symbol(np.bitwise_or.reduce(said[: 1 + len(columns)]))]
        for column in columns:
            own = _of_units(headers[column], shared(table.header[column], question)[None])[0]
            marks.append(_symbol(own | at_headers[column]))
        links = []
        for kind, there in ((TEXTS, said[1 : 1 + len(columns)]), (CELLS, said[1 + len(columns) :])):
            place, unit = np.nonzero(there)
            links.append(np.stack([place, unit, np.full_like(place, kind)], 1))
        parts = [units, *(headers[column] for column in columns)]
        cuts = np.cumsum([0, *map(len, parts)]).astype(np.int32)
        whole = Units(
            *(np.concatenate([getattr(one, name) for one in parts]) for name in ("ids", "words", "tags")),
            *(
                np.concatenate([getattr(units, name), np.zeros(cuts[-1] - cuts[1], np.int32)])
                for name in ("starts", "ends")
            ),
        )  # fmt: skip
        linked = np.concatenate(links).astype(np.int32)
        return Piece(example, whole, np.concatenate(marks), cuts, np.array(columns, np.int32), linked, shortened)

    def _header_units(self, header: str) -> Units:
        return self._with_class(self.reader.units(header))

    def _with_class(self, units: Units) -> Units:
        """Units with a class symbol before them: the tokenizer's own, or else an unknown one, which its mark tells."""
        if len(units) and not units.inside[0]:
            return units
        unknown, none = max(self.reader.unknown, 0), (units.words, units.tags, units.starts, units.ends)
        words, tags, starts, ends = (np.concatenate([np.zeros(1, one.dtype), one]) for one in none)
        return Units(np.concatenate([np.array([unknown], np.int32), units.ids]), words, tags, starts, ends)


def _of_units(units: Units, characters: Marks) -> Marks:
    """(n, units): marks of the first and the last character of each; characters (n, length of the text)."""
    found = np.zeros((len(characters), len(units)), np.int32)
    if characters.shape[1]:
        at = np.flatnonzero(units.inside)
        found[:, at] = characters[:, units.starts[at]] | characters[:, units.ends[at] - 1]
    return found


def _symbol(marks: Marks) -> Marks:
    """The marks of a question or header, whose first unit is its class symbol."""
    marks[0] |= CLASS
    return marks


def _part(units: Units, most: int) -> Units:
    """The first of some units, and the last if it is a special one."""
    kept = np.arange(most)
    if not units.inside[-1]:
        kept[-1] = len(units) - 1
    return Units(*(getattr(units, name)[kept] for name in ("ids", "words", "tags", "starts", "ends")))


def _likeliest(example: Example, sizes: Sequence[int], mentions: Sequence[Mention], room: int) -> list[int]:
    """The columns that find room: those whose cells are mentioned, and whose headers are like the question, first."""
    mentioned = {one.column for one in mentions if one.likeness >= 1 and one.kind == "cell"}
    likeness = [partial_ratio(header, example.question) for header in example.table.header]
    order = sorted(range(len(sizes)), key=lambda n: (n not in mentioned, -likeness[n], n))
    kept = []
    for column in order:
        if sizes[column] <= room:
            kept.append(column)
            room -= sizes[column]
    return sorted(kept)


def copy_assets(source: Path, target: Path) -> None:
    """What a run folder carries: everything :meth:`Featurizer.open` reads."""
    copy_reader(source, target)
