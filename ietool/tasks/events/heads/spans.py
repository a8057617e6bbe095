"""Spans above a floor, of hundreds of kinds: a bound rules most kinds out before any span of theirs is scored."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ietool.core.candidates import strongest_each
from ietool.core.pools import Reading
from ietool.nn.above import AboveFloor, probability_of, score_near
from ietool.nn.global_pointer import Scores
from ietool.nn.transfer import Asked, sent

SCORES = 4_000_000
"""At most so many scores are computed at once."""

Integers = npt.NDArray[np.int64]


class Spans(NamedTuple):
    """Spans of some texts, by text: ``text``, ``kind``, ``first`` and ``last`` (inclusive) unit, ``value`` the
    probability, (n,) each; ``left_out`` (B,), how many more each text has; ``highest``, the highest probability of any
    that was scored, found or not."""

    text: Integers
    kind: Integers
    first: Integers
    last: Integers
    value: npt.NDArray[np.float32]
    left_out: Integers
    highest: float

    def some(self, which: npt.NDArray[np.bool_] | Integers) -> Spans:
        """Those of them."""
        text, kind, first, last = self.text[which], self.kind[which], self.first[which], self.last[which]
        return Spans(text, kind, first, last, self.value[which], self.left_out, self.highest)


def spans_above(
    scores: Scores, floor: float, most: int, allowed: npt.NDArray[np.bool_] | None = None
) -> Reading[Spans]:
    """The spans whose probability exceeds a floor, of each text the ``most`` most probable ones.

    Args:
        scores: (B, R, T, T) in factors.
        allowed: (B, R), of which kinds there may be some; None: of all.
    """
    texts, length = scores.pair.shape[:2]
    asked = Asked([_bound(scores).float()])
    yield
    (bound,) = asked.wait()
    if allowed is not None:
        bound = np.where(allowed, bound, -np.inf)
    near = score_near(floor)
    text, kind = np.nonzero((bound > near - 1e-3) & np.isfinite(bound))
    if not len(text) and allowed is not None and not allowed.any():
        nothing = np.zeros(0, np.int64)
        value, left_out = np.zeros(0, np.float32), np.zeros(texts, np.int64)
        return Spans(nothing, nothing, nothing, nothing, value, left_out, 0.0)
    if not len(text):  # so that the highest probability is told all the same
        text, kind = (np.array([at]) for at in np.unravel_index(int(bound.argmax()), bound.shape))
    found: list[tuple[np.ndarray, ...]] = []
    highest, left_out = 0.0, np.zeros(texts, np.int64)
    step = max(1, SCORES // (length * length))
    for low in range(0, len(text), step):
        mine = np.stack([text[low : low + step], kind[low : low + step]]).astype(np.int64)
        sentences, kinds = sent({"of": torch.from_numpy(mine)}, scores.pair.device)["of"]
        again = partial(_flat, scores, sentences, kinds)
        dense = again()
        # Chosen by score: probabilities near 1 would be the same.
        sought = AboveFloor(dense, near, most, again)
        asked = Asked([dense.max(), *sought.tensors])
        yield
        top, *arrays = asked.wait()
        above = sought.found(arrays)
        highest = max(highest, float(probability_of(torch.tensor(float(top)))))
        value = probability_of(torch.from_numpy(above.value)).numpy()
        kept = value > np.float32(floor)
        group, place = above.text[kept], above.place[kept]
        found.append((mine[0][group], mine[1][group], place // length, place % length, value[kept]))
        np.add.at(left_out, mine[0], above.left_out)
    at, kinds_, first, last, values = (np.concatenate(column) for column in zip(*found, strict=True))
    order = np.lexsort((last, first, kinds_, at))
    spans = Spans(at[order], kinds_[order], first[order], last[order], values[order], left_out, highest)
    best, more = strongest_each(spans.text, spans.value, texts, most)
    return spans.some(best)._replace(left_out=left_out + more)


def _bound(scores: Scores) -> Tensor:
    """(B, R): what no score of a text and kind exceeds."""
    best_last = scores.pair.amax(2)  # (B, T): of pairs that begin at each place
    return (scores.first + best_last.unsqueeze(1)).amax(2) + scores.last.amax(2)


def _flat(scores: Scores, sentences: Tensor, kinds: Tensor) -> Tensor:
    return scores.dense(sentences, kinds).flatten(1)
