"""What heads say that find subjects first: all subjects of a batch, then all objects of these."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F

from ietool.core.candidates import PRODUCT, Floor, Parts, strongest_each
from ietool.core.pools import Reading
from ietool.nn.above import Hits
from ietool.nn.transfer import Asked, sent
from ietool.tasks.ske.features.featurizer import Features
from ietool.tasks.ske.heads.reader import Found, Integers, SkeReader, TextBatch
from ietool.tasks.ske.heads.stages.decode import LAYOUT
from ietool.tasks.ske.heads.stages.model import TwoStageModel
from ietool.tasks.ske.heads.stages.sampling import prior_marks
from ietool.text.spans import rising_spans
from ietool.training.batches import columns

SCORES = 4_000_000
"""At most so many (pairs, length, 2R) scores are computed at once, whatever the number of subjects."""

SUBJECTS = 128
"""Objects are looked for of at most so many subjects of a window, the most probable ones."""

Reals = npt.NDArray[np.float32]


class _Subjects(NamedTuple):
    """Subjects found, by text and start: (n,) each; ``end`` inclusive, ``parts`` (n, 3) of start, end, nearer end."""

    at: Integers
    start: Integers
    end: Integers
    parts: Reals

    @property
    def probability(self) -> Reals:
        """(n,)."""
        product: Reals = self.parts[:, 0] * self.parts[:, 1]
        return product

    def some(self, kept: Integers | slice) -> _Subjects:
        """Those of them."""
        return _Subjects(self.at[kept], self.start[kept], self.end[kept], self.parts[kept])


class _Objects(NamedTuple):
    """Objects found, by subject: (n,) each; the rest as in :class:`_Subjects`."""

    pair: Integers
    label: Integers
    start: Integers
    end: Integers
    parts: Reals


class StageReader(SkeReader[TwoStageModel]):
    """For the graph and the cascade."""

    layout = LAYOUT
    kind = TwoStageModel
    subjects = SUBJECTS

    def found(self, features: Sequence[Features], floor: Floor) -> Reading[Found]:
        batch, encoded, p = yield from self._subjects(features)
        subjects = self._spans(p, floor)
        # A triple is no more probable than its subject: without some subjects the second stage has less to do.
        subjects = subjects.some(np.flatnonzero(subjects.probability >= floor.of(PRODUCT)))
        best, left_out = strongest_each(subjects.at, subjects.probability, len(features), self.subjects)
        subjects = subjects.some(best)
        found = []
        step = self._step(p.shape[1])
        for low in range(0, len(best), step):
            some = subjects.some(slice(low, low + step))
            objects = yield from self._objects(
                self._joint(features, batch, encoded, some.at, some.start, some.end), floor
            )  # fmt: skip
            found.append(self._kept(some, objects, floor.of(PRODUCT), len(features)))
        return self.together(found, left_out)

    def _kept(self, subjects: _Subjects, objects: _Objects, least: float, texts: int) -> Found:
        """The triples of some subjects with their objects, of each text the most probable ones."""
        pair, label, start, end, parts = objects
        probability = subjects.probability[pair].astype(np.float64) * (parts[:, 0] * parts[:, 1])
        kept = np.flatnonzero(probability >= least)
        best, left_out = strongest_each(subjects.at[pair[kept]], probability[kept], texts, self.most)
        kept = kept[best]
        s = subjects.some(pair[kept])
        rows = np.stack([s.start, s.end + 1, label[kept], start[kept], end[kept] + 1], 1)
        return Found(s.at, rows, np.concatenate([s.parts, parts[kept]], 1), left_out)

    def said(self, features: Sequence[Features], at: Integers, rows: Integers) -> Reading[Parts]:
        batch, encoded, p = yield from self._subjects(features)
        length = p.shape[1]
        at, rows = at.astype(np.int64), rows.astype(np.int64)
        s0, s1, label, o0, o1 = rows[:, 0], rows[:, 1] - 1, rows[:, 2], rows[:, 3], rows[:, 4] - 1
        parts = np.zeros((len(at), 6), np.float32)
        parts[:, 0], parts[:, 1] = p[at, s0, 0], p[at, s1, 1]
        number, places = _before(s0, s1)
        np.maximum.at(parts[:, 2], number, p[at[number], places, 1])
        distinct, pair_of = np.unique((at * length + s0) * length + s1, return_inverse=True)
        step = self._step(length)
        for low in range(0, len(distinct), step):
            part = distinct[low : low + step]
            joint = self._joint(
                features, batch, encoded, part // length // length, part // length % length, part % length
            )
            mine = np.flatnonzero((pair_of >= low) & (pair_of < low + step))
            pair, kind = pair_of[mine] - low, label[mine]
            number, places = _before(o0[mine], o1[mine])
            asked = _at(
                joint,
                (pair, o0[mine], np.zeros_like(pair), kind),
                (pair, o1[mine], np.ones_like(pair), kind),
                (pair[number], places, np.ones_like(number), kind[number]),
            )
            yield
            parts[mine, 3], parts[mine, 4], before = np.split(asked.wait()[0], [len(mine), 2 * len(mine)])
            nearer = np.zeros(len(mine), np.float32)
            np.maximum.at(nearer, number, before)
            parts[mine, 5] = nearer
        return parts

    def _step(self, length: int) -> int:
        """How many pairs are scored at once."""
        return max(1, SCORES // (length * 2 * self.labels))

    def _subjects(self, features: Sequence[Features]) -> Reading[tuple[TextBatch, dict[str, torch.Tensor], Reals]]:
        """The texts, what the model makes of them, and the probabilities of subjects' starts and ends, (B, L, 2)."""
        known = {}
        if self.priors:
            rows = [mark for i, f in enumerate(features) for mark in prior_marks(f.prior, i, (), self.labels)[0]]
            known = {"marks": columns(rows, 3)}
        batch = TextBatch(features, self.model.device, known)
        marks = None
        if self.priors:
            at, position, side = batch.more["marks"]
            marks = (at, position, side)
        encoded = self.model.encode(batch.ids, batch.lengths, batch.words, batch.tags, marks)
        p = (F.logsigmoid(encoded["subject_logits"]) + encoded["entity"]).exp().masked_fill(~batch.inside[..., None], 0)
        asked = Asked([p.float()])
        yield
        (here,) = asked.wait()
        self.highest_probability = max(self.highest_probability, float(here.max()))
        return batch, encoded, here

    @staticmethod
    def _spans(p: Reals, floor: Floor) -> _Subjects:
        """Subjects above the floor."""
        s_at, s_pos = np.nonzero(p[:, :, 0] > floor.of("subject_start"))
        e_at, e_pos = np.nonzero(p[:, :, 1] > floor.of("subject_end"))
        first, last = p[s_at, s_pos, 0], p[e_at, e_pos, 1]
        start, end, nearer = rising_spans(
            s_pos, e_pos, s_at, e_at, last, p.shape[1], floor.ceiling("subject_nearer")
        )  # fmt: skip
        return _Subjects(s_at[start], s_pos[start], e_pos[end], np.stack([first[start], last[end], nearer], 1))

    def _joint(
        self, features: Sequence[Features], batch: TextBatch, encoded: dict[str, torch.Tensor],
        at: Integers, starts: Integers, ends: Integers,
    ) -> torch.Tensor:  # fmt: skip
        """Probabilities of the starts and ends of objects of some (text, subject) pairs, (P, L, 2, R)."""
        more = {}
        if self.priors:
            pairs: dict[int, list[tuple[int, int, int]]] = {}
            for n, (i, a, b) in enumerate(zip(at.tolist(), starts.tolist(), ends.tolist(), strict=True)):
                pairs.setdefault(i, []).append((n, a, b + 1))
            numbered = [
                mark for i, mine in pairs.items() for mark in prior_marks(features[i].prior, i, mine, self.labels)[1]
            ]
            more = {"marks": columns(numbered, 3)}
        there = sent({"pairs": torch.from_numpy(np.stack([at, starts, ends])), **more}, self.model.device)
        marks = None
        if self.priors:
            pair, position, channel = there["marks"]
            marks = (pair, position, channel)
        sentence, start, end = there["pairs"]
        logits, gates = self.model.objects(encoded, sentence, start, end, marks)
        joint = F.logsigmoid(logits)
        for gate in gates:
            joint = joint + gate
        return joint.exp().masked_fill(~batch.inside[sentence][:, :, None, None], 0).float()

    @staticmethod
    def _objects(joint: torch.Tensor, floor: Floor) -> Reading[_Objects]:
        """Objects above the floor in (P, L, 2, R) probabilities."""
        _, length, _, r = joint.shape
        # (side, pair, label, position): they then come sorted by group and position, as the spans need it.
        joint = joint.permute(2, 0, 3, 1)
        least = (floor.of("object_start"), floor.of("object_end"))

        def above(side: int) -> tuple[torch.Tensor, list[torch.Tensor]]:
            return joint[side] > least[side], [joint[side]]

        hits = [Hits(*above(side), partial(above, side)) for side in (0, 1)]
        asked = Asked([tensor for hit in hits for tensor in hit.tensors])
        yield
        arrays = asked.wait()
        half = len(arrays) // 2
        (s, first), (e, last) = hits[0].found(arrays[:half]), hits[1].found(arrays[half:])
        group = s[:, 0] * r + s[:, 1]
        start, end, nearer = rising_spans(
            s[:, 2], e[:, 2], group, e[:, 0] * r + e[:, 1], last, length, floor.ceiling("object_nearer")
        )
        return _Objects(
            s[start, 0], s[start, 1], s[start, 2], e[end, 2], np.stack([first[start], last[end], nearer], 1)
        )


def _before(first: Integers, last: Integers) -> tuple[Integers, Integers]:
    """All places of ``[first, last)`` of each of some spans, one behind the other: number of the span, and place."""
    counts = last - first
    number = np.repeat(np.arange(len(first)), counts)
    return number, np.arange(len(number)) - np.repeat(np.cumsum(counts) - counts, counts) + first[number]


def _at(joint: torch.Tensor, *places: tuple[Integers, Integers, Integers, Integers]) -> Asked:
    """Single probabilities, those of all (pair, position, side, label) one behind the other."""
    every = np.stack([np.concatenate(column) for column in zip(*places, strict=True)])
    p, t, side, r = sent({"places": torch.from_numpy(every)}, joint.device)["places"]
    return Asked([joint[p, t, side, r]])
