"""How probable each character is a digit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from ietool.core.candidates import Candidates, Floor, capped
from ietool.text.characters import CharVocabulary
from tests.tasks.toy.data import Example
from tests.tasks.toy.features import vocabulary
from tests.tasks.toy.heads.base import ToyModel
from tests.tasks.toy.heads.decoder import LAYOUT
from tests.tasks.toy.recipe import ToyRecipe


class ToyReader:
    layout = LAYOUT

    def __init__(self, model: ToyModel, characters: CharVocabulary) -> None:
        self.model, self.characters, self.most = model, characters, 64
        self.highest_probability = 0.0
        self.notes: Sequence[str] = ()

    def propose(self, inputs: Iterable[Example], *, floor: Floor) -> Iterator[tuple[Example, Candidates]]:
        for example in inputs:
            said = self._said(example.text)
            at = np.flatnonzero(said > np.float32(floor.of("probability")))
            found = Candidates(at[:, None].astype(np.int32), said[at, None], np.zeros(0, np.float32))
            yield example, capped(self.layout, found, self.most)

    def score(self, inputs: Iterable[tuple[Example, Candidates]]) -> Iterator[tuple[Example, Candidates]]:
        for example, found in inputs:
            yield example, replace(found, parts=self._said(example.text)[found.rows])

    @torch.inference_mode()
    def _said(self, text: str) -> np.ndarray:
        ids = torch.from_numpy(self.characters.encode(text)).long().to(self.model.device)
        said: np.ndarray = self.model.probabilities(ids[None])[0].float().cpu().numpy()
        self.highest_probability = max(self.highest_probability, float(said.max(initial=0.0)))
        return said


def open_reader(recipe: ToyRecipe, model: ToyModel, assets: Path) -> ToyReader:
    return ToyReader(model, vocabulary(assets))
