"""Characters above one half."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch

from ietool.text.characters import CharVocabulary
from tests.tasks.toy.data import Example
from tests.tasks.toy.model import ToyModel


class ToyPredictor:
    def __init__(self, model: ToyModel, characters: CharVocabulary) -> None:
        self.model, self.characters = model, characters
        self.highest_probability = 0.0
        self.notes: tuple[str, ...] = ()

    @torch.inference_mode()
    def predict(self, inputs: Iterable[str]) -> Iterator[Example]:
        for text in inputs:
            ids = torch.from_numpy(self.characters.encode(text)).long().to(self.model.device)
            found = self.model.probabilities(ids)
            self.highest_probability = max(self.highest_probability, found.max().item() if len(ids) else 0.0)
            yield Example(text, (found > 0.5).nonzero().flatten().tolist())
