"""From candidates to an answer: no model here, and no torch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable, Sequence
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from ietool.core.candidates import Candidates, Floor, Layout, Parts
from ietool.tasks.qa.data.question import Question
from ietool.tasks.qa.features.labels import LABELS
from ietool.tasks.qa.heads.voting import Answered, SpanRow, submitted, vote

SPANS = 20
"""Spans of a window that are looked at, and candidates of a question that are kept."""


class QaDecoder(ABC):
    """Lets the passages vote for an answer. Rows are (passage, start, end), in characters of the passage."""

    layout: ClassVar[Layout]

    @abstractmethod
    def floor(self, decode: Any) -> Floor:
        """As in :class:`ietool.core.predicting.Decoder`."""

    labels: ClassVar[None] = None
    """As in :class:`ietool.core.joining.JoinedDecoder`: rows number no labels."""

    def joined(self, others: Sequence[Any]) -> QaDecoder:
        """As in :class:`ietool.core.joining.JoinedDecoder`."""
        return JoinedAnswers()

    def plain(self, parts: Parts) -> Parts:
        """As in :class:`ietool.core.joining.JoinedDecoder`: the probability of an answer."""
        return self.layout.probability(parts)[:, None]

    def kept(self, found: Candidates, decode: Any) -> npt.NDArray[np.bool_]:
        """(n,): which rows may be an answer with these settings."""
        kept: npt.NDArray[np.bool_] = found.rows[:, 2] - found.rows[:, 1] <= decode.longest
        return kept

    def choice(self, found: Candidates, decode: Any) -> tuple[npt.NDArray[np.bool_], Hashable]:
        """As in :class:`ietool.core.predicting.Choosing`. The probability of an answer is that of its best row."""
        value = self.layout.probability(found.parts)
        sure = value.astype(np.float64) >= decode.no_answer
        return np.stack([self.kept(found, decode) & (value > 0), sure], 1), (decode.voting, decode.none, decode.nbest)

    def decode(self, item: Question, found: Candidates, decode: Any) -> Answered:
        """As in :class:`ietool.core.predicting.Decoder`."""
        value = self.layout.probability(found.parts)
        kept = self.kept(found, decode) & (value > 0)
        spans: dict[int, list[SpanRow]] = {}
        for (passage, start, end), v in zip(found.rows[kept].tolist(), value[kept].tolist(), strict=True):
            spans.setdefault(passage, []).append((start, end, v))
        texts = [passage.text for passage in item.passages]
        candidates = vote(texts, spans, voting=decode.voting, rule=decode.vote, most=max(SPANS, decode.nbest))
        answer = submitted(candidates, decode)
        return Answered(
            item.question_id,
            item.text,
            tuple(candidates),
            answer,
            form=item.form,
            kind=item.kind,
            label=label_of(item, found) if answer else "",
            nbest=decode.nbest,
        )


class JoinedAnswers(QaDecoder):
    """Of spans that several heads speak of, and whose probability alone is known."""

    layout = Layout(("passage", "start", "end"), ("answer",), ("answer",), tuple(label.lower() for label in LABELS))

    def floor(self, decode: Any) -> Floor:
        return Floor(parts={"answer": 0.0})


def label_of(question: Question, found: Candidates) -> str:
    """The label of a YES_NO question; empty for others, and where the model has no labels."""
    if question.kind != "YES_NO" or not len(found.whole) or found.whole.max() < 0:
        return ""
    return LABELS[int(found.whole.argmax())]
