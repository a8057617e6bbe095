"""What an example of question answering is: a question, its passages, and what gold says of both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Passage:
    """A text in which the answer may stand, as in the file (markup included: answers are slices of it).

    Attributes:
        answers: what gold says that this very passage answers; an empty one where the file has it.
        starts: beside ``answers`` the character at which each begins as the file says it, −1 where unknown; may be
            wrong, see :func:`check_start`.
        document: number of its document among those of the question, from 0.
        paragraph: number of it in its document, from 0.
        title: of the document or article.
    """

    text: str
    answers: tuple[str, ...] = ()
    starts: tuple[int, ...] = ()
    document: int = 0
    paragraph: int = 0
    title: str = ""


@dataclass(frozen=True, slots=True)
class Question:
    """One question with its passages.

    Attributes:
        question_id: as in the file, integers as strings; the number of the question in its file where it has none.
        answers: all references. Empty where none is given or the question is impossible.
        is_impossible: whether the passages hold no answer; None where the form does not tell.
        kind: ``DESCRIPTION``, ``ENTITY`` or ``YES_NO``; empty where the form does not tell.
        labels: beside ``answers`` for YES_NO: ``Yes``, ``No``, ``Depends`` and the like.
        entities: beside ``answers`` for ENTITY: the entities in each.
        form: one of ``FORMS``.
        line: 1-based; 0 in files that are one JSON document, whose questions are not told by lines.
        segmented: whether the file has the passages as words only, so that their texts are words joined.
    """

    question_id: str
    text: str
    passages: tuple[Passage, ...]
    answers: tuple[str, ...] = ()
    is_impossible: bool | None = None
    kind: str = ""
    labels: tuple[str, ...] = ()
    entities: tuple[tuple[str, ...], ...] = ()
    form: str = ""
    file: str = ""
    line: int = 0
    segmented: bool = False


def check_start(passage: str, answer: str, start: int) -> tuple[int, str]:
    """(where the answer begins in the passage, what was wrong with ``start``).

    The second is empty if the answer stands at ``start``; ``repaired`` if it stands elsewhere, then the nearest place
    is told (the first one for a ``start`` of −1, unknown); ``not in the passage`` or ``empty`` with −1.
    """
    if not answer.strip():
        return -1, "empty"
    if start >= 0 and passage.startswith(answer, start):
        return start, ""
    target = min(max(start, 0), len(passage))
    before = passage.rfind(answer, 0, target + len(answer) - 1) if target else -1  # begins left of the target
    after = passage.find(answer, target)
    if before < 0 and after < 0:
        return -1, "not in the passage"
    if before < 0 or (after >= 0 and after - target < target - before):
        return after, "repaired"
    return before, "repaired"


def told_apart(questions: Sequence[Question]) -> Sequence[Question]:
    """Questions whose ids differ: those of several files that have none are numbered in each."""
    if len({question.question_id for question in questions}) == len(questions):
        return questions
    return [replace(question, question_id=f"{number}") for number, question in enumerate(questions, 1)]
