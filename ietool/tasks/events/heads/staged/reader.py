"""What two stages say: all triggers of a batch, then the arguments of each."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from ietool.core.candidates import PRODUCT, Floor, strongest_each
from ietool.core.pools import Reading
from ietool.nn.above import probability_of
from ietool.nn.transfer import Asked
from ietool.tasks.events.heads.reader import Encoded, EventsReader, Found, Integers, places
from ietool.tasks.events.heads.rows import pair_rows, single_rows
from ietool.tasks.events.heads.spans import spans_above
from ietool.tasks.events.heads.staged.decode import LAYOUT
from ietool.tasks.events.heads.staged.model import StagedModel
from ietool.tasks.events.heads.staged.recipe import StagedRecipe

TRIGGERS, ARGUMENTS = 32, 64
"""At most so many triggers of a window, and arguments of one of them, the most probable ones."""

NUMBERS = 8_000_000
"""At most so many numbers (triggers × units × H) are held for a second stage."""


class StagedReader(EventsReader[StagedModel]):
    """No argument is looked for unless a trigger is found."""

    layout = LAYOUT
    kind = StagedModel
    triggers, arguments = TRIGGERS, ARGUMENTS

    def found(self, encoded: Encoded, floor: Floor) -> Reading[Found]:
        least = floor.of("trigger")
        first = yield from spans_above(self.model.triggers(encoded.h, encoded.inside), least, self.triggers)
        self._seen(first.highest)
        first = first.some(first.value >= np.float32(floor.of(PRODUCT)))
        triggers = np.stack([first.first, first.last + 1, self.labels.of_role[first.kind, 0]], 1)
        alone = np.stack([first.value, np.ones_like(first.value)], 1)
        texts, rows, parts = [first.text], [single_rows(triggers)], [alone]
        step = self._step(encoded.h)
        for low in range(0, len(first.text) if self.labels.roles else 0, step):
            part = slice(low, low + step)
            at = places(encoded.h.device, first.text[part], first.kind[part], first.first[part], first.last[part])
            scores = self.model.arguments_of(encoded.h, encoded.inside, *at)
            own = self.labels.of_role[first.kind[part], 1:] >= 0
            second = yield from spans_above(scores, floor.of("argument"), self.arguments, own)
            number = second.text + low
            labels = self.labels.of_role[first.kind[number], 1 + second.kind]
            both = np.stack([first.value[number], second.value], 1)
            kept = LAYOUT.probability(both) >= np.float32(floor.of(PRODUCT))
            number, nodes = number[kept], np.stack([second.first, second.last + 1, labels], 1)[kept]
            texts.append(first.text[number])
            rows.append(pair_rows(triggers[number], nodes, self.ties))
            parts.append(both[kept])
        text, row, part_ = np.concatenate(texts), np.concatenate(rows).astype(np.int64), np.concatenate(parts)
        order = np.argsort(text, kind="stable")
        best, more = strongest_each(text[order], LAYOUT.probability(part_[order]), len(encoded.h), self.most)
        kept_ = order[best]
        return Found(text[kept_], row[kept_], part_[kept_], first.left_out + more)

    def parts(self, encoded: Encoded, text: Integers, rows: Integers) -> Reading[np.ndarray]:
        one, other = self.ties.first[rows[:, 4]], self.ties.second[rows[:, 4]]
        said = np.zeros((len(rows), 2), np.float32)
        # Of ties between arguments, or between triggers, nothing can be said.
        able = np.flatnonzero(
            (self.labels.role_of[one] < 0) & ((rows[:, 4] < self.ties.singles) | (self.labels.role_of[other] >= 0))
        )
        if not len(able):
            return said
        kind = self.labels.type_of[one[able]]
        distinct, number = np.unique(
            np.stack([text[able], kind, rows[able, 0], rows[able, 1] - 1], 1), axis=0, return_inverse=True
        )
        number = number.reshape(-1)
        triggers = self.model.triggers(encoded.h, encoded.inside)
        at, kinds, first, last = places(encoded.h.device, *distinct.T)
        asked = Asked([probability_of(triggers.at(at, first, last).gather(1, kinds[:, None])[:, 0])])
        yield
        said[able, 0] = asked.wait()[0][number]
        said[able, 1] = 1.0
        tied = np.flatnonzero(self.labels.role_of[other[able]] >= 0)
        step = self._step(encoded.h)
        for low in range(0, len(distinct), step):
            mine = tied[(number[tied] >= low) & (number[tied] < low + step)]
            if not len(mine):
                continue
            here = slice(low, low + step)
            scores = self.model.arguments_of(
                encoded.h, encoded.inside, at[here], kinds[here], first[here], last[here]
            )  # fmt: skip
            row = able[mine]
            of, begin, end, role = places(
                encoded.h.device, number[mine] - low, rows[row, 2], rows[row, 3] - 1, self.labels.role_of[other[row]]
            )
            asked = Asked([probability_of(scores.at(of, begin, end).gather(1, role[:, None])[:, 0])])
            yield
            said[row, 1] = asked.wait()[0]
        return said

    def _step(self, h: torch.Tensor) -> int:
        """How many triggers are looked at together."""
        return max(1, NUMBERS // (h.shape[1] * h.shape[2]))


def open_reader(recipe: StagedRecipe, model: StagedModel, assets: Path) -> StagedReader:
    """A reader with the tokenizer that a run folder or prepared folder carries. Raises UserError if it belongs to
    another model."""
    return StagedReader(recipe, model, assets)
