"""From spans above a threshold to entities, nested ones among them."""

from __future__ import annotations

from collections.abc import Hashable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ietool.core.candidates import Candidates, Floor, Layout
from ietool.tasks.ner.features.featurizer import Labels
from ietool.tasks.ner.heads.decoder import NerDecoder, least_threshold
from ietool.tasks.ner.heads.globalpointer.recipe import PointerRecipe
from ietool.tasks.ner.heads.merging import Found

LAYOUT = Layout(("start", "end", "type"), ("probability",), ("probability",))


class PointerDecoder(NerDecoder):
    """Every span decides for itself."""

    layout = LAYOUT
    flat = False

    def floor(self, decode: Any) -> Floor:
        return Floor(parts={"probability": least_threshold(decode)})

    def chosen(self, found: Candidates, decode: Any) -> list[Found]:
        probability, kept = found.parts[:, 0], self._kept(found, decode)
        return [(*row, p) for row, p in zip(found.rows[kept].tolist(), probability[kept].tolist(), strict=True)]

    def choice(self, found: Candidates, decode: Any) -> tuple[npt.NDArray[np.bool_], Hashable]:
        return self._kept(found, decode)[:, None], None

    def _kept(self, found: Candidates, decode: Any) -> npt.NDArray[np.bool_]:
        kept: npt.NDArray[np.bool_] = found.parts[:, 0] > np.float32(self.least(found.rows, decode))
        return kept


def open_decoder(recipe: PointerRecipe, assets: Path) -> PointerDecoder:
    """A decoder with the types that a run folder or prepared folder carries."""
    return PointerDecoder(Labels.load(assets).types, recipe.decode.by_label)
