"""What tokens can express: counted over many texts at once, since a tokenizer is slow on one alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ietool.core.survey import OracleCounts
from ietool.tasks.qa.data.question import Question
from ietool.tasks.qa.features.locate import BORDERS, LONG
from ietool.tasks.qa.heads.training_rows import Spans
from ietool.text.tokens import NO_LIMIT, TokenReader

BATCH = 512
"""Texts that are read at once."""


class TokenSurvey:
    """Counts questions none of whose answers is a row of whole tokens, and collects the tokens of texts.

    Args:
        reader: what the encoder reads with; here it reads texts of any length.
        longest: tokens of an answer, at most.
    """

    def __init__(self, reader: TokenReader, longest: int | None = None) -> None:
        self.reader = TokenReader(reader.tokenizer, NO_LIMIT)
        self.longest = longest
        self.seen: set[int] = set()
        self.unknown = self.units = 0
        """Tokens that stand for characters, so far, and those of them that are unknown."""
        self._texts: dict[str, int] = {}
        self._answers: list[tuple[OracleCounts, list[tuple[int, Sequence[tuple[int, int]]]]]] = []

    def add(self, question: Question, passages: Sequence[int], answers: Spans, counts: OracleCounts) -> None:
        """A question with the ``passages`` whose tokens count as seen; it is lost in ``counts`` where none of its
        ``answers`` can be expressed."""
        for text in (question.text, *(question.passages[index].text for index in passages)):
            self._place(text)
        if answers:
            places = [(self._place(question.passages[index].text), spans) for index, spans in answers.items()]
            self._answers.append((counts, places))
        if len(self._texts) >= BATCH:
            self.flush()

    def flush(self) -> None:
        """Count what was added so far."""
        units = self.reader.units_all(list(self._texts))
        for one in units:
            self.seen.update(one.ids.tolist())
            self.units += int(one.inside.sum())
            self.unknown += int(np.count_nonzero(one.ids == self.reader.unknown))
        for counts, answers in self._answers:
            found = np.concatenate([units[at].spans_of(np.array(spans)) for at, spans in answers])
            sizes = (found[:, 1] - found[:, 0])[found[:, 0] >= 0]
            if not len(sizes):
                counts.lost[BORDERS] += 1
            elif self.longest is not None and sizes.min() > self.longest:
                counts.lost[LONG] += 1
        self._texts, self._answers = {}, []

    def _place(self, text: str) -> int:
        """Its number in the batch; each text is read once, since many questions may share a passage."""
        return self._texts.setdefault(text, len(self._texts))
