"""From probabilities to answers, batched across questions, passages and windows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from ietool.errors import UserError
from ietool.tasks.qa.data import Question
from ietool.tasks.qa.features import Features, Featurizer
from ietool.tasks.qa.labels import LABELS
from ietool.tasks.qa.model import QaModel
from ietool.tasks.qa.recipe import QaRecipe
from ietool.tasks.qa.sampling import batch_of
from ietool.tasks.qa.voting import Answered, Scored, vote
from ietool.text.encoding import CHARACTERS, WORDS
from ietool.text.windows import windows

SPANS = 20
"""Spans of a window that are looked at."""


@dataclass
class _Open:
    """A question whose windows are being read: spans by passage, sums of label probabilities and their weight."""

    question: Question
    spans: dict[int, list[Scored]] = field(default_factory=dict)
    labels: np.ndarray = field(default_factory=lambda: np.zeros(len(LABELS)))


class QaPredictor:
    """Reads questions in batches of windows of like length; memory is bounded by ``pool_batches`` batches of windows
    and the passages of one question."""

    def __init__(self, recipe: QaRecipe, model: QaModel, featurizer: Featurizer, *, pool_batches: int = 16) -> None:
        self.recipe, self.model, self.featurizer, self.pool_batches = recipe, model, featurizer, pool_batches
        self.highest_probability = 0.0
        self.notes: Sequence[str] = ()
        if recipe.data.overlap < recipe.decode.longest:
            self.notes = (
                f"answers of more than {recipe.data.overlap} characters can be lost where windows meet "
                "(data.overlap is less than decode.longest)",
            )

    def predict(self, inputs: Iterable[Question]) -> Iterator[Answered]:
        """Answers in the order of the questions."""
        limit = self.recipe.decode.batch_size * self.pool_batches
        pool: list[_Open] = []
        pieces: list[tuple[int, int, int, Features]] = []
        for question in inputs:
            pool.append(_Open(question))
            for piece in self._pieces(question):
                pieces.append((len(pool) - 1, *piece))
                if len(pieces) >= limit:
                    # The windows so far are read; the question itself may go on.
                    self._read(pool, pieces)
                    pieces = []
                    yield from map(self._answer, pool[:-1])
                    del pool[:-1]
        self._read(pool, pieces)
        yield from map(self._answer, pool)

    def _pieces(self, question: Question) -> Iterator[tuple[int, int, Features]]:
        """(passage, start, features) of a question's windows."""
        data = self.recipe.data
        read = self.featurizer.question(question.text)
        for index in self.featurizer.chosen(question):
            text = question.passages[index].text
            features = self.featurizer.encode(read, text)
            for start, end in windows(text, data.window, data.overlap):
                yield index, start, features.window(start, end)

    def _read(self, pool: Sequence[_Open], pieces: list[tuple[int, int, int, Features]]) -> None:
        pieces.sort(key=lambda piece: len(piece[3].passage[0]))
        size = self.recipe.decode.batch_size
        for at in range(0, len(pieces), size):
            some = pieces[at : at + size]
            found, labels = self.spans([piece[3] for piece in some])
            for (number, passage, start, _), spans, label in zip(some, found, labels, strict=True):
                known = pool[number].spans.setdefault(passage, [])
                known += [(a + start, b + start, value) for a, b, value in spans]
                pool[number].labels += label * max((value for _, _, value in spans), default=0.0)

    @torch.inference_mode()
    def spans(self, features: Sequence[Features]) -> tuple[list[list[Scored]], np.ndarray]:
        """The best spans of each window, and (B, labels) probabilities of the labels of YES_NO questions."""
        device, decode = self.model.device, self.recipe.decode
        batch = {name: value.to(device) for name, value in batch_of(features).items()}
        logits, gate, labels = self.model.read(**batch)
        p = self.model.probabilities(logits, gate, batch["lengths"])
        self.highest_probability = max(self.highest_probability, float(p.max()))
        values, starts, ends = best_spans(p, decode.longest, min_start=decode.start, min_end=decode.end)
        shares = np.zeros((len(features), len(LABELS)))
        if labels is not None:
            shares = labels.softmax(-1).cpu().numpy()
        rows = zip(values.tolist(), starts.tolist(), ends.tolist(), strict=True)
        return [[(a, b, v) for v, a, b in zip(*row, strict=True) if v > 0] for row in rows], shares

    def _answer(self, opened: _Open) -> Answered:
        question, decode = opened.question, self.recipe.decode
        candidates = vote([p.text for p in question.passages], opened.spans, voting=decode.voting)[
            : max(SPANS, decode.nbest)
        ]
        sure = bool(candidates) and candidates[0].probability >= decode.no_answer
        label = ""
        if self.model.label is not None and question.kind == "YES_NO":
            label = LABELS[int(opened.labels.argmax())]
        return Answered(
            question.question_id,
            question.text,
            tuple(candidates),
            candidates[0].answer.strip() if sure else decode.none,
            form=question.form,
            kind=question.kind,
            label=label,
            nbest=decode.nbest,
        )


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
