"""From triggers and their arguments to events: each trigger is one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ietool.core.candidates import Candidates, Floor, Layout
from ietool.tasks.events.features.featurizer import Labels
from ietool.tasks.events.heads.decoder import EventDecoder, Node, least_threshold, stars
from ietool.tasks.events.heads.rows import ROWS, UnitRows, pair_rows, single_rows
from ietool.tasks.events.heads.staged.recipe import StagedRecipe

LAYOUT = Layout(ROWS, ("trigger", "argument"), ("trigger", "argument"))
"""Of a row of one span, which is a trigger, ``argument`` is 1."""


class StagedDecoder(EventDecoder):
    """Events that share type and trigger are one here."""

    layout = LAYOUT

    def floor(self, decode: Any) -> Floor:
        return Floor(parts={"trigger": least_threshold(decode), "argument": decode.argument})

    def kept(self, found: Candidates, decode: Any) -> npt.NDArray[np.bool_]:
        least, argument = self.least(found.rows, decode), np.float32(decode.argument)
        kept: npt.NDArray[np.bool_] = self._trigger[self.ties.first[found.rows[:, 4]]]
        kept = kept & (found.parts[:, 0] > least)
        return kept & (self.single(found.rows) | (found.parts[:, 1] > argument))

    def events(self, found: Candidates, decode: Any) -> Iterator[tuple[Sequence[tuple[Node, float]], float]]:
        return stars(self, found, found.parts[:, 0], found.parts[:, 0] * found.parts[:, 1])

    def perfect(self, nodes: npt.NDArray[np.integer], event_of: npt.NDArray[np.integer]) -> UnitRows:
        triggers, pairs = [], []
        for event in np.unique(event_of):
            mine = nodes[event_of == event]
            for trigger in mine[self._trigger[mine[:, 2]]].tolist():
                triggers.append(trigger)
                pairs += [(trigger, one) for one in mine[~self._trigger[mine[:, 2]]].tolist()]
        alone = np.unique(np.array(triggers, np.int64).reshape(-1, 3), axis=0)
        both = np.array(pairs, np.int64).reshape(-1, 2, 3)
        return np.concatenate([single_rows(alone), np.unique(pair_rows(both[:, 0], both[:, 1], self.ties), axis=0)])


def open_decoder(recipe: StagedRecipe, assets: Path) -> StagedDecoder:
    """A decoder with the types and roles that a run folder or prepared folder carries."""
    return StagedDecoder(Labels.load(assets), recipe.decode.by_label)
