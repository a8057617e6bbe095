"""Pairs of a question and a piece of a passage, as a pretrained encoder reads them; nothing is cut in silence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from ietool.text.tokens import PairUnits, TokenReader
from ietool.text.windows import windows
from ietool.training.batches import pad


@dataclass(frozen=True)
class Piece:
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
        do not lie in the piece, or of which the tokens miss an end, are left out."""
        units = self.units.of(1)
        found = []
        for a, b in np.asarray(spans, np.int64).reshape(-1, 2) - self.start:
            at = np.flatnonzero(units.inside & (units.ends > a) & (units.starts < b))
            if a >= 0 and len(at) and units.starts[at[0]] <= a and units.ends[at[-1]] >= b:
                found.append((at[0], at[-1]))
        return np.array(found, np.int64).reshape(-1, 2)


def encode(reader: TokenReader, question: str, passage: str, spans: Sequence[tuple[int, int]]) -> list[Piece]:
    """Pieces ``[start, end)`` of a passage; one whose tokens are more than the encoder has positions for is halved, its
    halves sharing a quarter of it."""
    found = []
    pairs = reader.pairs([question] * len(spans), [passage[a:b] for a, b in spans])
    for (start, end), units in zip(spans, pairs, strict=True):
        reached = int(units.ends[units.part == 1].max(initial=0))
        if not passage[start + reached : end].strip() or end - start < 8:
            found.append(Piece(start, end, units))
            continue
        size = (end - start) * 5 // 8
        halves = windows(passage[start:end], size, (end - start) // 4)
        found += encode(reader, question, passage, [(start + a, start + b) for a, b in halves])
    return found


def batch_of(pieces: Sequence[Piece]) -> dict[str, torch.Tensor]:
    """The tensors that the models' ``read`` takes: ``ids``, ``token_types``, ``lengths`` and ``passage``."""
    longest = max(len(piece.units) for piece in pieces)
    return {
        "ids": pad([piece.units.ids for piece in pieces], longest),
        "token_types": pad([piece.units.types for piece in pieces], longest),
        "lengths": torch.tensor([len(piece.units) for piece in pieces]),
        "passage": pad([piece.passage for piece in pieces], longest).bool(),
    }
