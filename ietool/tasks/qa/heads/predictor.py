"""Reading questions in batches of windows of like length, whatever the model makes of a window."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import numpy as np

from ietool.tasks.qa.data.reading import Question
from ietool.tasks.qa.features.labels import LABELS
from ietool.tasks.qa.heads.voting import Answered, Scored, submitted, vote
from ietool.tasks.qa.recipe import QaRecipe

SPANS = 20
"""Spans of a window that are looked at."""

Window = TypeVar("Window")


@dataclass
class _Open:
    """A question whose windows are being read: spans by passage, sums of label probabilities and their weight."""

    question: Question
    spans: dict[int, list[Scored]] = field(default_factory=dict)
    labels: np.ndarray = field(default_factory=lambda: np.zeros(len(LABELS)))


class PooledPredictor(ABC, Generic[Window]):
    """Reads questions in batches of windows of like length; memory is bounded by ``pool_batches`` batches of windows
    and the passages of one question.

    Args:
        has_labels: whether YES_NO questions get a label.
    """

    def __init__(self, recipe: QaRecipe, *, has_labels: bool, pool_batches: int = 16) -> None:
        self.recipe, self.has_labels, self.pool_batches = recipe, has_labels, pool_batches
        self.highest_probability = 0.0
        self.notes: Sequence[str] = ()
        if recipe.data.overlap < recipe.decode.longest:
            self.notes = (
                f"answers of more than {recipe.data.overlap} characters can be lost where windows meet "
                "(data.overlap is less than decode.longest)",
            )

    @abstractmethod
    def pieces(self, question: Question) -> Iterator[tuple[int, int, Window]]:
        """(passage, start, window) of all that is read of a question."""

    @abstractmethod
    def length(self, piece: Window) -> int:
        """By which windows are put together."""

    @abstractmethod
    def spans(self, pieces: Sequence[Window]) -> tuple[list[list[Scored]], np.ndarray]:
        """The best spans of each window, counted from its start, and (B, labels) probabilities of the labels of YES_NO
        questions."""

    def predict(self, inputs: Iterable[Question]) -> Iterator[Answered]:
        """Answers in the order of the questions."""
        limit = self.recipe.decode.batch_size * self.pool_batches
        pool: list[_Open] = []
        pieces: list[tuple[int, int, int, Window]] = []
        for question in inputs:
            pool.append(_Open(question))
            for piece in self.pieces(question):
                pieces.append((len(pool) - 1, *piece))
                if len(pieces) >= limit:
                    # The windows so far are read; the question itself may go on.
                    number = len(pool) - 1
                    self._read(pool, pieces)
                    pieces = []
                    yield from map(self._answer, pool[:number])
                    del pool[:number]
        self._read(pool, pieces)
        yield from map(self._answer, pool)

    def _read(self, pool: Sequence[_Open], pieces: list[tuple[int, int, int, Window]]) -> None:
        pieces.sort(key=lambda piece: self.length(piece[3]))
        size = self.recipe.decode.batch_size
        for at in range(0, len(pieces), size):
            some = pieces[at : at + size]
            found, labels = self.spans([piece[3] for piece in some])
            for (number, passage, start, _), spans, label in zip(some, found, labels, strict=True):
                known = pool[number].spans.setdefault(passage, [])
                known += [(a + start, b + start, value) for a, b, value in spans]
                pool[number].labels += label * max((value for _, _, value in spans), default=0.0)

    def _answer(self, opened: _Open) -> Answered:
        question, decode = opened.question, self.recipe.decode
        candidates = vote([p.text for p in question.passages], opened.spans, voting=decode.voting)[
            : max(SPANS, decode.nbest)
        ]
        label = ""
        if self.has_labels and question.kind == "YES_NO":
            label = LABELS[int(opened.labels.argmax())]
        return Answered(
            question.question_id,
            question.text,
            tuple(candidates),
            submitted(candidates, decode),
            form=question.form,
            kind=question.kind,
            label=label,
            nbest=decode.nbest,
        )
