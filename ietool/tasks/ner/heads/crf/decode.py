"""What a linear chain says of spans: how probable each is over all paths, and which the best path has."""

from __future__ import annotations

from collections.abc import Hashable
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ietool.core.candidates import PRODUCT, Candidates, Floor, Layout, strongest
from ietool.tasks.ner.features.featurizer import Labels
from ietool.tasks.ner.heads.crf.recipe import CRFRecipe
from ietool.tasks.ner.heads.crf.tagset import TagSet
from ietool.tasks.ner.heads.decoder import NerDecoder, least_threshold
from ietool.tasks.ner.heads.merging import Found, best_apart

Floats = npt.NDArray[np.float64]
Places = npt.NDArray[np.int64]

LAYOUT = Layout(("start", "end", "type"), ("probability", "path"), ("probability",))
"""``path`` is 1 for spans of the best path, which are proposed however improbable they are, else 0; of several models
the share of those whose best path has it."""

EVEN = 0.5
"""What a span must be above, where several models are averaged and no threshold is given."""

_BLOCK = 1 << 17
"""Spans whose probabilities are computed at once, about."""


class SpanProbability:
    """How probable a span is: the share of all paths that have it.

    Args:
        transitions: (K, K).
        emissions, before, behind: (B, L, K); the sums as in :class:`ietool.nn.crf.Chains`.
        partition, lengths: (B,).
    """

    def __init__(
        self, tagset: TagSet, transitions: Floats, emissions: Floats, before: Floats, behind: Floats, partition: Floats,
        lengths: Places,
    ) -> None:  # fmt: skip
        self.tagset, self.transitions, self.emissions = tagset, transitions, emissions
        self.before, self.behind, self.partition, self.lengths = before, behind, partition, lengths

    @cached_property
    def _within(self) -> Floats:
        """Scores of going on within an entity of each type, up to a unit: (B, L, types)."""
        inner = [self.tagset.number("I", kind) for kind in range(self.tagset.types)]
        return np.cumsum(self.emissions[:, :, inner] + self.transitions[inner, inner], 1)

    def of(self, text: Places, rows: Places) -> Floats:
        """(n,): of entities in texts ``text`` (n,), rows (n, 3) of first unit, the one behind the last, type."""
        first, end, kind = rows.T
        last, single = end - 1, end - first == 1
        scheme, step, e = self.tagset.scheme, self.transitions, self.emissions
        begin, inner = self._tag("B", kind), self._tag("I", kind)
        # BIOES: B I … I E, or S alone; BIO: B I … I.
        only = begin if scheme == "bio" else self._tag("S", kind)
        final = np.where(single, only, inner if scheme == "bio" else self._tag("E", kind))
        score = self.before[text, first, np.where(single, only, begin)]
        two = np.flatnonzero(~single)
        t, i, j, b, f, inside, k = (x[two] for x in (text, first, last, begin, final, inner, kind))
        onto = np.minimum(i + 1, j)
        walked = np.where(j > onto, step[b, inside] + e[t, onto, inside], step[b, f])
        middle = self._within[t, np.maximum(j - 1, onto), k] - self._within[t, onto, k]
        score[two] += walked + np.where(j > onto, middle + step[inside, f], 0.0) + e[t, j, f]
        score -= self.partition[text]
        probability: Floats = np.exp(score + self.behind[text, last, final])
        if scheme == "bio":
            # These tags may also be the beginning of a longer entity.
            on = np.flatnonzero(end < self.lengths[text])
            t, at, tag, after = text[on], end[on], final[on], inner[on]
            probability[on] -= np.exp(score[on] + step[tag, after] + e[t, at, after] + self.behind[t, at, after])
        return np.clip(probability, 0.0, 1.0)

    def above(self, text: int, floor: float, most: int) -> tuple[Places, npt.NDArray[np.float32], int]:
        """The spans of a text whose probability exceeds ``floor``, the ``most`` most probable ones.

        No span is more probable than its first tag or its last: few of the L² are looked at.

        Returns:
            (n, 3) of first unit, the one behind the last, type; (n,) probabilities; how many more there are.
        """
        own = slice(int(self.lengths[text]))
        alone = np.exp(self.before[text, own] + self.behind[text, own] - self.partition[text])
        rows, probability = np.zeros((0, 3), np.int64), np.zeros(0, np.float32)
        waiting: list[Places] = []
        left_out = 0
        for kind in range(self.tagset.types):
            tags = [[self.tagset.number(letter, kind) for letter in letters] for letters in self._ends()]
            starts, ends = (np.flatnonzero(alone[:, mine].sum(1) > floor) for mine in tags)
            first, last = (grid.reshape(-1) for grid in np.meshgrid(starts, ends, indexing="ij"))
            able = first <= last
            waiting.append(np.stack([first[able], last[able] + 1, np.full(int(able.sum()), kind)], 1))
            if kind + 1 < self.tagset.types and sum(map(len, waiting)) < _BLOCK:
                continue
            new = np.concatenate(waiting)
            said = self.of(np.full(len(new), text), new).astype(np.float32)
            hit = said > np.float32(floor)
            rows, probability = np.concatenate([rows, new[hit]]), np.concatenate([probability, said[hit]])
            kept = strongest(probability, most)
            left_out += len(rows) - len(kept)
            rows, probability, waiting = rows[kept], probability[kept], []
        return rows, probability, left_out

    def _ends(self) -> tuple[str, str]:
        """Letters of a first unit and of a last one."""
        return ("B", "BI") if self.tagset.scheme == "bio" else ("BS", "ES")

    def _tag(self, letter: str, kind: Places) -> Places:
        return self.tagset.number(letter, 0) + self.tagset.width * kind


class CRFDecoder(NerDecoder):
    """The best path decides; where several models are averaged, the best set of spans apart from one another."""

    layout = LAYOUT
    flat = True

    def floor(self, decode: Any) -> Floor:
        return Floor(parts={PRODUCT: least_threshold(decode), "path": 0.0})

    def chosen(self, found: Candidates, decode: Any) -> list[Found]:
        probability = found.parts[:, 0]
        rows = [(*row, p) for row, p in zip(found.rows.tolist(), probability.tolist(), strict=True)]
        if found.models > 1:
            least = np.broadcast_to(self.least(found.rows, decode), len(rows)).tolist()
            return best_apart(rows, [value or EVEN for value in least])
        kept = self._kept(found, decode).tolist()
        return [row for row, is_kept in zip(rows, kept, strict=True) if is_kept]

    def choice(self, found: Candidates, decode: Any) -> tuple[npt.NDArray[np.bool_], Hashable]:
        kept = self._kept(found, decode)[:, None]
        if found.models > 1:  # what goes together depends on the threshold itself
            return kept[:, :0], (decode.threshold, *sorted(decode.by_label.items()))
        return kept, None

    def _kept(self, found: Candidates, decode: Any) -> npt.NDArray[np.bool_]:
        probability, path = found.parts.T
        kept: npt.NDArray[np.bool_] = (path > 0) & (probability >= np.float32(self.least(found.rows, decode)))
        return kept


def open_decoder(recipe: CRFRecipe, assets: Path) -> CRFDecoder:
    """A decoder with the types that a run folder or prepared folder carries."""
    return CRFDecoder(Labels.load(assets).types, recipe.decode.by_label)
