"""What the heads have in common that say where an answer starts and where it ends: no model here, and no torch."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ietool.core.candidates import Candidates, Floor, Layout
from ietool.tasks.qa.heads.decoder import QaDecoder

LAYOUT = Layout(("passage", "start", "end"), ("start", "end"), ("start", "end"), ("yes", "no", "depends"))
"""What is said of the question as a whole: the shares of the labels, each window's times the value of its best span,
added up; below zero where the model has no labels."""


class EndpointDecoder(QaDecoder):
    """A span is as probable as its start times its end."""

    layout = LAYOUT

    def floor(self, decode: Any) -> Floor:
        return Floor(parts={"start": decode.start, "end": decode.end})

    def kept(self, found: Candidates, decode: Any) -> npt.NDArray[np.bool_]:
        least = np.array([decode.start, decode.end], np.float32)
        kept: npt.NDArray[np.bool_] = super().kept(found, decode) & (found.parts > least).all(1)
        return kept
