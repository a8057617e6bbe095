"""From spans above a threshold to entities, nested ones among them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ietool.core.candidates import Candidates, Floor, Layout
from ietool.tasks.ner.features.featurizer import Labels
from ietool.tasks.ner.heads.decoder import NerDecoder
from ietool.tasks.ner.heads.globalpointer.recipe import PointerRecipe
from ietool.tasks.ner.heads.merging import Found

LAYOUT = Layout(("start", "end", "type"), ("probability",), ("probability",))


class PointerDecoder(NerDecoder):
    """Every span decides for itself."""

    layout = LAYOUT
    flat = False

    def floor(self, decode: Any) -> Floor:
        return Floor(parts={"probability": decode.threshold})

    def chosen(self, found: Candidates, decode: Any) -> list[Found]:
        probability = found.parts[:, 0]
        kept = probability > np.float32(decode.threshold)
        return [(*row, p) for row, p in zip(found.rows[kept].tolist(), probability[kept].tolist(), strict=True)]


def open_decoder(recipe: PointerRecipe, assets: Path) -> PointerDecoder:
    """A decoder with the types that a run folder or prepared folder carries."""
    return PointerDecoder(Labels.load(assets).types)
