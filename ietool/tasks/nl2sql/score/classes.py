"""Classes of errors of queries: the parts that are wrong."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, ClassVar

from ietool.scoring.classes import MISSED, RIGHT, SPURIOUS, UNANSWERED, ErrorClasses
from ietool.scoring.report import Outcome
from ietool.tasks.nl2sql.score.explain import AGGREGATE, COLUMN, CONNECTOR, OPERATOR, QUERY, SELECT, VALUE

_CLASS = {
    SELECT: "wrong selected column", AGGREGATE: "wrong aggregate", CONNECTOR: "wrong connector",
    OPERATOR: "wrong operator", VALUE: "wrong value",
}  # fmt: skip
MORE, LESS = "condition too many", "condition missing"


class QueryClasses(ErrorClasses):
    """A query is wrong by its parts; the whole has no class of its own."""

    label_name: ClassVar[str] = "part"
    meanings: ClassVar[Mapping[str, str]] = {
        _CLASS[SELECT]: "a selected column that gold does not select, or one that it selects and the query does not",
        _CLASS[AGGREGATE]: "the column is right, and its aggregate is not",
        _CLASS[CONNECTOR]: "conditions are joined by another connector",
        MORE: "a column is compared that gold does not compare",
        LESS: "gold compares a column that the query does not",
        _CLASS[OPERATOR]: "the compared column is right, and the operator is not",
        _CLASS[VALUE]: "the compared column is right, and the value is not",
    }
    counts_items: ClassVar[bool] = False

    def of(self, outcomes: Sequence[Outcome]) -> list[str]:
        classes = []
        for one in outcomes:
            part = one.item["part"]
            if one.verdict == RIGHT or (part == QUERY and one.verdict == SPURIOUS):
                classes.append("")
            elif part == QUERY:
                classes.append(UNANSWERED)
            elif part == COLUMN:
                classes.append(LESS if one.verdict == MISSED else MORE)
            else:
                classes.append(_CLASS[part])
        return classes

    def words(self, outcome: Outcome) -> str:
        part = outcome.item["part"]
        value = outcome.item[part]
        beside = "" if outcome.other is None else f" (gold {_plain(outcome.other.get(part))})"
        return f"{part}: {_plain(value)}{beside}"

    def key_of(self, number: int, prediction: Any) -> Hashable:
        return number, prediction.example.question

    def chances(self, prediction: Any) -> Mapping[Hashable, float]:
        return {QUERY: prediction.probability}

    def blames_gold(self, outcome: Outcome) -> bool:
        return outcome.item["part"] == QUERY

    def error_of(self, outcome: Outcome) -> Hashable:
        """Another wrong value in the place of gold's repairs nothing."""
        part = outcome.item["part"]
        wanted = outcome.item[part] if outcome.other is None else outcome.other.get(part)
        return outcome.verdict, part, _plain(wanted)

    def is_shown(self, outcome: Outcome) -> bool:
        """Of a right query its parts say nothing more."""
        return outcome.item["part"] == QUERY or outcome.verdict != RIGHT

    def item(self, outcome: Outcome) -> Hashable:
        return QUERY if outcome.item["part"] == QUERY else None


def _plain(value: Any) -> str:
    """A part of a query in words; a whole one as JSON has it."""
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_plain(part)}" for key, part in value.items())
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_plain, value)) + "]"
    return str(value)
