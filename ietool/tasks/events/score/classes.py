"""Classes of errors of arguments of events."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, ClassVar

from ietool.scoring.classes import MISSED, RIGHT, SPURIOUS, UNANSWERED, ErrorClasses, Role, both_sides, overlapping
from ietool.scoring.report import Outcome

BOUNDARY, ROLE, TYPE = "boundary", "wrong role", "wrong type of event"
ANOTHER, EVENT, NOTHING = "another argument", "no event of that type", "nothing in that role"
PARTLY = "right in part"

Argument = tuple[str, str, str]
"""Type of the event, role, string."""


class ArgumentClasses(ErrorClasses):
    """Arguments are told apart by what the other side, gold or the prediction, has in their text."""

    label_name: ClassVar[str] = "type"
    meanings: ClassVar[Mapping[str, str]] = {
        PARTLY: "counts for as much as its characters agree with gold's",
        BOUNDARY: "the other side has a longer or shorter one in the same role",
        ROLE: "the other side has it in another role of the same type of event",
        TYPE: "the other side has it in an event of another type",
        ANOTHER: "the other side has another argument in that role",
        NOTHING: "the other side has an event of that type, with nothing in that role",
        EVENT: "the other side has no event of that type",
    }

    def of(self, outcomes: Sequence[Outcome]) -> list[str]:
        parts = [_argument(one) for one in outcomes]
        gold, found = both_sides(parts, outcomes)
        classes = []
        for part, one in zip(parts, outcomes, strict=True):
            if one.verdict == SPURIOUS:
                classes.append(nearest(part, gold))
            elif one.verdict == MISSED:
                unanswered = not found and one.kind.endswith("no prediction")
                classes.append(UNANSWERED if unanswered else nearest(part, found))
            else:
                classes.append(PARTLY if one.item.get("score", 1) < 1 else "")
        return classes

    def words(self, outcome: Outcome) -> str:
        return f"{outcome.item['type']} · {outcome.item['role']}: {outcome.item['argument']}"

    def names(self, outcome: Outcome) -> Sequence[str]:
        return [str(outcome.item["argument"])]

    def chances(self, prediction: Any) -> Mapping[Hashable, float]:
        best: dict[Hashable, float] = {}
        for event in prediction.events:
            for one in event.arguments:
                key = event.type, one.role, prediction.example.text[one.start : one.end]
                best[key] = max(best.get(key, 0.0), one.probability)
        return best

    def gold_spans(self, outcomes: Sequence[Outcome], text: str) -> Sequence[tuple[Role, str]]:
        marked: list[tuple[Role, str]] = []
        for one in outcomes:
            if one.verdict == MISSED or (one.verdict == RIGHT and one.other is None):
                marked += [(span, one.verdict) for span in self.spans(one, text)]
            elif one.verdict == RIGHT and one.other is not None:  # in part: gold has another string
                name = str(one.other["argument"])
                if name and (at := text.find(name)) >= 0:
                    marked.append(((str(one.other["role"]), at, at + len(name)), RIGHT))
        return marked

    def key_of(self, number: int, prediction: Any) -> Hashable:
        return number, prediction.example.text

    def item(self, outcome: Outcome) -> Hashable:
        return _argument(outcome)


def _argument(outcome: Outcome) -> Argument:
    return outcome.item["type"], outcome.item["role"], outcome.item["argument"]


def nearest(own: Argument, others: Sequence[Argument]) -> str:
    """The class of an argument that the other side has not."""
    kind, role, name = own
    inside = [other for other in others if other[:2] == (kind, role)]
    if any(overlapping(name, other[2]) for other in inside):
        return BOUNDARY
    same = [other for other in others if other[2] == name]
    if same:
        return ROLE if any(other[0] == kind for other in same) else TYPE
    if inside:
        return ANOTHER
    return NOTHING if any(other[0] == kind for other in others) else EVENT
