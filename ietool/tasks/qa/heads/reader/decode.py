"""From probabilities to answers, batched across questions, passages and windows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch

from ietool.errors import UserError
from ietool.tasks.qa.data.reading import Question
from ietool.tasks.qa.features.featurizer import Features, Featurizer, chosen
from ietool.tasks.qa.features.labels import LABELS
from ietool.tasks.qa.heads.predictor import SPANS, PooledPredictor
from ietool.tasks.qa.heads.reader.model import QaModel
from ietool.tasks.qa.heads.reader.sampling import batch_of
from ietool.tasks.qa.heads.voting import Scored
from ietool.tasks.qa.recipe import QaRecipe
from ietool.text.encoding import CHARACTERS, WORDS
from ietool.text.windows import windows


class QaPredictor(PooledPredictor[Features]):
    """Reads questions with the windows of their passages, a character a position."""

    def __init__(self, recipe: QaRecipe, model: QaModel, featurizer: Featurizer, *, pool_batches: int = 16) -> None:
        super().__init__(recipe, has_labels=model.label is not None, pool_batches=pool_batches)
        self.model, self.featurizer = model, featurizer

    def pieces(self, question: Question) -> Iterator[tuple[int, int, Features]]:
        data = self.recipe.data
        read = self.featurizer.question(question.text)
        for index in chosen(question, data.paragraphs):
            text = question.passages[index].text
            features = self.featurizer.encode(read, text)
            for start, end in windows(text, data.window, data.overlap):
                yield index, start, features.window(start, end)

    def length(self, piece: Features) -> int:
        return len(piece.passage[0])

    @torch.inference_mode()
    def spans(self, pieces: Sequence[Features]) -> tuple[list[list[Scored]], np.ndarray]:
        device, decode = self.model.device, self.recipe.decode
        batch = {name: value.to(device) for name, value in batch_of(pieces).items()}
        logits, gate, labels = self.model.read(**batch)
        p = self.model.probabilities(logits, gate, batch["lengths"])
        self.highest_probability = max(self.highest_probability, float(p.max()))
        values, starts, ends = best_spans(p, decode.longest, min_start=decode.start, min_end=decode.end)
        shares = np.zeros((len(pieces), len(LABELS)))
        if labels is not None:
            shares = labels.softmax(-1).cpu().numpy()
        rows = zip(values.tolist(), starts.tolist(), ends.tolist(), strict=True)
        return [[(a, b, v) for v, a, b in zip(*row, strict=True) if v > 0] for row in rows], shares


def best_spans(
    p: torch.Tensor, longest: int, *, min_start: float = 0.0, min_end: float = 0.0, count: int = SPANS
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The spans with the highest product of start and end.

    Args:
        p: (B, L, 2) probabilities.
        longest: characters of a span, at most.
        min_start, min_end: what a start and an end must exceed.
        count: how many spans.

    Returns:
        (B, count) of values, starts and half-open ends, best first; the value is 0 where there is none.
    """
    b, length, _ = p.shape
    reach = min(longest, length)
    start = torch.where(p[..., 0] > min_start, p[..., 0], 0.0)
    end = torch.where(p[..., 1] > min_end, p[..., 1], 0.0)
    ends = torch.nn.functional.pad(end, (0, reach - 1)).unfold(1, reach, 1)  # (B, L, reach): ends at L, L + 1 …
    products = (start.unsqueeze(-1) * ends).reshape(b, length * reach)
    values, at = products.topk(min(count, products.shape[1]), dim=1)
    starts = at.div(reach, rounding_mode="floor")
    return values.float().cpu(), starts.cpu(), (starts + at % reach + 1).cpu()


def open_predictor(recipe: QaRecipe, model: QaModel, assets: Path) -> QaPredictor:
    """A predictor with the features that a run folder or prepared folder carries. Raises UserError if they belong to
    another model."""
    featurizer = Featurizer.open(recipe, assets)
    config, words = model.config, featurizer.encoder.word_rows
    wrong = {
        CHARACTERS: len(featurizer.encoder.vocabulary) != config.characters,
        WORDS: words > config.words or (words > 0) != (config.words > 0),
    }
    for name, is_wrong in wrong.items():
        if is_wrong:
            raise UserError("does not fit the model beside it", file=assets / name, mend="train again")
    return QaPredictor(recipe, model, featurizer)
