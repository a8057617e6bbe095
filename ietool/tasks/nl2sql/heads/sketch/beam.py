"""The likeliest queries that can be put together of parts which decide by themselves."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import nlargest
from typing import NamedTuple

from ietool.tasks.nl2sql.data.example import Query

MOST = 24
"""Stretches of a question that may be conditions."""

TINY = 1e-9
"""What a part that is said to be impossible counts: rows below a floor are unknown, not excluded."""


class Option(NamedTuple):
    """What a part may be: an aggregate of a column, or the condition that a stretch of the question stands for."""

    probability: float
    what: Hashable


@dataclass
class Parted:
    """What a model says of one question, by part.

    Attributes:
        columns: column → its aggregates; what is missing to 1 speaks for its not being selected.
        stretches: ``[start, end)`` of the question → conditions; what is missing to 1 speaks for there being none.
        connectors: connector → its probability.
    """

    columns: dict[int, list[Option]] = field(default_factory=dict)
    stretches: dict[tuple[int, int], list[Option]] = field(default_factory=dict)
    connectors: dict[int, float] = field(default_factory=dict)


class Way(NamedTuple):
    """Some parts, decided: the logarithm by which ways are ranked, that of their probability, and what was taken."""

    rank: float
    log: float
    taken: tuple[Hashable, ...]


def ranked(
    parts: Parted, beam: int, *, threshold: float = 0.5, select_threshold: float = 0.5
) -> list[tuple[Query, float]]:
    """The likeliest queries, each once, with the products of their probabilities.

    Every column is selected with one aggregate or not at all, at least one is; every stretch stands for one condition
    or none, and of stretches that overlap one at most does; up to one condition needs the connector 0, several another.
    The ranking is exact, unless several stretches stand for the same condition, when later ranks may lack one, or there
    are more than :data:`MOST` stretches, of which the most probable are looked at.

    Args:
        parts: what the model says.
        beam: how many at most; 1 or more.
        threshold: where the odds of a condition are even: at 0.5 the likelier counts, above it conditions count less.
        select_threshold: the same of selected columns.
    """
    selects = _selects(parts.columns, beam, select_threshold)
    stretches = parts.stretches
    if len(stretches) > MOST:
        kept = nlargest(MOST, stretches, key=lambda span: 1.0 - _none(stretches[span]))
        stretches = {span: stretches[span] for span in kept}
    conditions = _conditions(stretches, beam, threshold)
    found: dict[Query, tuple[float, float]] = {}
    connected = (way for one in conditions for way in _connected(one, parts.connectors))
    wanted = nlargest(beam, connected, key=lambda way: way.rank)
    for select in selects:
        for way in wanted:
            query = _query(select.taken, *way.taken)
            rank = select.rank + way.rank
            if query not in found or found[query][0] < rank:
                found[query] = (rank, math.exp(select.log + way.log))
    # Of equally likely ones those that came first.
    return [(query, p) for query, (_, p) in nlargest(beam, found.items(), key=lambda item: item[1][0])]


def probability_of(query: Query, parts: Parted) -> float:
    """What a model says of a query: the product of its parts, and of columns that it does not select; 0 where it has a
    part that was not looked at."""
    found = parts.connectors.get(query.connector, 0.0)
    selected = dict(zip(query.select, query.aggregates, strict=True))
    for column in {*parts.columns, *selected}:
        options = parts.columns.get(column, [])
        if column in selected:
            found *= max((one.probability for one in options if one.what == selected[column]), default=0.0)
        else:
            found *= max(_none(options), 0.0)
    for condition in set(query.conditions):
        said = (one.probability for some in parts.stretches.values() for one in some if one.what == condition)
        found *= max(said, default=0.0)
    return found


def _query(select: tuple[Hashable, ...], conditions: Hashable, connector: Hashable) -> Query:
    columns, aggregates = zip(*select, strict=True)  # type: ignore[misc]
    return Query(tuple(columns), tuple(aggregates), connector, conditions)  # type: ignore[arg-type]


def _log(probability: float) -> float:
    return math.log(max(probability, TINY))


def _odds(threshold: float) -> tuple[float, float]:
    """What is added to the logarithms of what is there and what is not."""
    return _log(2 * (1 - threshold)), _log(2 * threshold)


def _none(options: Iterable[Option]) -> float:
    return 1.0 - sum(one.probability for one in options)


def _selects(columns: Mapping[int, Sequence[Option]], beam: int, threshold: float) -> list[Way]:
    """The likeliest selections of at least one column; the first column where nothing is said of any."""
    there, not_there = _odds(threshold)
    ways = [Way(0.0, 0.0, ())]
    for column in sorted(columns):
        options = columns[column]
        none = _log(_none(options))
        longer = [Way(way.rank + none + not_there, way.log + none, way.taken) for way in ways]
        for one in nlargest(beam, options, key=lambda one: one.probability):  # no more can be among the best
            p, what = _log(one.probability), (column, one.what)
            longer += [Way(way.rank + p + there, way.log + p, (*way.taken, what)) for way in ways]
        # One more than is wanted, for that without any column.
        ways = nlargest(beam + 1, longer, key=lambda way: way.rank)
    ways = [way for way in ways if way.taken][:beam]
    return ways or [Way(_log(0), _log(0), ((0, 0),))]


def _conditions(stretches: Mapping[tuple[int, int], Sequence[Option]], beam: int, threshold: float) -> list[Way]:
    """The likeliest sets of conditions of stretches that do not overlap: of up to one, and of several, as many each."""
    there, not_there = _odds(threshold)
    # By where the last stretch that was taken ends, on which it depends what may follow, and by whether a connector is
    # needed.
    ways: dict[tuple[int, bool], list[Way]] = {(0, False): [Way(0.0, 0.0, ())]}
    for start, end in sorted(stretches):
        options = stretches[start, end]
        none, best = _log(_none(options)), nlargest(beam, options, key=lambda one: one.probability)
        longer = {
            state: [Way(way.rank + none + not_there, way.log + none, way.taken) for way in some]
            for state, some in ways.items()
        }
        for (last, _), some in ways.items():
            if last > start:
                continue
            for one in best:
                p = _log(one.probability)
                for way in some:
                    taken = way.taken if one.what in way.taken else (*way.taken, one.what)
                    longer.setdefault((end, len(taken) > 1), []).append(Way(way.rank + p + there, way.log + p, taken))
        ways = {state: _best(some, beam) for state, some in longer.items()}
    return [
        way
        for several in (False, True)
        for way in _best((way for (_, many), some in ways.items() if many == several for way in some), beam)
    ]


def _best(ways: Iterable[Way], most: int) -> list[Way]:
    """The likeliest, of those that have taken the same the likeliest one."""
    best: dict[tuple[Hashable, ...], Way] = {}
    for way in ways:
        if way.taken not in best or best[way.taken].rank < way.rank:
            best[way.taken] = way
    return nlargest(most, best.values(), key=lambda way: way.rank)


def _connected(way: Way, connectors: Mapping[int, float]) -> list[Way]:
    """A set of conditions with the connectors that it may have."""
    fit = (0,) if len(way.taken) <= 1 else (1, 2)
    logs = [(_log(connectors.get(connector, 0.0)), connector) for connector in fit]
    return [Way(way.rank + p, way.log + p, (way.taken, connector)) for p, connector in logs]
