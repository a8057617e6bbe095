"""From start and end probabilities on tokens to spans of the passage."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import cast

import numpy as np
import torch
from torch import Tensor

from ietool.errors import UserError
from ietool.tasks.qa.data.reading import Question
from ietool.tasks.qa.features.featurizer import asked, chosen
from ietool.tasks.qa.features.labels import LABELS
from ietool.tasks.qa.heads.predictor import SPANS, PooledPredictor
from ietool.tasks.qa.heads.span.model import SpanModel
from ietool.tasks.qa.heads.span.pieces import Piece, batch_of, encode
from ietool.tasks.qa.heads.voting import Scored
from ietool.tasks.qa.recipe import QaRecipe
from ietool.text.readers import open_reader
from ietool.text.tokens import TokenReader
from ietool.text.windows import windows
from ietool.training.batches import pad


class TokenPredictor(PooledPredictor[Piece]):
    """Reads questions with the windows of their passages as pairs."""

    def __init__(self, recipe: QaRecipe, reader: TokenReader, *, has_labels: bool, pool_batches: int) -> None:
        super().__init__(recipe, has_labels=has_labels, pool_batches=pool_batches)
        self.reader = reader

    def pieces(self, question: Question) -> Iterator[tuple[int, int, Piece]]:
        data = self.recipe.data
        text = asked(question.text, data.question)
        for index in chosen(question, data.paragraphs):
            passage = question.passages[index].text
            cut = windows(passage, data.window, data.overlap)
            for piece in encode(self.reader, text, passage, cut, data.overlap):
                yield index, piece.start, piece

    def length(self, piece: Piece) -> int:
        return len(piece.units)


class SpanPredictor(TokenPredictor):
    """Finds starts and ends."""

    def __init__(self, recipe: QaRecipe, model: SpanModel, reader: TokenReader, *, pool_batches: int = 16) -> None:
        super().__init__(recipe, reader, has_labels=model.label is not None, pool_batches=pool_batches)
        self.model = model

    @torch.inference_mode()
    def spans(self, pieces: Sequence[Piece]) -> tuple[list[list[Scored]], np.ndarray]:
        device, decode = self.model.device, self.recipe.decode
        batch = {name: value.to(device) for name, value in batch_of(pieces).items()}
        logits, labels = self.model.read(**batch)
        p = self.model.probabilities(logits)
        self.highest_probability = max(self.highest_probability, float(p.max()))
        longest = p.shape[1]
        starts = pad([piece.units.starts for piece in pieces], longest).to(device)
        ends = pad([piece.units.ends for piece in pieces], longest).to(device)
        rows = best_spans(p, starts, ends, decode.longest, min_start=decode.start, min_end=decode.end)
        shares = np.zeros((len(pieces), len(LABELS)))
        if labels is not None:
            shares = labels.softmax(-1).cpu().numpy()
        return rows, shares


def best_spans(
    p: Tensor,
    starts: Tensor,
    ends: Tensor,
    longest: int,
    *,
    min_start: float = 0.0,
    min_end: float = 0.0,
    count: int = SPANS,
) -> list[list[Scored]]:
    """The spans with the highest product of start and end, best first.

    Args:
        p: (B, T, 2) probabilities of tokens.
        starts, ends: (B, T) characters ``[start, end)`` that a token stands for.
        longest: characters of a span, at most.
        min_start, min_end: what a start and an end must exceed.
        count: how many spans.

    Returns:
        For each row half-open spans of characters with their probability; those of none are left out.
    """
    b, length, _ = p.shape
    start = torch.where(p[..., 0] > min_start, p[..., 0], 0.0)
    end = torch.where(p[..., 1] > min_end, p[..., 1], 0.0)
    size = ends.unsqueeze(1) - starts.unsqueeze(2)  # (B, T, T) characters
    at = torch.arange(length, device=p.device)
    fits = (at >= at.unsqueeze(1)) & (size <= longest) & (size > 0)
    products = (start.unsqueeze(2) * end.unsqueeze(1) * fits).reshape(b, -1)
    values, flat = products.topk(min(count, products.shape[1]), dim=1)
    begins = starts.gather(1, flat.div(length, rounding_mode="floor"))
    stops = ends.gather(1, flat % length)
    rows = zip(begins.tolist(), stops.tolist(), values.tolist(), strict=True)
    return [[(a, z, v) for a, z, v in zip(*row, strict=True) if v > 0] for row in rows]


def open_predictor(recipe: QaRecipe, model: SpanModel, assets: Path) -> SpanPredictor:
    """A predictor with the tokenizer that a run folder or prepared folder carries. Raises UserError if it belongs to
    another model."""
    reader = cast(TokenReader, open_reader(assets))
    settings = model.config.encoder or {}
    if not isinstance(reader, TokenReader) or reader.size > settings.get("vocab_size", 0):
        raise UserError("its tokenizer does not fit the model beside it", file=assets, mend="train again")
    return SpanPredictor(recipe, model, reader)
