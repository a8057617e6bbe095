"""Characters above the threshold."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ietool.core.candidates import Candidates, Floor, Layout
from tests.tasks.toy.data import Example
from tests.tasks.toy.recipe import DecodeSection, ToyRecipe

LAYOUT = Layout(("at",), ("probability",), ("probability",))


class ToyDecoder:
    layout = LAYOUT

    def floor(self, decode: DecodeSection) -> Floor:
        return Floor(parts={"probability": decode.threshold})

    def decode(self, item: Example, found: Candidates, decode: DecodeSection) -> Example:
        return Example(item.text, found.rows[found.parts[:, 0] > np.float32(decode.threshold), 0].tolist())


def open_decoder(recipe: ToyRecipe, assets: Path) -> ToyDecoder:
    return ToyDecoder()
