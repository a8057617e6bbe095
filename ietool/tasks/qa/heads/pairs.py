"""Pairs of a question and a window of a passage, as a pretrained encoder reads them; nothing is cut in silence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from ietool.tasks.qa.data.question import Question
from ietool.tasks.qa.features.featurizer import asked, chosen
from ietool.tasks.qa.recipe import DataSection
from ietool.text.tokens import PairUnits, TokenReader
from ietool.text.windows import windows
from ietool.training.batches import LONGEST, Width, pad

SMALLEST = 8
"""Characters of a window that is not halved any more."""


@dataclass(frozen=True)
class PairWindow:
    """A question with the characters ``[start, end)`` of a passage, as T tokens."""

    start: int
    end: int
    units: PairUnits

    @property
    def passage(self) -> npt.NDArray[np.bool_]:
        """(T,): which tokens stand for characters of the passage."""
        return (self.units.part == 1) & (self.units.ends > self.units.starts)

    def covering(self, spans: npt.NDArray[np.integer]) -> npt.NDArray[np.int64]:
        """The tokens that spans of the passage, (n, 2) half-open characters, touch: first and last, (n, 2). Spans that
        do not lie in the window, or of which the tokens miss an end, are left out."""
        units = self.units.of(1)
        found = []
        for a, b in np.asarray(spans, np.int64).reshape(-1, 2) - self.start:
            at = np.flatnonzero(units.inside & (units.ends > a) & (units.starts < b))
            if a >= 0 and len(at) and units.starts[at[0]] <= a and units.ends[at[-1]] >= b:
                found.append((at[0], at[-1]))
        return np.array(found, np.int64).reshape(-1, 2)


def windows_of(question: Question, data: DataSection, reader: TokenReader) -> Iterator[tuple[int, PairWindow]]:
    """(passage, window) of all that is read of a question."""
    text = asked(question.text, data.question)
    for passage in chosen(question, data.paragraphs):
        whole = question.passages[passage].text
        for window in encode(reader, text, whole, windows(whole, data.window, data.overlap), data.overlap):
            yield passage, window


def encode(
    reader: TokenReader, question: str, passage: str, spans: Sequence[tuple[int, int]], overlap: int
) -> list[PairWindow]:
    """Windows ``[start, end)`` of a passage; one whose tokens are more than the encoder has positions for is halved.

    Args:
        overlap: characters that the halves share, at most half of the window.
    """
    question = fitting(reader, question)
    special = reader.tokenizer.num_special_tokens_to_add(pair=True)
    found = []
    pairs = reader.pairs([question] * len(spans), [passage[a:b] for a, b in spans])
    for (start, end), units in zip(spans, pairs, strict=True):
        is_full = np.count_nonzero(units.part >= 0) + special >= reader.limit
        reached = int(units.ends[units.part == 1].max(initial=0))
        if not is_full or not passage[start + reached : end].strip() or end - start < SMALLEST:
            found.append(PairWindow(start, end, units))
            continue
        shared = min(overlap, (end - start) // 2)
        halves = windows(passage[start:end], (end - start + shared + 1) // 2, shared)
        found += encode(reader, question, passage, [(start + a, start + b) for a, b in halves], overlap)
    return found


def fitting(reader: TokenReader, question: str) -> str:
    """What is read of a question where its tokens are more than half of the encoder's positions: its first and last
    characters; else all of it."""
    room = reader.limit // 2
    # A character is rarely more than four tokens: most questions need not be looked at.
    while len(question) > 1 and 4 * len(question) > room:
        count = len(reader.units(question))
        if count <= room:
            break
        question = asked(question, min(len(question) - 1, len(question) * room // count))
    return question


def batch_of(pairs: Sequence[PairWindow], width: Width = LONGEST) -> dict[str, torch.Tensor]:
    """The tensors that the models' ``read`` takes: ``ids``, ``token_types``, ``lengths`` and ``passage``."""
    longest = width.of([pair.units for pair in pairs])
    return {
        "ids": pad([pair.units.ids for pair in pairs], longest),
        "token_types": pad([pair.units.types for pair in pairs], longest),
        "lengths": torch.tensor([len(pair.units) for pair in pairs]),
        "passage": pad([pair.passage for pair in pairs], longest).bool(),
    }
