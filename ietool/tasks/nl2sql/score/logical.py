"""Which parts of a query agree with gold: the logical form of TableQA, with the quirks of its official script."""

from __future__ import annotations

from typing import Any, NamedTuple

from ietool.tasks.nl2sql.data.example import Query


class Agreement(NamedTuple):
    """What of a predicted query is as in gold. The logical form is right where all of it is.

    Attributes:
        select: as many columns, and the same set of them.
        aggregate: the aggregates by column; of a column that is selected twice the last counts.
        connector: the same, also where there is one condition or none.
        conditions: as many of them.
        column: the same set of columns is compared.
        operator, value: by column: of two conditions on one column only the last counts, whatever the other says.
            Values are compared as they are: the string ``20`` is neither the number 20 nor ``20.0``.
    """

    select: bool
    aggregate: bool
    connector: bool
    conditions: bool
    column: bool
    operator: bool
    value: bool

    @property
    def whole(self) -> bool:
        """Whether the logical form is right."""
        return all(self)


def agreement(gold: Query, given: Query) -> Agreement:
    """What of a query is as in gold."""
    wanted, found = by_column(gold), by_column(given)
    return Agreement(
        len(gold.select) == len(given.select) and set(gold.select) == set(given.select),
        _aggregates(gold) == _aggregates(given),
        gold.connector == given.connector,
        len(gold.conditions) == len(given.conditions),
        wanted.keys() == found.keys(),
        {column: one[0] for column, one in wanted.items()} == {column: one[0] for column, one in found.items()},
        _same_values(wanted, found),
    )


def by_column(query: Query) -> dict[int, tuple[int, Any]]:
    """Column → (operator, value) of its last condition."""
    return {one.column: (one.operator, one.value) for one in query.conditions}


def _aggregates(query: Query) -> dict[int, int]:
    return dict(zip(query.select, query.aggregates, strict=False))


def _same_values(wanted: dict[int, tuple[int, Any]], found: dict[int, tuple[int, Any]]) -> bool:
    return {column: one[1] for column, one in wanted.items()} == {column: one[1] for column, one in found.items()}
