"""The readers of the heads that say where an answer starts and where it ends."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ietool.core.candidates import PRODUCT, Floor
from ietool.core.pools import Reading
from ietool.nn.transfer import Asked
from ietool.tasks.qa.features.labels import LABELS
from ietool.tasks.qa.heads.decoder import SPANS
from ietool.tasks.qa.heads.endpoints import LAYOUT
from ietool.tasks.qa.heads.reading import QaReader, Said, W
from ietool.tasks.qa.recipe import EndpointDecodeSection, QaRecipe

Least = tuple[float, float]
"""What the probabilities of a start and of an end must exceed."""


class Read(NamedTuple):
    """What a model says of a batch of B windows of up to T units.

    Attributes:
        p: (B, T, 2) probabilities that an answer starts and ends with a unit; 0 where it cannot.
        starts, ends: (B, T) or (1, T), the characters ``[start, end)`` of the window that a unit stands for.
        labels: (B, labels) shares of the labels of YES_NO questions, or None.
    """

    p: Tensor
    starts: Tensor
    ends: Tensor
    labels: Tensor | None


class Best(NamedTuple):
    """Some spans of each of B windows, best first: (B, n) of start · end, which is 0 where there is none, and of the
    first and the last unit."""

    values: Tensor
    first: Tensor
    last: Tensor


class EndpointReader(QaReader[W]):
    """Proposes the ``SPANS`` spans of each window whose start times end is highest.

    They are chosen among those whose start and end exceed the floor. Where the recipe's own thresholds are higher, the
    best among those that exceed them are proposed as well, which weaker ones could leave no place: so a decoder that
    has the recipe's settings makes the same of candidates of any lower floor. With other thresholds than the recipe's
    and other than 0 it may find fewer than a reader with these thresholds would. Labels are weighed by the best span
    above the recipe's thresholds, whatever the floor.
    """

    layout = LAYOUT

    def __init__(self, recipe: QaRecipe, *, has_labels: bool, pool: int = 16) -> None:
        super().__init__(recipe, pool=pool)
        assert isinstance(recipe.decode, EndpointDecodeSection)
        self.own: Least = (recipe.decode.start, recipe.decode.end)
        self.least = np.array(self.own, np.float32)
        self.nothing = np.full(len(LABELS), 0.0 if has_labels else -1.0, np.float32)

    @abstractmethod
    def read(self, windows: Sequence[W]) -> Read:
        """What the model says of a batch of windows."""

    @abstractmethod
    def best(self, read: Read, least: Least, count: int = SPANS) -> Best:
        """The best spans of each window among those whose start and end exceed ``least`` and that are no longer than
        the recipe wants."""

    def found(self, windows: Sequence[W], floor: Floor) -> Reading[list[Said]]:
        read = self.read(windows)
        least = (floor.of("start"), floor.of("end"))
        best = [self.best(read, least)]
        if least[0] < self.own[0] or least[1] < self.own[1]:
            best.append(self.best(read, self.own))
        values, first, last = (torch.cat(some, 1) for some in zip(*best, strict=True))
        batch = len(windows)
        probabilities = torch.stack([read.p[..., 0].gather(1, first), read.p[..., 1].gather(1, last)], -1)
        spans = torch.stack(
            [read.starts.expand(batch, -1).gather(1, first), read.ends.expand(batch, -1).gather(1, last)], -1
        )
        whole = self._weighed(read, best[-1] if least == self.own or len(best) > 1 else None)
        asked = Asked([read.p.max().float(), probabilities.float(), spans, values.float(), *whole])
        yield
        highest, parts, places, value, *whole_ = asked.wait()
        self.highest_probability = max(self.highest_probability, float(highest))
        places = places + np.array([window.start for window in windows])[:, None, None]
        kept = (value > floor.of(PRODUCT)) & (parts > np.array(least, np.float32)).all(2)
        return [
            Said(span[keep], part[keep], more)
            for span, part, keep, more in zip(places.astype(np.int32), parts, kept, _labels(whole_, batch), strict=True)
        ]

    def parts(self, windows: Sequence[W], spans: Sequence[npt.NDArray[np.int32]]) -> Reading[list[Said]]:
        read = self.read(windows)
        asked = Asked([read.p.float(), read.starts, read.ends, *self._weighed(read)])
        yield
        p, starts, ends, *whole = asked.wait()
        self.highest_probability = max(self.highest_probability, float(p.max()))
        batch = len(windows)
        starts, ends = (np.broadcast_to(x, (batch, x.shape[1])) for x in (starts, ends))
        said = []
        for window, wanted, of, first, behind, more in zip(
            windows, spans, p, starts, ends, _labels(whole, batch), strict=True
        ):
            # Several tokens may stand for one character, and which of them is meant no span tells.
            length = window.end - window.start
            at = np.zeros((length + 1, 2), np.float32)
            real = (behind > first) & (behind <= length)
            np.maximum.at(at[:, 0], first[real], of[real, 0])
            np.maximum.at(at[:, 1], behind[real], of[real, 1])
            inner = wanted - window.start
            said.append(Said(wanted, np.stack([at[inner[:, 0], 0], at[inner[:, 1], 1]], 1), more))
        return said

    def _weighed(self, read: Read, best: Best | None = None) -> list[Tensor]:
        """(B, labels): the shares of the labels, times the value of the window's best span; nothing where there are no
        labels."""
        if read.labels is None:
            return []
        values = (best or self.best(read, self.own, 1)).values[:, :1]
        return [read.labels.float() * values.float()]


def _labels(weighed: Sequence[npt.NDArray[np.float32]], batch: int) -> npt.NDArray[np.float32]:
    """(B, labels): what :meth:`EndpointReader._weighed` asked for, or zeros."""
    return weighed[0].copy() if weighed else np.zeros((batch, len(LABELS)), np.float32)
