"""What the DGCNN reader says of spans, before any threshold."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from ietool.core.fit import check_fit
from ietool.nn.transfer import sent
from ietool.runs.entry import RECIPE_FILE
from ietool.tasks.qa.data.question import Question
from ietool.tasks.qa.features.featurizer import Features, Featurizer, chosen
from ietool.tasks.qa.heads.decoder import SPANS
from ietool.tasks.qa.heads.endpoint_reader import Best, EndpointReader, Least, Read
from ietool.tasks.qa.heads.reader.model import QaModel
from ietool.tasks.qa.heads.reader.recipe import ReaderRecipe
from ietool.tasks.qa.heads.reader.sampling import batch_of
from ietool.text.windows import windows


@dataclass(frozen=True)
class CharacterWindow:
    """A question with the characters ``[start, end)`` of a passage."""

    start: int
    end: int
    features: Features


class CharacterReader(EndpointReader[CharacterWindow]):
    """Reads a character a position."""

    def __init__(self, recipe: ReaderRecipe, model: QaModel, featurizer: Featurizer, *, pool: int = 16) -> None:
        super().__init__(recipe, has_labels=model.label is not None, pool=pool)
        self.model, self.featurizer = model, featurizer

    def windows(self, question: Question) -> Iterator[tuple[int, CharacterWindow]]:
        read = self.featurizer.question(question.text)
        for passage in chosen(question, self.data.paragraphs):
            text = question.passages[passage].text
            features = self.featurizer.encode(read, text)
            for start, end in windows(text, self.data.window, self.data.overlap):
                yield passage, CharacterWindow(start, end, features.window(start, end))

    def size(self, window: CharacterWindow) -> int:
        return window.end - window.start

    def read(self, windows: Sequence[CharacterWindow]) -> Read:
        batch = sent(batch_of([w.features for w in windows]), self.model.device)
        logits, gate, labels = self.model.read(**batch)
        p = self.model.probabilities(logits, gate, batch["lengths"])
        at = torch.arange(p.shape[1] + 1, device=p.device).unsqueeze(0)
        return Read(p, at[:, :-1], at[:, 1:], None if labels is None else labels.softmax(-1))

    def best(self, read: Read, least: Least, count: int = SPANS) -> Best:
        return best_spans(read.p, self.longest, least, count)


def best_spans(p: Tensor, longest: int, least: Least = (0.0, 0.0), count: int = SPANS) -> Best:
    """The spans with the highest product of start and end.

    Args:
        p: (B, L, 2) probabilities of characters.
        longest: characters of a span, at most.
        least: what a start and an end must exceed.
        count: how many spans, at most.
    """
    b, length, _ = p.shape
    reach = min(longest, length)
    start = torch.where(p[..., 0] > least[0], p[..., 0], 0.0)
    end = torch.where(p[..., 1] > least[1], p[..., 1], 0.0)
    ends = torch.nn.functional.pad(end, (0, reach - 1)).unfold(1, reach, 1)  # (B, L, reach): ends at L, L + 1 …
    products = (start.unsqueeze(-1) * ends).reshape(b, length * reach)
    values, at = products.topk(min(count, products.shape[1]), dim=1)
    first = at.div(reach, rounding_mode="floor")
    # What would end behind the text has the value 0, and must be a place all the same.
    return Best(values, first, (first + at % reach).clamp_max(length - 1))


def open_reader(recipe: ReaderRecipe, model: QaModel, assets: Path) -> CharacterReader:
    """A reader with the features that a run folder or prepared folder carries. Raises UserError if they belong to
    another model."""
    featurizer = Featurizer.open(recipe, assets)
    check_fit(assets, featurizer.encoder, model.config, {RECIPE_FILE: not isinstance(model, QaModel)})
    return CharacterReader(recipe, model, featurizer)
