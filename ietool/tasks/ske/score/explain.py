"""Why a triple was right, spurious or missed, in words."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from ietool.scoring.report import Outcome
from ietool.tasks.ske.data.example import VALUE, Triple
from ietool.tasks.ske.score.judge import EXACT, Judged, Key, Matching


def explain_text(text: str, judged: Judged, matching: Matching, *, answered: bool) -> Iterator[Outcome]:
    """What became of each triple of one text: its predictions in file order, then the gold triples that none hits.

    ``right``, ``spurious`` and ``missed`` add up to the scores; ``duplicate`` (only under an alias dictionary) marks
    predictions that count nowhere.
    """

    def outcome(verdict: str, triple: Triple, why: str, other: Triple | None = None) -> Outcome:
        beside = None if other is None or other == triple else _item(other, matching)
        return Outcome(text, text, verdict, why, _item(triple, matching), beside)

    for key, triple in judged.predicted.items():
        rule = judged.right.get(key)
        if rule is None:
            why, near = _nearest(key, judged.gold, "gold")
            yield outcome("spurious", triple, f"not in gold: {why}", None if near is None else judged.gold[near])
        elif rule == EXACT and triple != judged.gold[key]:
            yield outcome("right", triple, "exact after lower-casing and taking 《》 off", judged.gold[key])
        else:
            yield outcome("right", triple, rule)
    for key, earlier in judged.duplicates.items():
        why = f"alias of an earlier prediction, counts once: {_words(earlier)}"
        yield outcome("duplicate", Triple(*key), why, judged.predicted[earlier])
    every = judged.predicted | {key: Triple(*key) for key in judged.duplicates}
    for key, triple in judged.gold.items():
        if key not in judged.found:
            why, near = _nearest(key, every, "the prediction") if answered else ("the text has no prediction", None)
            yield outcome("missed", triple, f"missed: {why}", None if near is None else every[near])


def _item(triple: Triple, matching: Matching) -> dict[str, Any]:
    return {"subject": triple.subject, "predicate": triple.predicate, "object": _object(triple.object, matching)}


def _object(slots: tuple[tuple[str, str], ...], matching: Matching) -> Any:
    """An object as the variant's files write it."""
    return dict(slots)[VALUE] if matching.metric != "duie2" else dict(slots)


def _words(key: Key) -> str:
    return f"{key[0]} / {key[1]} / {_slots(key[2])}"


def _slots(slots: tuple[tuple[str, str], ...]) -> str:
    return ", ".join(value if slot == VALUE else f"{slot}={value}" for slot, value in slots)


def _nearest(key: Key, others: Collection[Key], side: str) -> tuple[str, Key | None]:
    """How ``key`` differs from the nearest of the ``others``, which are those of ``side``; and that one, if any is
    near."""
    subject, predicate, slots = key
    value = dict(slots).get(VALUE, "")
    ranked: list[tuple[int, str, Key]] = []
    for other in others:
        other_subject, other_predicate, other_slots = other
        other_value = dict(other_slots).get(VALUE, "")
        if predicate == other_predicate:
            same_subject, same_value = subject == other_subject, value == other_value
            if same_subject and same_value:
                ranked.append((0, f"slots differ: {side} has {_slots(other_slots)}", other))
            elif same_subject and _overlap(value, other_value):
                ranked.append((1, f"boundary of the object differs: {side} has {other_value}", other))
            elif same_value and _overlap(subject, other_subject):
                ranked.append((1, f"boundary of the subject differs: {side} has {other_subject}", other))
            elif (subject, value) == (other_value, other_subject):
                ranked.append((2, f"subject and object stand the other way round in {side}", other))
            elif same_subject:
                ranked.append((4, f"object differs: {side} has {other_value}", other))
            elif same_value:
                ranked.append((4, f"subject differs: {side} has {other_subject}", other))
            else:
                ranked.append((5, f"the predicate is there, with other names: {side} has {_words(other)}", other))
        elif subject == other_subject and slots == other_slots:
            ranked.append((3, f"subject and object right, predicate {other_predicate} in {side}", other))
    if ranked:
        _, why, near = min(ranked, key=lambda one: one[0])
        return why, near
    return f"no triple with this predicate in {side}", None


def _overlap(one: str, other: str) -> bool:
    """Whether one name is the other with more or fewer characters at its ends."""
    return bool(one and other) and (one in other or other in one)
