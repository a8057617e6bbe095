"""From what a model says of the parts of a query to queries, ranked: no model here, and no torch."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ietool.core.candidates import PRODUCT, Candidates, Floor, Layout, Parts
from ietool.core.labels import LabelColumn
from ietool.tasks.nl2sql.data.example import Condition, Example, Query
from ietool.tasks.nl2sql.features.values import Span, values_by_form
from ietool.tasks.nl2sql.heads.sketch.beam import Option, Parted, ranked
from ietool.tasks.nl2sql.heads.sketch.recipe import SketchRecipe
from ietool.tasks.nl2sql.sql.choosing import first_that_returns

SELECT, COMPARE = range(2)
"""What a row is of: a column that is selected, with its aggregate as class; a condition, with its operator as class."""

LAYOUT = Layout(
    ("part", "start", "end", "column", "class", "form"), ("probability", "place"), ("probability", "place"),
    ("none", "and", "or"),
)  # fmt: skip
"""``start`` and ``end`` are the stretch of the question that says the value of a condition, ``form`` is which of the
values of ``column`` that it may stand for. ``probability`` is that of the class; ``place``, that the stretch is a value
of this column in this form: 1 of a selected column, which has no value. Of the whole question the connectors' are
said."""

LEAST = 0.01
"""What a row must exceed to be looked at where queries are ranked: that of kept scores, so that both say the same."""


@dataclass(frozen=True)
class Ranked:
    """A query and the product of the probabilities of its parts."""

    query: Query
    probability: float


@dataclass(frozen=True)
class Answered:
    """What is predicted of a question: the query, and the ranked ones that it was chosen from.

    Attributes:
        example: the question.
        queries: the likeliest first; one at least.
        chosen: the place of the one that is predicted.
        passed: how many before it failed or returned nothing, by why.
    """

    example: Example
    queries: tuple[Ranked, ...]
    chosen: int = 0
    passed: dict[str, int] = field(default_factory=dict)

    @property
    def query(self) -> Query:
        """The predicted one."""
        return self.queries[self.chosen].query

    @property
    def probability(self) -> float:
        """Of the predicted one."""
        return self.queries[self.chosen].probability


class SketchDecoder:
    """Queries from parts; knows the table of a question, and SQLite."""

    layout = LAYOUT
    threshold = "threshold"

    @property
    def labels(self) -> LabelColumn | None:
        """As in :class:`ietool.core.joining.JoinedDecoder`: classes have the same numbers in every run."""
        return None

    def joined(self, others: Sequence[SketchDecoder]) -> SketchDecoder:
        """As in :class:`ietool.core.joining.JoinedDecoder`: there is one head."""
        return self

    def plain(self, parts: Parts) -> Parts:
        """As in :class:`ietool.core.joining.JoinedDecoder`."""
        return parts

    def floor(self, decode: Any) -> Floor:
        """As in :class:`ietool.core.predicting.Decoder`; thresholds are odds, and forbid nothing by themselves."""
        return Floor(parts={PRODUCT: LEAST})

    def decode(self, item: Example, found: Candidates, decode: Any) -> Answered:
        """As in :class:`ietool.core.predicting.Decoder`."""
        parts = parted(item, found)
        queries = [
            Ranked(query, probability)
            for query, probability in ranked(
                parts, decode.beam, threshold=decode.threshold, select_threshold=decode.select_threshold
            )
        ]
        if not decode.execute or not item.table.rows:
            return Answered(item, tuple(queries))
        chosen, passed = first_that_returns([one.query for one in queries], item.table, most=decode.beam)
        return Answered(item, tuple(queries), chosen, dict(passed))


def parted(item: Example, found: Candidates) -> Parted:
    """The rows of a question by part, above :data:`LEAST`; what stands for no value of its table is left out."""
    parts = Parted(connectors=dict(enumerate(found.whole.tolist())))
    probability = LAYOUT.probability(found.parts)
    values: dict[Span, dict[tuple[int, int], str]] = {}
    for row, p in zip(found.rows.tolist(), probability.tolist(), strict=True):
        part, start, end, column, kind, form = row
        if p <= LEAST or not 0 <= column < item.table.width:
            continue
        if part == SELECT:
            parts.columns.setdefault(column, []).append(Option(p, kind))
        elif part == COMPARE:
            if (start, end) not in values:
                values[start, end] = values_by_form(item.question, item.table, start, end)
            value = values[start, end].get((column, form))
            if value is None:
                continue
            parts.stretches.setdefault((start, end), []).append(Option(p, Condition(column, kind, value)))
    return parts


def key_of(query: Query) -> Hashable:
    """What two queries share that say the same: the order of columns and of conditions counts for nothing, nor does
    what stands there twice."""
    select = frozenset(zip(query.select, query.aggregates, strict=True))
    return select, query.connector, frozenset(query.conditions)


def open_decoder(recipe: SketchRecipe, assets: Path) -> SketchDecoder:
    """A decoder; it needs nothing of a folder."""
    return SketchDecoder()
