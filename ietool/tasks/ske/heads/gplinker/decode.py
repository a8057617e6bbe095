"""From GPLinker's scores to label spans: two spans, and a label that links them at both ends."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ietool.core.candidates import PRODUCT, Floor, Layout, Parts
from ietool.tasks.ske.heads.decoder import ROWS, SkeDecoder, least_triple
from ietool.tasks.ske.heads.gplinker.oracle import perfect_links

PARTS = ("subject", "object", "head", "tail")

LAYOUT = Layout(ROWS, PARTS, PARTS)


class LinkDecoder(SkeDecoder):
    """Every row decides for itself."""

    layout = LAYOUT
    perfect = staticmethod(perfect_links)

    def floor(self, decode: Any) -> Floor:
        entity, link = decode.entity, decode.link
        return Floor(
            parts={"subject": entity, "object": entity, "head": link, "tail": link, PRODUCT: least_triple(decode)}
        )

    def plain(self, parts: Parts) -> Parts:
        """As in :class:`ietool.core.joining.JoinedDecoder`: what the weakest of the four says. They speak of one triple
        and rise and fall together, so that their product is far too low beside what other heads say."""
        return parts.min(1, keepdims=True) if len(parts) else parts[:, :1]

    def able(self, parts: Parts, decode: Any) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.float64]]:
        subject, object_, head, tail = parts.T
        entity, link = np.float32(decode.entity), np.float32(decode.link)
        able = (subject > entity) & (object_ > entity) & (head > link) & (tail > link)
        return able, subject.astype(np.float64) * object_ * head * tail
