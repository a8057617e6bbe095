"""What changed between two sides that were judged on the same texts: items repaired and broken, by relation or type."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ietool.scoring.prf import PRFScore
from ietool.scoring.report import Outcome

WRONG = ("spurious", "missed")
_LABELS = {"predicate": "relation", "type": "type", "kind": "kind", "part": "part"}
"""Fields of an item that name its kind, the first that it has → what that kind is called."""


@dataclass(frozen=True)
class Change:
    """An item that one side has right more often than the other.

    Attributes:
        text: in which it stands.
        item: its own fields; of a whole answer those of the side that is wrong.
        label: its relation, type or kind; empty where items have none.
        a, b: the share of a side's runs that have it right.
        verdict, rule: what is wrong with it where it is wrong.
        now: the item in its place where it is right, if it is another.
    """

    text: str
    item: Mapping[str, Any]
    label: str
    a: float
    b: float
    verdict: str
    rule: str
    now: Mapping[str, Any] | None = None

    def record(self) -> dict[str, Any]:
        """As plain data."""
        line: dict[str, Any] = {"text": self.text, "verdict": self.verdict, "rule": self.rule, "item": dict(self.item)}
        if self.now is not None:
            line["now"] = dict(self.now)
        return line | {"a": self.a, "b": self.b}


@dataclass(frozen=True)
class Moved:
    """A relation, type or kind: F1 of its items on both sides, the mean of a side's runs, and how many changed."""

    label: str
    gold: int
    a: float
    b: float
    repaired: int
    broken: int


@dataclass(frozen=True)
class Changes:
    """Items right on one side and wrong on the other.

    Attributes:
        items: how many were judged.
        repaired, broken: those that the second side has right more often; less often. In the order of the texts.
        what: what the labels of items are (``relation``); empty where they have none.
        moved: of each label, the greatest change first.
        errors: (kind of error, how many on each side: the mean of its runs), where items have no labels.
    """

    items: int
    repaired: Sequence[Change]
    broken: Sequence[Change]
    what: str
    moved: Sequence[Moved]
    errors: Sequence[tuple[str, float, float]] = ()


@dataclass
class _Item:
    """How often an item was wrong on both sides, one outcome where it was, and one where it was right."""

    wrong: list[int] = field(default_factory=lambda: [0, 0])
    bad: Outcome | None = None
    good: Outcome | None = None


def changes_of(a: Sequence[Sequence[Outcome]], b: Sequence[Sequence[Outcome]], *, whole: bool) -> Changes:
    """Compare the outcomes of the runs of two sides.

    An item is right in a run that neither lists it as spurious nor as missed: gold that is not missed was found, and
    what is not predicted is not spurious.

    Args:
        a, b: the outcomes of each run of a side; their keys tell the same texts apart.
        whole: whether a text has one item, its answer, which is right only if all that is said of it is; of outcomes
            of parts the first of a text speaks for it.
    """
    items: dict[Hashable, _Item] = {}
    tallies: list[list[dict[str, Counter[str]]]] = [[], []]
    errors: list[Counter[str]] = [Counter(), Counter()]
    what = ""
    for side, runs in enumerate((a, b)):
        for outcomes in runs:
            by_label: dict[str, Counter[str]] = defaultdict(Counter)
            wrong: set[Hashable] = set()
            seen: set[Hashable] = set()
            for outcome in outcomes:
                name, label = label_of(outcome.item)
                what = what or name
                if name:
                    by_label[label][outcome.verdict] += 1
                key = _answer(outcome) if whole else _identity(outcome)
                if whole and outcome.item.get("part", "") != "" and key in seen:
                    continue  # a part of what has been judged as a whole
                seen.add(key)
                item = items.setdefault(key, _Item())
                if outcome.verdict not in WRONG:
                    item.good = item.good or outcome
                    continue
                if not name:
                    errors[side][f"{outcome.verdict}: {outcome.kind.partition(':')[0]}"] += 1
                if key not in wrong:
                    wrong.add(key)
                    item.wrong[side] += 1
                    item.bad = item.bad or outcome
            tallies[side].append(by_label)
    repaired, broken = list[Change](), list[Change]()
    for item in items.values():
        shares = (len(a) - item.wrong[0]) / len(a), (len(b) - item.wrong[1]) / len(b)
        if shares[0] != shares[1] and item.bad is not None:
            (repaired if shares[1] > shares[0] else broken).append(_change(item.bad, item.good, shares, whole))
    means = [(kind, errors[0][kind] / len(a), errors[1][kind] / len(b)) for kind in errors[0] | errors[1]]
    return Changes(
        len(items),
        repaired,
        broken,
        what,
        _moved(tallies, repaired, broken) if what else (),
        sorted(means, key=lambda one: (-abs(one[2] - one[1]), one[0])),
    )


def label_of(item: Mapping[str, Any]) -> tuple[str, str]:
    """(what its kind is called, its kind) of an item; empty where it has none."""
    for name, what in _LABELS.items():
        if isinstance(item.get(name), str):
            return what, item[name]
    return "", ""


def _identity(outcome: Outcome) -> Hashable:
    """By what an item is the same in several runs: where it stands and what it says, not what it is worth."""
    own = {name: value for name, value in outcome.item.items() if not isinstance(value, float)}
    return outcome.key, json.dumps(own, ensure_ascii=False, sort_keys=True, default=str)


def _answer(outcome: Outcome) -> Hashable:
    """The same of an answer: its question and, where several kinds of it are judged, its kind."""
    return outcome.key, outcome.item.get("kind")


def _change(bad: Outcome, good: Outcome | None, shares: tuple[float, float], whole: bool) -> Change:
    now = good.item if whole and good is not None and good.item != bad.item else None
    return Change(bad.text, bad.item, label_of(bad.item)[1], *shares, bad.verdict, bad.kind, now)


def _moved(
    tallies: Sequence[Sequence[Mapping[str, Counter[str]]]], repaired: Iterable[Change], broken: Iterable[Change]
) -> list[Moved]:
    changed = [Counter(change.label for change in some) for some in (repaired, broken)]
    names = dict.fromkeys(name for side in tallies for run in side for name in run)
    found = []
    for name in names:
        scores = [[_score(run.get(name, Counter())) for run in side] for side in tallies]
        a, b = (sum(score.f1 for score in side) / len(side) for side in scores)
        gold = max(score.gold for side in scores for score in side)
        found.append(Moved(name, gold, a, b, changed[0][name], changed[1][name]))
    return sorted(found, key=lambda one: (-abs(one.b - one.a), -one.repaired - one.broken, one.label))


def _score(verdicts: Counter[str]) -> PRFScore:
    right, spurious, missed = verdicts["right"], verdicts["spurious"], verdicts["missed"]
    return PRFScore(right, right + spurious, right, right + missed)
