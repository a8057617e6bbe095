"""What a model says of the parts of queries, before any threshold."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
import torch

from ietool.core.candidates import PRODUCT, Candidates, Floor, capped
from ietool.core.fit import check_fit
from ietool.core.pools import Reading, read_in_pools
from ietool.nn.choice import log_partition
from ietool.nn.transfer import Asked, ahead_on, sent
from ietool.tasks.nl2sql.data.example import Example, Table
from ietool.tasks.nl2sql.data.holding import by_table, cells_of
from ietool.tasks.nl2sql.features.featurizer import Featurizer, Piece
from ietool.tasks.nl2sql.features.stretches import NO_OPERATOR, NOT_SELECTED, stretches_of
from ietool.tasks.nl2sql.features.values import Span
from ietool.tasks.nl2sql.heads.sketch.batches import inputs_of, item_of, places_of
from ietool.tasks.nl2sql.heads.sketch.decode import COMPARE, LAYOUT, SELECT
from ietool.tasks.nl2sql.heads.sketch.model import SketchModel
from ietool.tasks.nl2sql.heads.sketch.recipe import SketchRecipe
from ietool.text.windows import batches

POOL_CHARACTERS = 1 << 16
"""Questions of so many characters are turned into units at once."""

POOL_CELLS = 1 << 22
"""And questions whose tables have so many cells together, each table once."""

MOST = 1024
"""Rows of a question, at most."""

Floats = npt.NDArray[np.float32]
Places = npt.NDArray[np.int64]


class Said(NamedTuple):
    """What a model says of one question: ``connector`` (3,), ``aggregate`` (C, 7), ``stretches`` as
    :func:`stretches_of` gives them, ``operator`` (S, 4) of each stretch, and ``place`` (E,) of each of their values."""

    piece: Piece
    connector: Floats
    aggregate: Floats
    stretches: Mapping[str, Any]
    operator: Floats
    place: Floats


class _Given(NamedTuple):
    """A question whose rows are to be scored."""

    example: Example
    given: Candidates

    @property
    def text(self) -> str:
        return self.example.question


_Question = TypeVar("_Question", Example, _Given)


class _Wanted(NamedTuple):
    """A piece, and the stretches that rows speak of; None: those that the model marks, and all that are mentioned."""

    piece: Piece
    spans: Sequence[Span] | None


class SketchReader:
    """A model with the tokenizer beside it.

    Raises:
        UserError: the files of ``assets`` belong to another model.
    """

    layout = LAYOUT
    most = MOST

    def __init__(self, recipe: SketchRecipe, model: SketchModel, assets: Path, *, pool: int = 16) -> None:
        self.model, self.featurizer = model, Featurizer.open(recipe, assets)
        self.batch_size, self.pool = recipe.decode.batch_size, pool
        self.highest_probability = 0.0
        self._wide = self._shortened = 0
        check_fit(assets, self.featurizer.reader, model.config)

    @property
    def notes(self) -> Sequence[str]:
        """What was left out of questions read so far."""
        found = []
        longest = self.featurizer.longest
        if self._wide:
            found.append(
                f"{self._wide:,} questions ask tables with more headers than {longest:,} units hold: the headers most "
                "like the question were read, the others cannot be selected"
            )
        if self._shortened:
            found.append(f"{self._shortened:,} questions lose their end, being longer than {longest:,} units allow")
        return found

    @torch.inference_mode()
    def propose(self, inputs: Iterable[Example], *, floor: Floor) -> Iterator[tuple[Example, Candidates]]:
        """As in :class:`ietool.core.predicting.Reader`."""

        def cut(some: Sequence[Example]) -> Iterator[tuple[int, _Wanted]]:
            return ((n, _Wanted(piece, None)) for n, piece in self._cut(some))

        for example, said in self._pools(inputs, cut):
            self._note(said[0])
            found = _rows(said[0], floor)
            yield example, capped(LAYOUT, found, self.most)

    @torch.inference_mode()
    def score(self, inputs: Iterable[tuple[Example, Candidates]]) -> Iterator[tuple[Example, Candidates]]:
        """As in :class:`ietool.core.predicting.Reader`."""

        def cut(some: Sequence[_Given]) -> Iterator[tuple[int, _Wanted]]:
            for n, piece in self._cut([one.example for one in some]):
                rows = some[n].given.rows
                spans = sorted({(a, b) for part, a, b, *_ in rows.tolist() if part == COMPARE})
                yield n, _Wanted(piece, spans)

        stream = (_Given(example, given) for example, given in inputs)
        for asked, said in self._pools(stream, cut):
            self._note(said[0])
            yield asked.example, _scored(said[0], asked.given)

    def _cut(self, examples: Sequence[Example]) -> Iterator[tuple[int, Piece]]:
        """Their pieces; where a device reads meanwhile, of a few at a time."""
        step = self.batch_size if ahead_on(self.model.device) else max(1, len(examples))
        for low in range(0, len(examples), step):
            for number, piece in self.featurizer.cut(examples[low : low + step]):
                yield low + number, piece

    def _pools(self, inputs: Iterable[Any], cut: Any) -> Iterator[tuple[Any, list[Said]]]:
        return read_in_pools(
            inputs, cut, lambda wanted: len(wanted.piece), self._read,
            batch_size=self.batch_size, pool=self.pool, ahead=ahead_on(self.model.device),
            chunk=_chunks,
        )  # fmt: skip

    def _note(self, said: Said) -> None:
        self._wide += said.piece.left_out > 0
        self._shortened += said.piece.shortened

    def _read(self, wanted: Sequence[_Wanted]) -> Reading[list[Said]]:
        """What is said of a batch: first of units and headers, and then of the stretches that follow from that."""
        pieces = [one.piece for one in wanted]
        batch = sent(inputs_of([item_of(piece) for piece in pieces]), self.model.device)
        read = self.model.read(**batch)
        said = [
            self.model.connector(read.whole).float().softmax(-1),
            self.model.aggregate(read.columns).float().softmax(-1),
            self.model.operator(read.question).float().log_softmax(-1),
        ]
        asked = Asked(said)
        yield
        connector, aggregate, operator = asked.wait()
        spans = [_spans(one.piece, operator[n]) if one.spans is None else one.spans for n, one in enumerate(wanted)]
        order = by_table(piece.example.table for piece in pieces)
        by_number = {n: stretches_of(pieces[n], spans[n]) for n in order}
        found = [by_number[n] for n in range(len(pieces))]
        counts = [len(each["values"]) for each in found]
        place = np.zeros(0, np.float32)
        if sum(counts):
            there = sent(places_of(found), self.model.device)
            logits = self.model.places(read, **there)
            sums = log_partition(logits, there["values"][0], there["spans"].shape[1])
            asked = Asked([(logits - sums[there["values"][0]]).exp()])
            yield
            (place,) = asked.wait()
        by_piece = np.split(place, np.cumsum(counts)[:-1])
        return [
            self._said(piece, connector[n], aggregate[n], operator[n], found[n], by_piece[n])
            for n, piece in enumerate(pieces)
        ]

    def _said(
        self, piece: Piece, connector: Floats, aggregate: Floats, operator: Floats, stretches: Mapping[str, Any],
        place: Floats,
    ) -> Said:  # fmt: skip
        aggregate = aggregate[: len(piece.columns)]
        _, _, first, last = stretches["spans"].T
        sums = np.concatenate([np.zeros((1, operator.shape[1])), operator.cumsum(0, dtype=np.float64)])
        means = np.exp((sums[last + 1] - sums[first]) / (last + 1 - first)[:, None])[:, :NO_OPERATOR]
        highest = float(aggregate[:, :NOT_SELECTED].max(initial=0.0))
        self.highest_probability = max(self.highest_probability, min(highest, 1.0))
        return Said(piece, connector, aggregate, stretches, means.astype(np.float32), place)


def _chunks(stream: Iterable[_Question], limit: int) -> Iterator[list[_Question]]:
    """Questions that are cut at once: as many as there is room for, for their characters and for their tables."""
    tables: set[Table] = set()
    cells = group = 0

    def group_of(one: _Question) -> int:
        nonlocal cells, group
        table = one.example.table if isinstance(one, _Given) else one.table
        if table not in tables:
            cells += cells_of(table)
            if cells > POOL_CELLS:
                tables.clear()
                cells, group = cells_of(table), group + 1
            tables.add(table)
        return group

    for _, some in groupby(stream, group_of):
        yield from batches(some, POOL_CHARACTERS, limit)


def _spans(piece: Piece, operator: Floats) -> list[Span]:
    """What a question mentions, and the stretches of units that are one operator each; operator (T, 5)."""
    best = np.where(piece.asked, operator[: len(piece)].argmax(-1), NO_OPERATOR)
    borders = np.flatnonzero(np.diff(best, prepend=NO_OPERATOR, append=NO_OPERATOR))
    found = set(piece.values)
    for first, behind in pairwise(borders.tolist()):
        if best[first] != NO_OPERATOR:
            found.add(piece.units.text_span(first, behind))
    return sorted(found)


def _rows(said: Said, floor: Floor) -> Candidates:
    """Everything above a floor, by part and place."""
    columns, values = said.piece.columns, said.stretches["values"]
    column, kind = np.indices((len(columns), NOT_SELECTED)).reshape(2, -1)
    p = said.aggregate[:, :NOT_SELECTED].reshape(-1)
    zero = np.zeros_like(column)
    selects = np.stack([zero + SELECT, zero, zero, columns[column], kind, zero], 1)
    row, operator = np.indices((len(values), NO_OPERATOR)).reshape(2, -1)
    stretch = values[row, 0]
    spans = said.stretches["spans"][stretch]
    compares = np.stack(
        [np.full_like(row, COMPARE), spans[:, 0], spans[:, 1], values[row, 2], operator, values[row, 3]], 1
    )
    parts = np.concatenate(
        [np.stack([p, np.ones_like(p)], 1), np.stack([said.operator[stretch, operator], said.place[row]], 1)]
    ).astype(np.float32)
    least = np.array([floor.of(name) for name in LAYOUT.parts], np.float32)
    kept = (parts > least).all(1) & (parts.prod(1) >= np.float32(floor.of(PRODUCT)))
    rows = np.concatenate([selects, compares]).astype(np.int32)
    return Candidates(rows[kept], parts[kept], said.connector.astype(np.float32))


def _scored(said: Said, given: Candidates) -> Candidates:
    """The same rows, with what is said of them."""
    place = {column: n for n, column in enumerate(said.piece.columns.tolist())}
    stretch = {(a, b): n for n, (a, b, _, _) in enumerate(said.stretches["spans"].tolist())}
    value = {(s, column, form): n for n, (s, _, column, form) in enumerate(said.stretches["values"].tolist())}
    parts = np.zeros((len(given), len(LAYOUT.parts)), np.float32)
    for out, (part, start, end, column, kind, form) in zip(parts, given.rows.tolist(), strict=True):
        if part == SELECT and column in place:
            out[:] = said.aggregate[place[column], kind], 1
        elif part == COMPARE:
            s = stretch.get((start, end), -1)
            at = value.get((s, column, form))
            if at is not None:
                out[:] = said.operator[s, kind], said.place[at]
    return replace(given, parts=parts, whole=said.connector.astype(np.float32), models=1)


def open_reader(recipe: SketchRecipe, model: SketchModel, assets: Path) -> SketchReader:
    """A reader with the tokenizer that a run folder or prepared folder carries. Raises UserError if it belongs to
    another model."""
    return SketchReader(recipe, model, assets)
