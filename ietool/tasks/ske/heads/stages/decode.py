"""From starts and ends to label spans: each start takes the nearest end above the threshold."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ietool.core.candidates import PRODUCT, Floor, Layout, Parts
from ietool.tasks.ske.heads.decoder import ROWS, SkeDecoder, least_triple
from ietool.tasks.ske.heads.stages.oracle import perfect_rows

LAYOUT = Layout(
    ROWS,
    ("subject_start", "subject_end", "subject_nearer", "object_start", "object_end", "object_nearer"),
    ("subject_start", "subject_end", "object_start", "object_end"),
)
"""``…_nearer`` is the probability of the most probable end that is nearer to the start, 0 where there is none: the end
is the nearest one at all thresholds from there to its own probability.

Of several models it is the mean of what each has nearer, which is at least the highest mean: where they disagree about
an end a triple may go that decoding the averaged probabilities alone would keep."""


class StageDecoder(SkeDecoder):
    """For heads that find subjects first."""

    layout = LAYOUT
    perfect = staticmethod(perfect_rows)

    def floor(self, decode: Any) -> Floor:
        names = ("subject_start", "subject_end", "object_start", "object_end")
        return Floor(
            parts={name: getattr(decode, name) for name in names} | {PRODUCT: least_triple(decode)},
            ceilings={"subject_nearer": decode.subject_end, "object_nearer": decode.object_end},
        )

    def plain(self, parts: Parts) -> Parts:
        """As in :class:`ietool.core.joining.JoinedDecoder`: the probability of a triple, that no end that is nearer is
        one included. Without it other heads would be joined with every end behind each start."""
        layout = self.layout
        nearer = [layout.parts.index(name) for name in ("subject_nearer", "object_nearer")]
        alone = (1 - parts[:, nearer].astype(np.float64)).prod(1)
        joint: Parts = (layout.probability(parts) * alone)[:, None]
        return joint

    def able(self, parts: Parts, decode: Any) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.float64]]:
        s0, s1, s_nearer, o0, o1, o_nearer = parts.T
        subject_end, object_end = np.float32(decode.subject_end), np.float32(decode.object_end)
        able = (s0 > np.float32(decode.subject_start)) & (s1 > subject_end) & (s_nearer <= subject_end)
        able &= (o0 > np.float32(decode.object_start)) & (o1 > object_end) & (o_nearer <= object_end)
        return able, (s0 * s1).astype(np.float64) * (o0 * o1)
