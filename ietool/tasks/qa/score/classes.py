"""Classes of errors of answers: where in the passages the answer stands, and where the prediction does."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from ietool.files.lines import read_lines
from ietool.scoring.classes import MISSED, RIGHT, SPURIOUS, UNANSWERED, ErrorClasses, Role
from ietool.scoring.report import Outcome
from ietool.tasks.qa.data.question import Question
from ietool.tasks.qa.score.explain import key_of
from ietool.tasks.qa.score.squad import NO_ANSWER

BOUNDARY, WORDS, SENTENCE, PASSAGE = "boundary", "other words of the sentence", "wrong sentence", "wrong passage"
EMPTY, TOO_MUCH, NOWHERE, ANOTHER = (
    "no answer given", "answer where there is none", "stands in no passage", "another answer"
)  # fmt: skip

_END = re.compile(r"[。！？!?；;\n]")
_AROUND = 90
"""Characters shown on both sides of an answer."""


class AnswerClasses(ErrorClasses):
    """Answers are told apart by where they stand.

    Args:
        questions: gives the questions with their passages, in any order; without it only the answers are compared.
    """

    label_name: ClassVar[str] = "kind"
    meanings: ClassVar[Mapping[str, str]] = {
        BOUNDARY: "the answer and gold's overlap, or one holds the other",
        WORDS: "other words of the sentence that gold's answer stands in",
        SENTENCE: "from another sentence of the passage that gold's answer stands in",
        PASSAGE: "from a passage that gold's answer does not stand in",
        NOWHERE: "the answer is in none of the passages",
        ANOTHER: "not gold's answer; where both stand is not known",
        EMPTY: "gold has an answer, and none is given",
        TOO_MUCH: "gold has no answer, and one is given",
    }
    counts_items: ClassVar[bool] = False

    def __init__(self, questions: Callable[[], Iterable[Question]] | None = None) -> None:
        self._questions = questions
        self._classes: dict[tuple[Hashable, str], str] = {}
        self._texts: dict[Hashable, str] = {}

    def study(self, outcomes: Iterable[Outcome]) -> None:
        asked: dict[Hashable, list[Outcome]] = {}
        for one in outcomes:
            asked.setdefault(one.key, []).append(one)
        for question in () if self._questions is None else self._questions():
            own = asked.get(key_of(question))
            if own is None or not question.passages:
                continue
            passages = [passage.text for passage in question.passages]
            answers = [answer for answer in question.answers if answer.strip()]
            for one in own:
                prediction = str(one.item["prediction"])
                if one.verdict != RIGHT:
                    self._classes[one.key, prediction] = where(prediction, answers, passages)
            self._texts[own[0].key] = excerpt(
                [str(own[0].item["reference"]), *(str(one.item["prediction"]) for one in own)], passages
            )

    def of(self, outcomes: Sequence[Outcome]) -> list[str]:
        return [self._class(one) for one in outcomes]

    def _class(self, one: Outcome) -> str:
        if one.verdict == RIGHT:
            return ""
        if one.kind.startswith("the question has no prediction"):
            return UNANSWERED
        prediction, reference = str(one.item["prediction"]), str(one.item["reference"])
        known = self._classes.get((one.key, prediction))
        return known if known is not None else where(prediction, [reference] if reference else [], ())

    def label(self, outcome: Outcome) -> str:
        return str(outcome.item.get("kind", ""))

    def words(self, outcome: Outcome) -> str:
        given, wanted = str(outcome.item["prediction"]), str(outcome.item["reference"])
        return given if outcome.verdict == RIGHT else f"{given or '–'} (gold {wanted or '–'})"

    def names(self, outcome: Outcome) -> Sequence[str]:
        return [name for name in [str(outcome.item["reference"]).strip()] if name]

    def title(self, outcomes: Sequence[Outcome]) -> str:
        return f"{outcomes[0].item['id']} · {outcomes[0].item['question']}"

    def text(self, outcomes: Sequence[Outcome]) -> str:
        return self._texts.get(outcomes[0].key) or outcomes[0].text

    def gold_spans(self, outcomes: Sequence[Outcome], text: str) -> Sequence[tuple[Role, str]]:
        return _answers(outcomes, text, "reference", MISSED)

    def found_spans(self, outcomes: Sequence[Outcome], text: str) -> Sequence[tuple[Role, str]]:
        return _answers(outcomes, text, "prediction", SPURIOUS)

    def key_of(self, number: int, prediction: Any) -> Hashable:
        return prediction.question_id, prediction.question

    def chances(self, prediction: Any) -> Mapping[Hashable, float]:
        first = next(iter(prediction.candidates), None)
        if first is None or prediction.answer != first.answer.strip():
            return {}
        return {prediction.answer.strip(): first.probability}

    def chances_in(self, result: Path, outcomes: Sequence[Outcome]) -> Mapping[Hashable, Mapping[Hashable, float]]:
        """Those of a file of ``predict --nbest``."""
        by_id = dict(_chances_by_id(result))
        return {one.key: by_id[str(one.item["id"])] for one in outcomes if str(one.item["id"]) in by_id}

    def error_of(self, outcome: Outcome) -> Hashable:
        """A question, or a label of one, has one answer: another wrong one repairs nothing."""
        return "answer", outcome.item.get("kind", "")

    def item(self, outcome: Outcome) -> Hashable:
        return str(outcome.item["prediction"]).strip()

    def seen_in(self, train: Path) -> set[str] | None:
        from ietool.tasks.qa.data.reading import load_questions

        questions = load_questions(str(train), needs_answers=False, needs_passages=False)
        return {answer.strip() for question in questions for answer in question.answers}


def _chances_by_id(result: Path) -> Iterator[tuple[str, dict[Hashable, float]]]:
    """(id, answer → probability) of lines that have candidates, up to the first that has none."""
    for _, _, line in read_lines(result):
        try:
            record = json.loads(line)
            told = record["candidates"]
            given = {str(one["answer"]).strip(): float(one["probability"]) for one in reversed(told)}
        except (ValueError, LookupError, TypeError, RecursionError, OverflowError):
            return
        yield str(record.get("id")), {answer: chance for answer, chance in given.items() if 0 <= chance <= 1}


def _answers(outcomes: Sequence[Outcome], text: str, field: str, wrong: str) -> list[tuple[Role, str]]:
    """The places of answers, each once; right where it is right for any label."""
    found: dict[Role, str] = {}
    for one in outcomes:
        if place := _place(text, str(one.item[field])):
            verdict = RIGHT if one.verdict == RIGHT else wrong
            span = ("answer", *place)
            found[span] = RIGHT if RIGHT in (verdict, found.get(span)) else verdict
    return list(found.items())


def _place(text: str, answer: str) -> tuple[int, int] | None:
    answer = answer.strip()
    at = text.find(answer) if answer else -1
    return None if at < 0 else (at, at + len(answer))


def where(prediction: str, answers: Sequence[str], passages: Sequence[str]) -> str:
    """The class of an answer that is not gold's.

    Args:
        prediction: as it was given.
        answers: gold's, none where there is none.
        passages: of the question, none where they are not known.
    """
    given = prediction.strip()
    answers = [answer.strip() for answer in answers if answer.strip() and answer.strip() != NO_ANSWER]
    if not answers:
        return TOO_MUCH
    if not given or given == NO_ANSWER:
        return EMPTY
    if any(given in answer or answer in given for answer in answers):
        return BOUNDARY
    if not passages:
        return ANOTHER
    best, rank = NOWHERE, 9
    for passage in passages:
        mine = _places(passage, given)
        if not mine:
            continue
        theirs = [place for answer in answers for place in _places(passage, answer)]
        if not theirs:
            found, order = PASSAGE, 3
        elif any(a < d and c < b for a, b in mine for c, d in theirs):
            found, order = BOUNDARY, 0
        else:
            near = any(_END.search(passage, min(b, d), max(a, c)) is None for a, b in mine for c, d in theirs)
            found, order = (WORDS, 1) if near else (SENTENCE, 2)
        if order < rank:
            best, rank = found, order
    return best


def _places(passage: str, answer: str, most: int = 20) -> list[tuple[int, int]]:
    places: list[tuple[int, int]] = []
    at = passage.find(answer)
    while at >= 0 and len(places) < most:
        places.append((at, at + len(answer)))
        at = passage.find(answer, at + 1)
    return places


def excerpt(answers: Sequence[str], passages: Sequence[str]) -> str:
    """The stretches of passages in which answers stand, each answer once, a line a passage; empty where none does."""
    shown: list[str] = []
    for answer in dict.fromkeys(answer.strip() for answer in answers):
        if not answer or any(answer in part for part in shown):
            continue
        for passage in passages:
            place = _place(passage, answer)
            if place:
                start, end = max(0, place[0] - _AROUND), place[1] + _AROUND
                shown.append(("…" if start else "") + passage[start:end] + ("…" if end < len(passage) else ""))
                break
    return "\n".join(shown)
