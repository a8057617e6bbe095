"""From what was written into the masks to an answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ietool.core.candidates import Floor, Layout
from ietool.tasks.qa.heads.decoder import QaDecoder
from ietool.tasks.qa.heads.mlm.recipe import MaskRecipe

LAYOUT = Layout(("passage", "start", "end"), ("answer",), ("answer",))


class MaskDecoder(QaDecoder):
    """An answer is as probable as its tokens and its end, on average."""

    layout = LAYOUT

    def floor(self, decode: Any) -> Floor:
        return Floor()


def open_decoder(recipe: MaskRecipe, assets: Path) -> MaskDecoder:
    """A decoder, which needs nothing of a run folder or prepared folder."""
    return MaskDecoder()
