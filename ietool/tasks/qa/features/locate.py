"""Where in a passage its answers stand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ietool.tasks.qa.data.question import Passage, Question, check_start
from ietool.text.characters import fold
from ietool.text.matching import occurrences

EMPTY, MISSING, LONG = "the answer is empty", "the answer is not in the passage", "the answer is too long"
UNREAD = "its passage is not among those that are read"
BORDERS = "no token begins or ends there"
REASONS = (EMPTY, MISSING, LONG, UNREAD, BORDERS)

MENDS = {
    MISSING: "see that answers and passages belong together",
    LONG: "raise decode.longest, and model.head.masks where there are masks",
    UNREAD: "raise data.paragraphs",
    BORDERS: "name another model.encoder",
}
"""What can be done about a reason."""


def locate(passage: Passage) -> tuple[list[tuple[int, int]], int]:
    """Half-open spans of a passage's answers, and how many given positions were wrong and could be mended.

    An answer with a position counts there alone; one without counts wherever it stands.
    """
    found: set[tuple[int, int]] = set()
    repaired = 0
    folded = fold(passage.text)
    for answer, given in zip(passage.answers, passage.starts, strict=True):
        text = answer.strip()
        if not text:
            continue
        if given >= 0 and passage.text.startswith(answer, given):
            given += answer.index(text)  # it was told with the blanks around it
        start, reason = check_start(passage.text, text, given) if given >= 0 else (-1, "")
        if start >= 0:
            repaired += bool(reason)
            found.add((start, start + len(text)))
        else:
            found.update((at, at + len(text)) for at in occurrences(fold(text), folded))
    return sorted(found), repaired


def annotated(question: Question) -> tuple[Passage, ...]:
    """The passages of a question with what they answer: where gold marks none of them, as in raw DuReader 2.0, the
    references count wherever they stand."""
    marked = any(answer.strip() for passage in question.passages for answer in passage.answers)
    if marked or question.is_impossible or not question.answers:
        return question.passages
    unknown = (-1,) * len(question.answers)
    return tuple(replace(passage, answers=question.answers, starts=unknown) for passage in question.passages)


def best_of(spans: Sequence[tuple[int, int]], longest: int) -> list[tuple[int, int]]:
    """The spans that an answer of at most ``longest`` characters can be."""
    return [(start, end) for start, end in spans if end - start <= longest]
