"""Why an argument was right, in part right, spurious or missed, in words."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from typing import Any

from ietool.scoring.report import Outcome
from ietool.tasks.events.score.judge import Judged, Slot, Told


def explain_text(
    key: Hashable, gold: Told, judged: Sequence[Judged], metric: str, *, answered: bool
) -> Iterator[Outcome]:
    """The verdicts on one text: its predicted arguments, then the gold ones that none is held against.

    Under ``duee1`` an argument is ``right`` as soon as it brings something; ``score`` says how much.
    """
    hit: set[tuple[Slot, str]] = set()
    for one in judged:
        item = _item(one.slot, one.name) | {"score": round(one.score, 6)}
        if one.score > 0:
            hit.add((one.slot, one.nearest))
            why = "exact" if one.score == 1 else f"in part: gold has {one.nearest}"
            other = None if one.score == 1 else _item(one.slot, one.nearest)
            yield Outcome(key, gold.text, "right", why, item, other, _spans(gold.text, one.slot, one.name))
        else:
            why = "not in gold: " + _elsewhere(one, gold)
            yield Outcome(key, gold.text, "spurious", why, item, spans=_spans(gold.text, one.slot, one.name))
    for slot, names in gold.arguments.items():
        for name in names:
            if (slot, name) in hit:
                continue
            near = [one.name for one in judged if one.slot == slot]
            what = f"the prediction has {'、'.join(near)}" if near else _other_slots(slot, name, judged)
            why = "missed: " + (what if answered else "the text has no prediction")
            item = _item(slot, name) | {"score": 0.0}
            yield Outcome(key, gold.text, "missed", why, item, spans=_spans(gold.text, slot, name))


def _item(slot: Slot, name: str) -> dict[str, Any]:
    return {"type": slot[0], "role": slot[1], "argument": name}


def _spans(text: str, slot: Slot, name: str) -> list[tuple[str, int, int]]:
    """Where a string stands first: files name no place."""
    at = text.find(name) if name else -1
    return [] if at < 0 else [(slot[1], at, at + len(name))]


def _elsewhere(one: Judged, gold: Told) -> str:
    if one.nearest:
        return f"gold has {one.nearest}"
    kinds = {kind for kind, _ in gold.arguments} | {kind for kind, _ in gold.triggers}
    for (kind, role), names in gold.arguments.items():
        if one.name in names:
            return f"role differs: gold has {role}" if kind == one.slot[0] else f"type differs: gold has {kind}, {role}"
    return "gold has nothing in that role" if one.slot[0] in kinds else "gold has no event of that type"


def _other_slots(slot: Slot, name: str, judged: Sequence[Judged]) -> str:
    for one in judged:
        if one.name == name:
            kind, role = one.slot
            return f"the prediction has it as {role}" + ("" if kind == slot[0] else f" of {kind}")
    if all(one.slot[0] != slot[0] for one in judged):
        return "no event of that type is predicted"
    return "nothing is predicted in that role"
