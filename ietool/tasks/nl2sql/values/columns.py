"""What is worked out of a table once, to be asked by all its questions: its cells as names to be found, the pairs of
characters that they consist of, the numbers and dates that they say."""

from __future__ import annotations

import re
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Sequence
from contextlib import closing
from functools import cached_property

import numpy as np
import numpy.typing as npt

from ietool.tasks.nl2sql.data.example import REAL, Table
from ietool.tasks.nl2sql.data.holding import Holding
from ietool.tasks.nl2sql.values.dates import Date, whole_date
from ietool.tasks.nl2sql.values.numbers import narrow, plain, whole_number
from ietool.tasks.nl2sql.values.units import Cells, numbers_of
from ietool.text.characters import fold
from ietool.text.matching import NameMatcher

_LONGEST = 200
"""Characters of a cell that is looked for; longer ones are texts."""
_COUNTING = 32
"""Characters of a cell that may be a number or a date."""
_BEGINS = re.compile(
    r"\s*(?:[-－负百千.．]?[\d零〇一二两三四五六七八九十半]|[-－负]?(?:百分|千分之)|[-－负][.．]|[百千]?[万亿])"
)


def normal(text: str) -> str:
    """A text as texts are compared: case and the width of digits aside; no offset moves."""
    return fold(narrow(text))


class Column:
    """A column's cells, each once, in the order of the table.

    Attributes:
        number: of the column.
        real: whether it holds numbers.
        header: its name.
        cells: of a column of texts, as a query has them; of numbers what SQLite holds for them; empty ones left out.
        normals: the same, as questions write them and as texts are compared; of numbers without needless zeros.
    """

    def __init__(self, table: Table, number: int) -> None:
        self.number, self.header = number, table.header[number]
        self.real = table.types[number] == REAL
        self._raw = [cell for cell in table.column(number) if cell is not None]
        numbers = () if self.real else [cell for cell in self._raw if isinstance(cell, float)]
        stored = _stored(numbers) if numbers else {}
        written: dict[str, str] = {}
        for cell in () if self.real else self._raw:
            if isinstance(cell, str):
                written[cell] = cell
            else:
                written.setdefault(stored[cell] if isinstance(cell, float) else str(cell), plain(cell))
        self.cells = [cell for cell in written if cell.strip()]
        self._written = [written[cell] for cell in self.cells]
        self.normals = [normal(cell) for cell in self._written]

    @cached_property
    def numbers(self) -> Cells:
        """(n,) its numbers, sorted."""
        return numbers_of(self._raw)

    @cached_property
    def dates(self) -> list[tuple[int, Date]]:
        """(index, date) of the cells that are one."""
        found = ((n, whole_date(self._written[n])) for n in self._counting)
        return [(n, date) for n, date in found if date is not None]

    @cached_property
    def worded(self) -> dict[str, list[int]]:
        """Number, as a query has it → indices of the cells that are this number, whatever unit stands behind it."""
        found = defaultdict(list)
        for n in self._counting:
            if (value := whole_number(self._written[n])) is not None:
                found[plain(value)].append(n)
        return dict(found)

    @cached_property
    def said(self) -> frozenset[int]:
        """Indices of the cells that are numbers or dates: they are what they say, however alike they look."""
        return frozenset([n for n, _ in self.dates] + [n for cells in self.worded.values() for n in cells])

    @cached_property
    def _counting(self) -> list[int]:
        """Indices of the cells that begin as numbers and dates do."""
        return [n for n, cell in enumerate(self._written) if len(cell) <= _COUNTING and _BEGINS.match(cell)]


def _stored(numbers: Iterable[float]) -> dict[float, str]:
    """What a column of texts holds for numbers that are put into it: 2008.0 for 2008.0, 1.0e+20 for 1e20. Asked of
    SQLite itself, whose versions differ."""
    with closing(sqlite3.connect(":memory:")) as db:
        return {number: db.execute("SELECT CAST(? AS TEXT)", (number,)).fetchone()[0] for number in set(numbers)}


class Alike:
    """Which cells of some columns share much with a text, by pairs of characters in a row. Each counts the more
    the fewer cells of its column have it: 有限公司 tells no firm from another."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self.cells = [(column.number, n) for column in columns for n in range(len(column.cells))]
        """(column, index in it) of each cell."""
        texts = [cell[:_LONGEST] for column in columns for cell in column.normals]
        sizes = np.array([len(column.cells) for column in columns], np.int64)
        owners = np.repeat(np.arange(len(texts)), np.array([len(text) for text in texts], np.int64))
        pairs = _pairs("".join(texts))
        inside = owners[:-1] == owners[1:]
        # Each pair of a cell once; a character has 21 bits.
        cells, pairs = owners[:-1][inside], pairs[inside]
        order = np.lexsort((cells, pairs))
        cells, pairs = cells[order], pairs[order]
        first = np.ones(len(cells), bool)
        first[1:] = (cells[1:] != cells[:-1]) | (pairs[1:] != pairs[:-1])
        cells, pairs = cells[first], pairs[first]
        of_column = np.repeat(np.arange(len(columns)), sizes)[cells]
        _, which, counts = np.unique((of_column << 42) | pairs, return_inverse=True, return_counts=True)
        weights = np.log((sizes[of_column] + 1) / counts[which])
        self._totals = np.maximum(np.bincount(cells, weights, len(texts)), 1e-6)
        self._known, self._owners, self._weights = pairs, cells, weights

    def find(self, text: str, least: float) -> list[tuple[int, float]]:
        """(cell, share) of the cells of whose weight a text has a share of at least ``least``, the best first.

        Args:
            text: as texts are compared.
        """
        if not len(self._known):
            return []
        pairs = np.unique(_pairs(text))
        low, high = (np.searchsorted(self._known, pairs, side) for side in ("left", "right"))
        counts = high - low
        total = int(counts.sum())
        if not total:
            return []
        # All places from low to high of each pair, one after another.
        places = np.arange(total) + np.repeat(low - (np.cumsum(counts) - counts), counts)
        shares = np.bincount(self._owners[places], self._weights[places], len(self._totals)) / self._totals
        chosen = np.flatnonzero(shares >= least)
        chosen = chosen[np.argsort(-shares[chosen], kind="stable")]
        return list(zip(chosen.tolist(), shares[chosen].tolist(), strict=True))


def _pairs(text: str) -> npt.NDArray[np.int64]:
    """(L − 1,) the pairs of characters of a text, as numbers."""
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4").astype(np.int64)
    return (codes[:-1] << 21) | codes[1:]


class Columns:
    """The columns of a table, and all cells of its columns of text as names to be found."""

    def __init__(self, table: Table) -> None:
        self.columns: Sequence[Column] = [Column(table, n) for n in range(table.width)]
        places: dict[str, list[tuple[int, int]]] = defaultdict(list)
        for column in self.columns:
            if not column.real:
                for n, cell in enumerate(column.normals):
                    if len(cell) <= _LONGEST:
                        places[cell.strip()].append((column.number, n))
        self.names = list(places)
        self.places = list(places.values())
        self.matcher = NameMatcher(self.names) if self.names else None
        self.alike = Alike([column for column in self.columns if not column.real])


_KNOWN = Holding(Columns)


def columns_of(table: Table) -> Columns:
    """The columns of a table; worked out once, and kept as long as the table is among those asked last."""
    return _KNOWN.of(table)
