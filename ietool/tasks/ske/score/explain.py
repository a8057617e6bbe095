"""Why a triple was right, spurious or missed, in words."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from ietool.scoring.report import Verdict
from ietool.tasks.ske.data.example import VALUE, Triple
from ietool.tasks.ske.score.judge import EXACT, Judged, Key, Rules


def explain_text(text: str, judged: Judged, rules: Rules, *, answered: bool) -> Iterator[Verdict]:
    """The verdicts on one text: its predictions in file order, then the gold triples that none hits.

    ``right``, ``spurious`` and ``missed`` add up to the scores; ``duplicate`` (only under an alias dictionary) marks
    predictions that count nowhere.
    """
    for key, triple in judged.predicted.items():
        rule = judged.right.get(key)
        if rule is None:
            yield Verdict(text, "spurious", _item(triple, rules), "not in gold: " + _nearest(key, judged.gold, "gold"))
        elif rule == EXACT and triple != judged.gold[key]:
            yield Verdict(text, "right", _item(triple, rules), "exact after lower-casing and taking 《》 off")
        else:
            yield Verdict(text, "right", _item(triple, rules), rule)
    for key, earlier in judged.duplicates.items():
        rule = f"alias of an earlier prediction, counts once: {_words(earlier)}"
        yield Verdict(text, "duplicate", _item(Triple(*key), rules), rule)
    every = [*judged.predicted, *judged.duplicates]
    for key, triple in judged.gold.items():
        if key not in judged.found:
            why = "the text has no prediction" if not answered else _nearest(key, every, "the prediction")
            yield Verdict(text, "missed", _item(triple, rules), "missed: " + why)


def _item(triple: Triple, rules: Rules) -> dict[str, Any]:
    return {"subject": triple.subject, "predicate": triple.predicate, "object": _object(triple.object, rules)}


def _object(slots: tuple[tuple[str, str], ...], rules: Rules) -> Any:
    """An object as the variant's files write it."""
    return dict(slots)[VALUE] if rules.metric == "ske2019" else dict(slots)


def _words(key: Key) -> str:
    return f"{key[0]} / {key[1]} / {_slots(key[2])}"


def _slots(slots: tuple[tuple[str, str], ...]) -> str:
    return ", ".join(value if slot == VALUE else f"{slot}={value}" for slot, value in slots)


def _nearest(key: Key, others: Collection[Key], side: str) -> str:
    """How ``key`` differs from the nearest of the ``others``, which are those of ``side``."""
    subject, predicate, slots = key
    value = dict(slots).get(VALUE, "")
    ranked: list[tuple[int, str]] = []
    for other in others:
        other_subject, other_predicate, other_slots = other
        other_value = dict(other_slots).get(VALUE, "")
        if predicate == other_predicate:
            same_subject, same_value = subject == other_subject, value == other_value
            if same_subject and same_value:
                ranked.append((0, f"slots differ: {side} has {_slots(other_slots)}"))
            elif same_subject and _overlap(value, other_value):
                ranked.append((1, f"boundary of the object differs: {side} has {other_value}"))
            elif same_value and _overlap(subject, other_subject):
                ranked.append((1, f"boundary of the subject differs: {side} has {other_subject}"))
            elif (subject, value) == (other_value, other_subject):
                ranked.append((2, f"subject and object stand the other way round in {side}"))
            elif same_subject:
                ranked.append((4, f"object differs: {side} has {other_value}"))
            elif same_value:
                ranked.append((4, f"subject differs: {side} has {other_subject}"))
            else:
                ranked.append((5, f"the predicate is there, with other names: {side} has {_words(other)}"))
        elif subject == other_subject and slots == other_slots:
            ranked.append((3, f"subject and object right, predicate {other_predicate} in {side}"))
    if ranked:
        return min(ranked, key=lambda pair: pair[0])[1]
    return f"no triple with this predicate in {side}"


def _overlap(one: str, other: str) -> bool:
    """Whether one name is the other with more or fewer characters at its ends."""
    return bool(one and other) and (one in other or other in one)
