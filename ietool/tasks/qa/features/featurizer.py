"""A question and a passage as the model's input."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ietool.tasks.qa.data.question import Passage, Question
from ietool.tasks.qa.features.cooccurrence import cooccurrence, shared
from ietool.tasks.qa.recipe import QaRecipe
from ietool.text.characters import fold
from ietool.text.encoding import Ids, TextEncoder
from ietool.text.segmentation import word_spans


@dataclass(frozen=True)
class Features:
    """A passage of L characters read for a question of M: ids of both, and what they share, (L, COOCCURRENCE) bytes."""

    question: Ids
    passage: Ids
    shared: npt.NDArray[np.uint8]

    def window(self, start: int, end: int) -> Features:
        """The same for a piece of the passage; what is shared is that of the whole."""
        characters, words, tags = self.passage
        cut = slice(start, end)
        return Features(self.question, (characters[cut], words[cut], tags[cut]), self.shared[cut])


class Featurizer:
    """Turns questions and passages into features; opened from a prepared folder or a run folder."""

    def __init__(self, recipe: QaRecipe, encoder: TextEncoder) -> None:
        self.recipe, self.encoder = recipe, encoder

    @classmethod
    def open(cls, recipe: QaRecipe, folder: Path) -> Featurizer:
        """From what ``copy_vocabulary`` copies."""
        return cls(recipe, TextEncoder.open(folder))

    def question(self, text: str) -> tuple[str, Ids]:
        """A question as it is read, folded, and its ids."""
        text = asked(text, self.recipe.data.question)
        return fold(text), self.encoder.ids(text)

    def encode(self, question: tuple[str, Ids], passage: str) -> Features:
        """Features of a passage; ``question`` as :meth:`question` gives it."""
        folded = fold(passage)
        return Features(question[1], self.encoder.ids(passage), cooccurrence(question[0], folded, word_spans(folded)))


def asked(question: str, limit: int) -> str:
    """What is read of a question: all of it, or the first and the last half of ``limit`` characters."""
    return question if len(question) <= limit else question[: limit // 2] + question[-(limit - limit // 2) :]


def chosen(question: Question, limit: int) -> list[int]:
    """Indices of the passages that are read, in their order: not the empty ones, and of more than ``limit`` (0: none)
    those that share most with the question."""
    given = [i for i, passage in enumerate(question.passages) if passage.text.strip()]
    if not limit or len(given) <= limit:
        return given
    return sorted(best_passages(question.text, question.passages, given, limit))


def best_passages(question: str, passages: Sequence[Passage], among: Sequence[int], count: int) -> list[int]:
    """Those that repeat most of a question, the earlier one first where two repeat as much."""
    folded = fold(question)
    scores = {i: shared(folded, fold(passages[i].text)) for i in among}
    return sorted(among, key=lambda i: (-scores[i], i))[:count]
