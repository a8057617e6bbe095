"""When a predicted mention is right, and what kind of error a wrong or missed one is: one text at a time.

``ccks2019`` is the rule that participants and task page give (no script was published); ``ccks2020`` follows the
organisers' script of 2020-03-30.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass

from ietool.scoring.prf import PRFScore
from ietool.tasks.el.data.example import Mention, normalise

# Kinds of errors: of gold mentions that were missed, of predictions that are wrong, or of both.
ENTITY = "wrong entity"
BOUNDARY = "wrong boundary"
WRITTEN = "written otherwise"
DICTIONARY = "missed by the dictionary"
NOT_PROPOSED = "not proposed"
TWICE = "twice in gold"
NIL_IN_GOLD = "NIL in gold"
NOT_ANNOTATED = "not annotated"
REPEATED = "repeated"
OTHER_TEXT = "text not in gold"

MISSED = {
    DICTIONARY: "not found, and its name is none of the knowledge base",
    NOT_PROPOSED: "no prediction touches it",
    BOUNDARY: "not found, but a prediction that is no mention of gold overlaps it",
    ENTITY: "found, with another kb_id",
    WRITTEN: "found, but written otherwise than in gold (upper and lower case count)",
    TWICE: "stands again in gold, and each counts",
}
"""Kind → what it means, of gold mentions without a right prediction. A mention is of one kind."""

WRONG = {
    ENTITY: "a mention of gold, with another kb_id",
    BOUNDARY: "no mention of gold, but overlaps one that was not found",
    NIL_IN_GOLD: "a mention of gold, whose entity gold gives as NIL",
    NOT_ANNOTATED: "touches no mention that was missed",
    WRITTEN: "the place of a gold mention, written otherwise (upper and lower case count)",
    REPEATED: "the mention was predicted before in this text; only the first prediction can be right",
    OTHER_TEXT: "gold has no text with this text_id and text",
}
"""Kind → what it means, of predictions that are not right."""

ALWAYS = frozenset({NOT_PROPOSED, BOUNDARY, ENTITY, NIL_IN_GOLD, NOT_ANNOTATED})
"""Kinds that a table of errors shows even where there are none."""

Place = tuple[str, int]
"""(mention, start): what the mention stage compares."""


@dataclass(frozen=True, slots=True)
class Error:
    """A wrong prediction or a missed mention of gold, its kind, and what the other side has in its place."""

    mention: Mention
    kind: str
    other: Mention | None = None


@dataclass(frozen=True, slots=True)
class Judged:
    """One text judged.

    Attributes:
        right: (prediction, the gold mention it hits), in file order.
        wrong: predictions that are not right.
        missed: gold mentions that no prediction hits.
        total: counts end to end: ``len(right) + len(wrong)`` predicted, ``len(right) + len(missed)`` gold.
        places: counts of mention and offset alone, against the same gold.
        linked: of the right places, those with a right entity.
        left_out: gold mentions that do not count because they are NIL.
    """

    right: list[tuple[Mention, Mention]]
    wrong: list[Error]
    missed: list[Error]
    total: PRFScore
    places: PRFScore
    linked: int
    left_out: int = 0


def same_entity(predicted: str, gold: str) -> bool:
    """Whether a predicted kb_id is right under ``ccks2020``: a number must be equal, anything else one of gold's."""
    return predicted == gold if predicted.isdigit() else predicted in gold.split("|")


def judge(
    gold: Sequence[Mention],
    predicted: Sequence[Mention],
    metric: str,
    names: Container[str] | None = None,
    *,
    known: bool = True,
) -> Judged:
    """Compare the predictions of one text with its gold mentions.

    Args:
        gold: mentions of the gold file, NIL ones too.
        predicted: mentions of the submission.
        metric: ``ccks2019`` or ``ccks2020``.
        names: normalised names of the knowledge base, to tell what the dictionary missed.
        known: False when the text is none of gold's.
    """
    return (_judge_2019 if metric == "ccks2019" else _judge_2020)(gold, predicted, names, known)


