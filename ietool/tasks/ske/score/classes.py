"""Classes of errors of triples."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, ClassVar

from ietool.scoring.classes import (
    MISSED,
    RIGHT,
    SPURIOUS,
    UNANSWERED,
    ErrorClasses,
    Role,
    both_sides,
    first_place,
    overlapping,
)
from ietool.scoring.report import Outcome
from ietool.tasks.ske.data.example import VALUE
from ietool.tasks.ske.data.schema import Schema
from ietool.tasks.ske.score.judge import normalise

SUBJECT, OBJECT, BOTH = "boundary of the subject", "boundary of the object", "boundary of both names"
RELATION, SLOT, SWAPPED = "wrong relation", "wrong slot", "subject and object swapped"
PAIR, ELSEWHERE = "right pair and no relation", "name found only at another occurrence"
OTHER_OBJECT, OTHER_SUBJECT = "another object", "another subject"
UNKNOWN, NOTHING = "not in schema", "nothing like it"

Parts = tuple[str, str, tuple[tuple[str, str], ...]]
"""Subject, predicate, (slot, value) of a triple, names normalised."""


class TripleClasses(ErrorClasses):
    """Triples are told apart by what the other side, gold or the prediction, has that is nearest to them."""

    label_name: ClassVar[str] = "relation"
    meanings: ClassVar[Mapping[str, str]] = {
        SUBJECT: "the other side has the same relation and object, and a longer or shorter subject",
        OBJECT: "the other side has the same subject and relation, and a longer or shorter object",
        BOTH: "the same relation, and both names longer or shorter",
        RELATION: "the other side joins the same two names by another relation",
        SLOT: "the same names and relation, but the further slots differ",
        SWAPPED: "the other side has subject and object the other way round",
        PAIR: "the other side has both names in this text, and no relation between them",
        OTHER_OBJECT: "the other side has the same subject and relation with another object",
        OTHER_SUBJECT: "the other side has the same relation and object with another subject",
        ELSEWHERE: "one of the names stands at several places, and the other side has it in another triple only",
        UNKNOWN: "the schema has no such relation, or the relation no such slot",
        NOTHING: "the other side has nothing like it",
    }

    def __init__(self, schema: Schema | None = None) -> None:
        """Args:
        schema: by which triples are told that may not be; None: none is known."""
        self.schema = schema

    def of(self, outcomes: Sequence[Outcome]) -> list[str]:
        parts = [_parts(one.item) for one in outcomes]
        gold, found = both_sides(parts, outcomes)
        classes = []
        for own, one in zip(parts, outcomes, strict=True):
            if one.verdict == SPURIOUS:
                classes.append(UNKNOWN if self._is_unknown(one.item) else nearest(own, gold, one.text))
            elif one.verdict == MISSED:
                unanswered = not found and one.kind.endswith("no prediction")
                classes.append(UNANSWERED if unanswered else nearest(own, found, one.text))
            else:
                classes.append("")
        return classes

    def _is_unknown(self, item: Mapping[str, Any]) -> bool:
        if self.schema is None:
            return False
        slots = self.schema.relations.get(item["predicate"])
        return slots is None or (isinstance(item["object"], dict) and not set(item["object"]) <= set(slots))

    def words(self, outcome: Outcome) -> str:
        value = outcome.item["object"]
        if isinstance(value, dict):
            value = ", ".join(filler if slot == VALUE else f"{slot}={filler}" for slot, filler in value.items())
        return f"{outcome.item['subject']} — {outcome.item['predicate']} → {value}"

    def names(self, outcome: Outcome) -> Sequence[str]:
        return [str(outcome.item["subject"]), *(value for _, value in _slots(outcome.item["object"]))]

    def spans(self, outcome: Outcome, text: str) -> Sequence[Role]:
        """Files name no places: the first one of each name."""
        names = [("subj", str(outcome.item["subject"]))]
        names += [("obj" if slot == VALUE else slot, value) for slot, value in _slots(outcome.item["object"])]
        return [(role, *place) for role, name in names if (place := first_place(text, name))]

    def gold_spans(self, outcomes: Sequence[Outcome], text: str) -> Sequence[tuple[Role, str]]:
        return _names_once(super().gold_spans(outcomes, text))

    def found_spans(self, outcomes: Sequence[Outcome], text: str) -> Sequence[tuple[Role, str]]:
        return _names_once(super().found_spans(outcomes, text))

    def key_of(self, number: int, prediction: Any) -> Hashable:
        return prediction.text

    def chances(self, prediction: Any) -> Mapping[Hashable, float]:
        return {(t.triple.subject, t.triple.predicate, t.triple.object): t.probability for t in prediction.triples}

    def item(self, outcome: Outcome) -> Hashable:
        return outcome.item["subject"], outcome.item["predicate"], _slots(outcome.item["object"])


def nearest(own: Parts, others: Sequence[Parts], text: str) -> str:
    """The class of a triple that the other side of its text has not.

    Args:
        own: the triple.
        others: those of the other side.
    """
    subject, predicate, slots = own
    value = dict(slots).get(VALUE, "")
    best, rank = NOTHING, 99

    def take(name: str, place: int) -> None:
        nonlocal best, rank
        if place < rank:
            best, rank = name, place

    for other_subject, other_predicate, other_slots in others:
        other = dict(other_slots).get(VALUE, "")
        if other_predicate != predicate:
            if (subject, value) == (other_subject, other):
                take(RELATION, 2)
            continue
        same_subject, same_value = subject == other_subject, value == other
        if same_subject and same_value:
            take(SLOT, 0)
        elif same_subject:
            take(*((OBJECT, 1) if overlapping(value, other) else (OTHER_OBJECT, 6)))
        elif same_value:
            take(*((SUBJECT, 1) if overlapping(subject, other_subject) else (OTHER_SUBJECT, 6)))
        elif (subject, value) == (other, other_subject):
            take(SWAPPED, 3)
        elif overlapping(value, other) and overlapping(subject, other_subject):
            take(BOTH, 4)
    if rank > 5:
        names = {name for one in others for name in (one[0], *(filler for _, filler in one[2]))}
        held = [name in names for name in (subject, value)]
        if all(held):
            take(PAIR, 5)
        elif any(held):
            name = (subject, value)[held.index(True)]
            if name and text.lower().count(name) > 1:
                take(ELSEWHERE, 7)
    return best


def _slots(value: Any) -> tuple[tuple[str, str], ...]:
    return tuple(value.items()) if isinstance(value, dict) else ((VALUE, value),)


def _parts(item: Mapping[str, Any]) -> Parts:
    slots = tuple((slot, normalise(value)) for slot, value in _slots(item["object"]))
    return normalise(item["subject"]), item["predicate"], slots


def _names_once(spans: Sequence[tuple[Role, str]]) -> list[tuple[Role, str]]:
    """Names that stand in several triples once, with the roles that they have; right where any triple is."""
    places: dict[tuple[int, int], tuple[list[str], str]] = {}
    for (role, start, end), verdict in spans:
        roles, before = places.setdefault((start, end), ([], verdict))
        if role not in roles:
            roles.append(role)
        if verdict == RIGHT != before:
            places[start, end] = roles, RIGHT
    return [((", ".join(roles), *place), verdict) for place, (roles, verdict) in places.items()]
