"""What start and end on a pretrained encoder say of spans, before any threshold."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor

from ietool.core.fit import check_fit
from ietool.nn.transfer import sent
from ietool.runs.entry import RECIPE_FILE
from ietool.tasks.qa.data.question import Question
from ietool.tasks.qa.heads.decoder import SPANS
from ietool.tasks.qa.heads.endpoint_reader import Best, EndpointReader, Least, Read
from ietool.tasks.qa.heads.pairs import PairWindow, batch_of, windows_of
from ietool.tasks.qa.heads.span.model import SpanModel
from ietool.tasks.qa.heads.span.recipe import SpanRecipe
from ietool.text.readers import open_reader as open_tokens
from ietool.text.tokens import TokenReader
from ietool.training.batches import pad


class SpanReader(EndpointReader[PairWindow]):
    """Finds starts and ends among the tokens of a passage."""

    def __init__(self, recipe: SpanRecipe, model: SpanModel, tokens: TokenReader, *, pool: int = 16) -> None:
        super().__init__(recipe, has_labels=model.label is not None, pool=pool)
        self.model, self.tokens = model, tokens

    def windows(self, question: Question) -> Iterator[tuple[int, PairWindow]]:
        return windows_of(question, self.data, self.tokens)

    def size(self, window: PairWindow) -> int:
        return len(window.units)

    def read(self, windows: Sequence[PairWindow]) -> Read:
        here = batch_of(windows)
        for side in ("starts", "ends"):
            here[side] = pad([getattr(window.units, side) for window in windows], here["ids"].shape[1])
        batch = sent(here, self.model.device)
        starts, ends = batch.pop("starts"), batch.pop("ends")
        logits, labels = self.model.read(**batch)
        p = self.model.probabilities(logits)
        return Read(p, starts, ends, None if labels is None else labels.softmax(-1))

    def best(self, read: Read, least: Least, count: int = SPANS) -> Best:
        return best_spans(read.p, read.starts, read.ends, self.longest, least, count)


def best_spans(
    p: Tensor, starts: Tensor, ends: Tensor, longest: int, least: Least = (0.0, 0.0), count: int = SPANS
) -> Best:
    """The spans with the highest product of start and end.

    Args:
        p: (B, T, 2) probabilities of tokens.
        starts, ends: (B, T) characters ``[start, end)`` that a token stands for.
        longest: characters of a span, at most.
        least: what a start and an end must exceed.
        count: how many spans, at most.
    """
    b, length, _ = p.shape
    start = torch.where(p[..., 0] > least[0], p[..., 0], 0.0)
    end = torch.where(p[..., 1] > least[1], p[..., 1], 0.0)
    size = ends.unsqueeze(1) - starts.unsqueeze(2)  # (B, T, T) characters
    at = torch.arange(length, device=p.device)
    fits = (at >= at.unsqueeze(1)) & (size <= longest) & (size > 0)
    products = (start.unsqueeze(2) * end.unsqueeze(1) * fits).reshape(b, -1)
    values, flat = products.topk(min(count, products.shape[1]), dim=1)
    return Best(values, flat.div(length, rounding_mode="floor"), flat % length)


def open_reader(recipe: SpanRecipe, model: SpanModel, assets: Path) -> SpanReader:
    """A reader with the tokenizer that a run folder or prepared folder carries. Raises UserError if it belongs to
    another model."""
    tokens = open_tokens(assets)
    check_fit(assets, tokens, model.config, {RECIPE_FILE: not isinstance(model, SpanModel)})
    assert isinstance(tokens, TokenReader)
    return SpanReader(recipe, model, tokens)
