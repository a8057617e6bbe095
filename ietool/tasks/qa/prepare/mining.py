"""Passages that do not answer, for data that has none: of other questions, those that are nearest in words.

A reader that was only shown passages with an answer finds one in every passage; where a question comes with many, it
must have learnt which of them say nothing. The passages are looked for by the pairs of characters that a question
shares with them (cosine of pairs weighted by their rarity), among at most ``ROOM`` characters of train's passages, so
that neither memory nor the time of a question grows with the file.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ietool.core.intake import bare, plain
from ietool.files.records import digest
from ietool.tasks.qa.data.question import Passage, Question
from ietool.tasks.qa.features.cooccurrence import telling_pairs
from ietool.tasks.qa.heads.mined import EACH
from ietool.tasks.qa.prepare.survey import Survey
from ietool.text.characters import fold

ROOM = 1 << 21
"""Characters of passages that are looked through, at most; of more, some are drawn by their text alone."""

FEW = 0.05
"""Share of passages without an answer below which data is said to have none."""

LISTS = "webqa"
"""The form in which a question comes with many passages, at prediction too."""


def has_none(train: Survey) -> bool:
    """Whether hardly any passage of train lacks an answer."""
    return train.passages - train.answering < FEW * train.passages


def wanted(asked: int | None, train: Survey) -> int:
    """How many passages of other questions each question gets: as many as are asked for; if nothing is said, some where
    questions are of the form that has many passages and hardly any of train's lacks an answer."""
    if asked is not None:
        return asked
    return EACH if has_none(train) and 2 * train.forms[LISTS] > train.records else 0


class _Entry(NamedTuple):
    group: int
    text: str
    bare: str


class Passages:
    """Passages of train, by the pairs of characters that they hold.

    Args:
        questions: of train, each with the numbers of its passages that are read.
        groups: (questions,) a number for each; questions of one number are near-duplicates.
        room: characters that are kept at most.
    """

    def __init__(
        self, questions: Iterable[tuple[Question, Iterable[int]]], groups: npt.NDArray[np.integer], room: int = ROOM
    ) -> None:
        drawn: list[tuple[int, _Entry]] = []  # a heap, the first to go foremost
        seen: set[int] = set()
        size, limit = 0, 1 << 8 * len(digest(""))
        for (question, read), group in zip(questions, groups, strict=True):
            for index in read:
                text = question.passages[index].text
                stripped = bare(text)
                # The mark of a text is as good as a die, and falls alike whatever stands around it in the file.
                mark = int.from_bytes(digest(stripped))
                if mark >= limit or mark in seen:
                    continue
                seen.add(mark)
                heapq.heappush(drawn, (-mark, _Entry(int(group), text, stripped)))
                size += len(text)
                while size > room and len(drawn) > 1:
                    gone, entry = heapq.heappop(drawn)
                    limit = -gone
                    seen.discard(limit)
                    size -= len(entry.text)
        self._entries = [entry for _, entry in sorted(drawn, key=lambda pair: -pair[0])]
        self._index()

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def texts(self) -> list[str]:
        """The passages, in the order of their numbers."""
        return [entry.text for entry in self._entries]

    def _index(self) -> None:
        """Pair → the passages that hold it, ``_holding[_first[pair] : _first[pair + 1]]``, and its rarity."""
        pairs = [_codes(entry.text) for entry in self._entries]
        holding = np.repeat(np.arange(len(pairs), dtype=np.int32), [len(some) for some in pairs])
        every = np.concatenate(pairs) if pairs else np.zeros(0, np.int64)
        order = np.argsort(every, kind="stable")
        self._pairs, first, counts = np.unique(every[order], return_index=True, return_counts=True)
        self._holding, self._first = holding[order], np.append(first, len(every))
        self._rarity = np.log((1 + len(pairs)) / counts)
        squares = np.zeros(len(pairs))
        np.add.at(squares, self._holding, np.repeat(self._rarity**2, counts))
        self._norms = np.sqrt(np.maximum(squares, 1e-9))

    def nearness(self, text: str) -> npt.NDArray[np.float64]:
        """(passages,): how near each is to a text, 0 where they share no pair."""
        codes = _codes(text)
        at = np.searchsorted(self._pairs, codes)
        known = at < len(self._pairs)
        known[known] = self._pairs[at[known]] == codes[known]
        found = np.zeros(len(self))
        for pair in at[known].tolist():
            found[self._holding[self._first[pair] : self._first[pair + 1]]] += self._rarity[pair] ** 2
        return found / self._norms

    def near(self, question: Question, group: int, count: int, *, answering: bool = False) -> list[str]:
        """The ``count`` passages nearest to a question, nearest first, fewer where no more share anything with it.

        None is of a question of its ``group``, none is one of its own.

        Args:
            answering: take those too that hold one of its answers, whatever its case, width and punctuation.
        """
        nearness = self.nearness(question.text)
        shared = np.flatnonzero(nearness)
        own = {bare(passage.text) for passage in question.passages}
        answers = {bare(answer) for answer in answers_of(question)}
        # What has no letter or digit is no part of what texts are stripped to.
        signs = {plain(answer) for answer in answers if not any(map(str.isalnum, answer))}
        found: list[str] = []
        for at in shared[np.lexsort((shared, -nearness[shared]))].tolist():
            if len(found) == count:
                break
            entry = self._entries[at]
            if entry.group == group or entry.bare in own:
                continue
            holds = any(answer in entry.bare for answer in answers)
            holds = holds or (bool(signs) and any(sign in plain(entry.text) for sign in signs))
            if answering or not holds:
                found.append(entry.text)
        return found


def answers_of(question: Question) -> set[str]:
    """All that gold takes for an answer of a question, without blanks around it."""
    given = {*question.answers, *(answer for passage in question.passages for answer in passage.answers)}
    return {answer.strip() for answer in given} - {""}


def mined(
    questions: Iterable[Question], passages: Passages, groups: npt.NDArray[np.integer], count: int
) -> Iterator[tuple[int, Question]]:
    """(row number, question with the passages that were found for it in place of its own) of all that have answers:
    what would be right for the others is not known."""
    for row, question in enumerate(questions):
        if not answers_of(question):
            continue
        found = passages.near(question, int(groups[row]), count)
        if found:
            texts = tuple(map(Passage, found))
            yield row, Question(question.question_id, question.text, texts, form=question.form)


def _codes(text: str) -> npt.NDArray[np.int64]:
    """The telling pairs of a text as sorted numbers."""
    return np.array(sorted(ord(pair[0]) << 21 | ord(pair[1]) for pair in telling_pairs(fold(text))), np.int64)