def _judge_2019(
    gold: Sequence[Mention], predicted: Sequence[Mention], names: Container[str] | None, known: bool
) -> Judged:
    # Gold and predictions are sets; gold's NILs are left out, while a predicted NIL is a prediction that cannot hit.
    # Tuples as keys: a dataclass's hash and equality are several times slower.
    wanted = {(m.mention, m.start, m.kb_id): m for m in gold}
    nil = [key for key, mention in wanted.items() if mention.is_nil]
    for key in nil:
        del wanted[key]
    given = {(m.mention, m.start, m.kb_id): m for m in predicted}
    right = [(mention, wanted[key]) for key, mention in given.items() if key in wanted]
    answers, answered = _by_place(wanted.values()), _by_place(given.values())
    found = len(answers.keys() & answered.keys())
    wrong: list[Error] = []
    missed: list[Error] = []
    if len(right) < max(len(given), len(wanted)):
        look = _Look(answers, answered, {key[:2] for key in nil} - answers.keys(), names, known)
        wrong = [look.wrong(mention) for key, mention in given.items() if key not in wanted]
        missed = [look.missed(mention) for key, mention in wanted.items() if key not in given]
    return Judged(
        right=right,
        wrong=wrong,
        missed=missed,
        total=PRFScore(len(right), len(given), len(right), len(wanted)),
        places=PRFScore(found, len(answered), found, len(answers)),
        linked=len(right) if len(answered) == len(given) else len(_by_place(mention for mention, _ in right)),
        left_out=len(nil),
    )


def _judge_2020(
    gold: Sequence[Mention], predicted: Sequence[Mention], names: Container[str] | None, known: bool
) -> Judged:
    # As in the organisers' script: of a place that stands twice in gold the last id holds, while both count; the first
    # prediction of a place uses it up, right or wrong.
    answers: dict[Place, Mention] = {}
    twice: list[Error] = []
    for mention in gold:
        place = _place(mention)
        if place in answers:
            twice.append(Error(answers[place], TWICE, mention))
        answers[place] = mention
    first: dict[Place, Mention] = {}
    repeated: list[Mention] = []
    for mention in predicted:
        if _place(mention) in first:
            repeated.append(mention)
        else:
            first[_place(mention)] = mention
    right = [(m, answers[p]) for p, m in first.items() if p in answers and same_entity(m.kb_id, answers[p].kb_id)]
    hit = {_place(mention) for mention, _ in right}
    found = len(answers.keys() & first.keys())
    look = _Look(answers, first, {place for place, m in answers.items() if m.is_nil}, names, known)
    return Judged(
        right=right,
        wrong=[look.wrong(m) for p, m in first.items() if p not in hit]
        + [Error(m, REPEATED if known else OTHER_TEXT, first[_place(m)]) for m in repeated],
        missed=[look.missed(m) for p, m in answers.items() if p not in hit] + twice,
        total=PRFScore(len(right), len(predicted), len(right), len(gold)),
        places=PRFScore(found, len(predicted), found, len(gold)),
        linked=len(hit),
    )


@dataclass(frozen=True, slots=True)
class _Look:
    """What is needed to name the kind of an error: both sides by place, and the places of gold that are NIL."""

    gold: Mapping[Place, Mention]
    predicted: Mapping[Place, Mention]
    nil: Container[Place]
    names: Container[str] | None
    known: bool

    def missed(self, mention: Mention) -> Error:
        place = _place(mention)
        if place in self.predicted:
            return Error(mention, ENTITY, self.predicted[place])
        over = _overlapping(mention, self.predicted, self.gold)
        if over is not None and _same_span(over, mention):
            return Error(mention, WRITTEN, over)
        if self.names is not None and normalise(mention.mention) not in self.names:
            return Error(mention, DICTIONARY, over)
        return Error(mention, NOT_PROPOSED) if over is None else Error(mention, BOUNDARY, over)

    def wrong(self, mention: Mention) -> Error:
        place = _place(mention)
        if not self.known:
            return Error(mention, OTHER_TEXT)
        if place in self.nil and not mention.is_nil:
            return Error(mention, NIL_IN_GOLD, self.gold.get(place))
        if place in self.gold:
            return Error(mention, ENTITY, self.gold[place])
        if place in self.nil:
            return Error(mention, NIL_IN_GOLD)
        over = _overlapping(mention, self.gold, self.predicted)
        if over is None:
            return Error(mention, NOT_ANNOTATED)
        return Error(mention, WRITTEN if _same_span(over, mention) else BOUNDARY, over)


def _place(mention: Mention) -> Place:
    return mention.mention, mention.start


def _by_place(mentions: Iterable[Mention]) -> dict[Place, Mention]:
    return {(mention.mention, mention.start): mention for mention in mentions}


def _same_span(one: Mention, other: Mention) -> bool:
    return one.start == other.start and one.end == other.end


def _overlapping(mention: Mention, others: Mapping[Place, Mention], settled: Container[Place]) -> Mention | None:
    """The one of the others that shares most characters with a mention, without those that the other side has too."""
    best, most = None, 0
    for place, other in others.items():
        shared = min(mention.end, other.end) - max(mention.start, other.start)
        if shared > most and place not in settled:
            best, most = other, shared
    return best
