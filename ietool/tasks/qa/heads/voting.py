"""From spans of passages to one answer of a question."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ietool.tasks.qa.recipe import DecodeSection
from ietool.text.characters import fold


@dataclass(frozen=True)
class AnswerCandidate:
    """An answer, as it stands in a passage first: ``passages[passage].text[start:end]``.

    Attributes:
        score: by which candidates are compared.
        probability: of its best span.
    """

    answer: str
    score: float
    probability: float
    passage: int
    start: int
    end: int


@dataclass(frozen=True)
class Answered:
    """A question with its candidates, best first.

    Attributes:
        form: of the file that it came from.
        kind: DESCRIPTION, ENTITY or YES_NO, where the file says so.
        label: Yes, No or Depends of a YES_NO question.
        nbest: how many candidates are to be written.
        answer: what is submitted; that of the best candidate, or what stands for none.
    """

    question_id: str
    question: str
    candidates: tuple[AnswerCandidate, ...]
    answer: str
    form: str = ""
    kind: str = ""
    label: str = ""
    nbest: int = 1


def submitted(candidates: Sequence[AnswerCandidate], decode: DecodeSection) -> str:
    """The answer of the best candidate; where it is not sure enough, or there is none, what stands for no answer."""
    sure = bool(candidates) and candidates[0].probability >= decode.no_answer
    return candidates[0].answer.strip() if sure else decode.none


SpanRow = tuple[int, int, float]
"""A half-open span and its probability."""


def vote(
    texts: Sequence[str],
    spans: Mapping[int, Sequence[SpanRow]],
    *,
    voting: bool = True,
    rule: str = "squares",
    most: int | None = None,
) -> list[AnswerCandidate]:
    """The answers that the passages of a question propose, best first.

    Of a passage counts, for each string, its best span. A string with the values v in those passages that have it
    scores by the ``rule`` ``sum`` Σv, by ``squares`` Σv² / (Σv + 1) (kexue.fm 5409); without ``voting``, max v. By
    ``squares`` a weak vote beside a strong one takes away from it: the article lets none below .01 vote.

    Args:
        texts: the passages.
        spans: index of a passage → its spans.
        most: how many answers are given, at most; None: all.
    """
    found: dict[str, list[tuple[float, int, int, int]]] = {}
    for passage, proposed in spans.items():
        best: dict[str, tuple[float, int, int, int]] = {}
        for start, end, value in proposed:
            key = fold(texts[passage][start:end]).strip()
            if key and (key not in best or best[key][0] < value):
                best[key] = (value, passage, start, end)
        for key, place in best.items():
            found.setdefault(key, []).append(place)
    rows = []
    for places in found.values():
        value, passage, start, end = places[0]
        squares, total = value * value, value
        if len(places) > 1:  # most strings stand in one passage alone
            value, passage, start, end = max(places, key=lambda place: (place[0], -place[1]))
            squares, total = sum(place[0] * place[0] for place in places), sum(place[0] for place in places)
        counted = total if rule == "sum" else squares / (total + 1)
        score = counted if voting else value
        rows.append((-score, -value, passage, start, end))
    rows.sort()
    return [
        AnswerCandidate(texts[passage][start:end], -score, -value, passage, start, end)
        for score, value, passage, start, end in rows[:most]
    ]
