"""The answers of a question one by one, whatever the form of its file: where each stands, and which are the same."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ietool.files.records import digest
from ietool.tasks.qa.data.question import Question, check_start
from ietool.text.characters import fold
from ietool.text.matching import occurrences

WHOLE = -1
"""In place of a passage: an answer of the question, in whichever passages it stands."""
UNKNOWN = -1
"""In place of a start: an answer counts wherever it stands in its passage."""

Place = tuple[int, int, int]
"""(passage, start, end), half-open."""


@dataclass(frozen=True)
class Answer:
    """One answer.

    Attributes:
        passage: its index among those of the question, or :data:`WHOLE`.
        start: its first character in that passage, or :data:`UNKNOWN`.
    """

    text: str
    passage: int = WHOLE
    start: int = UNKNOWN

    @property
    def key(self) -> tuple[int, int, str]:
        """What two answers share that are the same: passage, place as far as it is told, string but for its case and
        width."""
        return self.passage, self.start, fold(self.text).strip()

    def overlaps(self, other: Answer) -> bool:
        """Whether two answers of a passage share characters, or are one in the other where places are not told."""
        if self.start != UNKNOWN and other.start != UNKNOWN:
            return self.start < other.start + len(other.text) and other.start < self.start + len(self.text)
        one, two = self.key[2], other.key[2]
        return one in two or two in one


def is_marked(question: Question) -> bool:
    """Whether passages are told to answer; else the references stand for the question as a whole."""
    return any(answer.strip() for passage in question.passages for answer in passage.answers)


def tells_places(question: Question) -> bool:
    """Whether the file tells at which character answers begin; where it has none, whether it would."""
    starts = [start for passage in question.passages for start in passage.starts]
    return question.form != "webqa" and all(start >= 0 for start in starts)


def marked(question: Question, passage: int, text: str, start: int) -> Answer:
    """What a passage answers as its file has it; ``start`` as the file says it, below zero where it does not."""
    bare, content = text.strip(), question.passages[passage].text
    if start >= 0 and content.startswith(text, start):
        start += text.index(bare)  # it was told with the blanks around it
    return Answer(bare, passage, check_start(content, bare, start)[0] if start >= 0 else UNKNOWN)


def answers_of(question: Question) -> list[Answer]:
    """The gold answers of a question, each once, in the order of the file: what its passages answer; where none is
    marked, its references."""
    if question.is_impossible:
        return []
    if is_marked(question):
        every = [
            marked(question, index, text, start)
            for index, passage in enumerate(question.passages)
            for text, start in zip(passage.answers, passage.starts, strict=True)
            if text.strip()
        ]
    else:
        every = [Answer(text.strip()) for text in question.answers if text.strip()]
    return list({answer.key: answer for answer in reversed(every)}.values())[::-1]


def places_of(question: Question, answer: Answer) -> Iterator[Place]:
    """Where an answer stands; nowhere if its string is not in the text."""
    if answer.start != UNKNOWN:
        yield answer.passage, answer.start, answer.start + len(answer.text)
        return
    text = fold(answer.text)
    for index in range(len(question.passages)) if answer.passage == WHOLE else (answer.passage,):
        for start in occurrences(text, fold(question.passages[index].text)):
            yield index, start, start + len(text)


def mark_of(question: Question) -> str:
    """What tells a question from all others: its text, its id and its passages."""
    return f"{question.text}\t{question.question_id}\t{digest(repr([p.text for p in question.passages]))[:8].hex()}"


def unit_of(question: Question, answer: Answer) -> int:
    """Number of what has one answer: the passage, of DuReader 2.0 the document, or the question as a whole."""
    return WHOLE if answer.passage == WHOLE else question.passages[answer.passage].document
