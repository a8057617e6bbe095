"""Where a question says what the conditions of its query compare with."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import NamedTuple

from ietool.tasks.nl2sql.data.example import Condition, Example
from ietool.tasks.nl2sql.features.values import FREE, Span, form_of, values_at, values_of
from ietool.text.characters import fold

UNSAID, WRITTEN, OVERLAP = (
    "a value is not said in the question",
    "a value is said, but written in no way that is worked out",
    "the values of two conditions overlap in the question",
)
"""Why a condition is not found."""

LEAST_PART = 2
"""Characters of a value that a question must say."""


class Aligned(NamedTuple):
    """Where a question says the value of a condition: the stretch, and which value of the column it stands for."""

    span: Span
    column: int
    form: int
    operator: int


class Alignment(NamedTuple):
    """The conditions of a query that stretches of the question stand for, and why others have none."""

    found: tuple[Aligned, ...]
    reasons: tuple[str, ...]


def align(example: Example) -> Alignment:
    """Find each condition of the gold query in the question: those first that are said most clearly. Where none of the
    places of a value is free, a part of it may be said elsewhere."""
    assert example.query is not None
    found: list[Aligned] = []
    reasons: list[str] = []
    places = {one: _places(example, one) for one in dict.fromkeys(example.query.conditions)}
    for condition in sorted(places, key=lambda one: min((worth for worth, _ in places[one]), default=0.0)):
        apart = (one for _, one in places[condition] if all(_apart(one.span, other.span) for other in found))
        chosen = next(apart, None) or _part(example, condition, [one.span for one in found])
        if chosen is not None:
            found.append(chosen)
        elif places[condition]:
            reasons.append(OVERLAP)
        else:
            reasons.append(WRITTEN if _literally(example.question, condition.value) else UNSAID)
    return Alignment(tuple(found), tuple(reasons))


def _places(example: Example, condition: Condition) -> list[tuple[float, Aligned]]:
    """Where the question says the value of a condition, the surest place first, each with what is to be small."""
    found: list[tuple[float, int, Aligned]] = []
    question = example.question
    spans = list(values_of(question, example.table))
    literal = [span for span in _literally(question, condition.value) if span not in spans]
    for order, span in enumerate([*spans, *literal]):
        found += [(worth, order, one) for worth, one in _at(example, condition, span)]
    return [(worth, one) for worth, _, one in sorted(found)]


def _at(example: Example, condition: Condition, span: Span) -> list[tuple[float, Aligned]]:
    """The value of a condition among those that a stretch may stand for."""
    values = values_at(example.question, example.table, *span)
    return [
        ((one.kind == FREE) - one.likeness, Aligned(span, *form_of(values, n), condition.operator))
        for n, one in enumerate(values)
        if one.column == condition.column and one.value == condition.value
    ]


def _part(example: Example, condition: Condition, taken: Sequence[Span]) -> Aligned | None:
    """The longest part of a value that the question says where nothing else is said, if the value follows from it."""
    free = list(fold(example.question))
    for start, end in taken:
        free[start:end] = "\0" * (end - start)
    value = fold(condition.value)
    at, _, size = SequenceMatcher(None, "".join(free), value, autojunk=False).find_longest_match()
    if size < LEAST_PART:
        return None
    return next((one for _, one in _at(example, condition, (at, at + size))), None)


def _literally(question: str, value: str) -> list[Span]:
    text, wanted = fold(question), fold(value)
    found, at = [], text.find(wanted) if wanted else -1
    while at >= 0:
        found.append((at, at + len(wanted)))
        at = text.find(wanted, at + 1)
    return found


def _apart(one: Span, other: Span) -> bool:
    return one[1] <= other[0] or other[1] <= one[0]
