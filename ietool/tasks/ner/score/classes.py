"""Classes of errors of entities."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, ClassVar

from ietool.scoring.classes import MISSED, SPURIOUS, UNANSWERED, ErrorClasses, both_sides
from ietool.scoring.report import Outcome

BOUNDARY, TYPE, BOTH = "boundary", "type", "boundary and type"

Place = tuple[int, int, str]


class EntityClasses(ErrorClasses):
    """Entities are told apart by what the other side, gold or the prediction, has at their place."""

    label_name: ClassVar[str] = "type"
    means_over_labels = ("cluener",)
    meanings: ClassVar[Mapping[str, str]] = {
        BOUNDARY: "the other side has one of the same type that overlaps it",
        TYPE: "the other side has another type at exactly this place",
        BOTH: "the other side has one of another type that overlaps it",
        SPURIOUS: "predicted where gold has nothing",
        MISSED: "gold where nothing is predicted",
    }

    def of(self, outcomes: Sequence[Outcome]) -> list[str]:
        places = [_place(one) for one in outcomes]
        gold, found = both_sides(places, outcomes)
        classes = []
        for place, one in zip(places, outcomes, strict=True):
            if one.verdict == SPURIOUS:
                classes.append(nearest(place, gold) or SPURIOUS)
            elif one.verdict == MISSED:
                unanswered = not found and one.kind.endswith("no prediction")
                classes.append(UNANSWERED if unanswered else nearest(place, found) or MISSED)
            else:
                classes.append("")
        return classes

    def words(self, outcome: Outcome) -> str:
        return f"{outcome.item['entity']} ({outcome.item['type']})"

    def names(self, outcome: Outcome) -> Sequence[str]:
        return [str(outcome.item["entity"])]

    def key_of(self, number: int, prediction: Any) -> Hashable:
        return number, prediction.example.text

    def chances(self, prediction: Any) -> Mapping[Hashable, float]:
        return {(e.start, e.end, e.type): e.probability for e in prediction.entities}

    def item(self, outcome: Outcome) -> Hashable:
        return _place(outcome)


def _place(outcome: Outcome) -> Place:
    return outcome.item["start"], outcome.item["end"], outcome.item["type"]


def nearest(own: Place, others: Sequence[Place]) -> str:
    """The class of an entity that the other side has not; empty where nothing touches it. Of several that touch it, the
    one at the same place is the nearest, then one of the same type."""
    start, end, kind = own
    touching = [other for other in others if other[0] < end and start < other[1]]
    if not touching:
        return ""
    if any((low, high) == (start, end) and other != kind for low, high, other in touching):
        return TYPE
    return BOUNDARY if any(other == kind for _, _, other in touching) else BOTH
