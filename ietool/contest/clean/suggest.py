"""Where gold and models that have not seen it disagree, and what is suggested."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ietool.core.candidates import Candidates
from ietool.core.labelled import ANSWER, BOUNDARY, ENTITY, TYPE, Labels

MISSING, DOUBTFUL, EXTRA = "missing", "doubtful", "extra"
NEVER = -1.0
"""The highest score of an item that goes, where none goes by itself."""

SURE: Mapping[str, tuple[float, float]] = {
    MISSING: (0.8, 0.0),
    DOUBTFUL: (0.0, NEVER),
    EXTRA: (0.0, 1e-4),
    f"{EXTRA} triple": (0.0, 0.1),
    ENTITY: (0.5, 0.1),
    BOUNDARY: (0.7, 1e-3),
    TYPE: (0.3, 1e-4),
    ANSWER: (0.1, 1e-5),
}
"""How a kind begins → (least score of the item that comes, highest of the one that goes) from which on it is ticked;
the longest beginning counts. What an extra item may score is a share of the score of what it stands beside, and what a
wrong answer may score a share of that of the other.

Chosen on errors planted into the shipped corpora, of one seed, and measured on those of another
(``benchmarks/clean.py --choose-seed``): most kinds are right four times in five. An item that models merely do not find
is mostly a hard one, no wrong one, however improbable it is to them."""


def limits_of(kind: str) -> tuple[float, float]:
    """(least score of what comes, highest of what goes) of a kind, see :data:`SURE`."""
    return SURE[max((name for name in SURE if kind.startswith(name)), key=len)]


@dataclass(frozen=True)
class Limits:
    """What is ticked without anyone having looked at it.

    Attributes:
        add: the least mean score of an item that gold lacks; None: that of the kind, see :data:`SURE`.
        drop: the highest of an item of gold that goes; None: that of the kind.
        agree: the share of the models that have not seen the text which must find it, or must not.
    """

    add: float | None = None
    drop: float | None = None
    agree: float = 1.0

    def of(self, kind: str) -> tuple[float, float]:
        """(least score of what comes, highest of what goes) of a kind."""
        add, drop = limits_of(kind)
        return add if self.add is None else self.add, drop if self.drop is None else self.drop


@dataclass(frozen=True)
class Suggestion:
    """One disagreement.

    Attributes:
        record: the number of the record, from 0.
        kind: :data:`MISSING`, :data:`DOUBTFUL` or :data:`EXTRA` and the item; or what the one of gold has wrong. Extra
            is what gold has beside an item that it goes badly with, such as an overlapping one, and that models find.
        gold: the item that would go; None where one is missing.
        proposed: the item that would come; None where one is doubtful.
        gold_score, proposed_score: mean of the models.
        gold_votes, proposed_votes: models that find it.
        models: that have not seen the text.
        is_asked: whether they can say anything of ``gold``; what they cannot is never ticked beforehand.
        beside: what the score of ``gold`` is compared with: that of what an extra item stands beside, or of what a
            wrong answer gives way to, as answers share one choice; else 1.
    """

    record: int
    kind: str
    gold: Any | None
    proposed: Any | None
    gold_score: float
    proposed_score: float
    gold_votes: int
    proposed_votes: int
    models: int
    is_asked: bool = True
    beside: float = 1.0

    @property
    def is_extra(self) -> bool:
        """Whether gold has the item beside one that models find in its place."""
        return self.kind.startswith(EXTRA)

    def is_ticked(self, limits: Limits) -> bool:
        """Whether the limits accept it."""
        add, drop = limits.of(self.kind)
        enough = limits.agree * self.models - 1e-9
        comes = self.proposed is None or (self.proposed_score >= add and self.proposed_votes >= enough)
        goes = self.gold is None or (self.gold_score <= drop * self.beside and self.models - self.gold_votes >= enough)
        return self.is_asked and comes and goes


def suggestions(
    number: int, record: Any, found: Candidates, said: Sequence[Sequence[Any]], labels: Labels[Any, Any]
) -> Iterator[Suggestion]:
    """The disagreements about one record.

    An item of gold that not all models find is doubtful, one that some find and gold lacks is missing; where the one
    is the other with something wrong, they are one suggestion.

    Args:
        found: what the models say on average.
        said: the items that each of them finds.
    """
    key = labels.key
    gold = {key(item): item for item in labels.gold(record)}
    votes: dict[Any, int] = {}
    items: dict[Any, Any] = dict(gold)
    for own in said:
        for one, item in {key(item): item for item in own}.items():
            votes[one] = votes.get(one, 0) + 1
            items.setdefault(one, item)
    models = len(said)
    asked = dict(zip(gold, labels.asked(record, found, list(gold.values())), strict=True))
    score = dict(zip(items, labels.scores(record, found, list(items.values())), strict=True))
    doubtful = [one for one in gold if votes.get(one, 0) < models]
    # What a rule alone makes has no score: it says nothing of this text.
    missing = [one for one in votes if one not in gold and score[one] > 0]
    missing.sort(key=lambda one: -score[one])
    pairs = _paired(doubtful, missing, items, score, labels)
    meant = {other for other, _ in pairs.values()}
    for one in [*doubtful, *(other for other in missing if other not in meant)]:
        two = pairs.get(one)
        is_gold = one in gold
        other = two[0] if two else None if is_gold else one
        kind = two[1] if two else f"{MISSING} {labels.item}"
        beside = 0.0
        if two is None and is_gold:
            others = (k for k in gold if votes.get(k, 0) == models and labels.differs(gold[one], gold[k]))
            beside = max((score[k] for k in others if score[k] > score[one]), default=0.0)
            kind = f"{EXTRA if beside else DOUBTFUL} {labels.item}"
        if kind == ANSWER and other is not None:
            beside = score[other]
        yield Suggestion(
            number,
            kind,
            gold.get(one),
            None if other is None else items[other],
            score[one] if is_gold else 0.0,
            0.0 if other is None else score[other],
            votes.get(one, 0) if is_gold else 0,
            0 if other is None else votes[other],
            models,
            asked.get(one, True),
            beside or 1.0,
        )


def _paired(
    doubtful: Sequence[Any], missing: Sequence[Any], items: Any, score: Any, labels: Labels[Any, Any]
) -> dict[Any, tuple[Any, str]]:
    """Doubtful item → (the missing one that was meant, what is wrong): the most probable missing ones first, each with
    the least probable of gold."""
    pairs: dict[Any, tuple[Any, str]] = {}
    for other in missing:
        for one in sorted(doubtful, key=lambda one: score[one]):
            is_free = one not in pairs and score[one] < score[other]
            if is_free and (what := labels.differs(items[one], items[other])):
                pairs[one] = (other, what)
                break
    return pairs
