"""From probabilities to label spans in two stages: all subjects of a batch, then all their objects."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F

from ietool.tasks.ske.features.featurizer import Features
from ietool.tasks.ske.heads.assembly import Scored
from ietool.tasks.ske.heads.stages.batches import prior_marks
from ietool.tasks.ske.heads.stages.model import TwoStageModel
from ietool.tasks.ske.recipe import DecodeSection
from ietool.text.spans import nearest_spans
from ietool.training.batches import columns, pad

SCORES = 4_000_000
"""At most so many (pairs, length, 2R) scores are computed at once, whatever the number of subjects."""


class Decoder(Protocol):
    """A model with its way to spans."""

    def rows(self, features: Sequence[Features]) -> tuple[list[list[Scored]], float]:
        """Label spans of each of a batch of texts, in units, and the highest probability seen."""
        ...


class TextBatch:
    """The padded units of some texts: ``ids``, ``words``, ``tags`` (B, T), ``lengths`` (B,) and ``inside`` (B, T):
    where a span may begin or end, which is nowhere in a special token."""

    def __init__(self, features: Sequence[Features], device: torch.device) -> None:
        units = [f.units for f in features]
        longest = max(len(u) for u in units)
        self.ids, self.words, self.tags = (
            pad(arrays, longest).to(device)
            for arrays in ([u.ids for u in units], [u.words for u in units], [u.tags for u in units])
        )
        self.lengths = torch.tensor([len(u) for u in units], device=device)
        self.inside = pad([u.inside for u in units], longest).to(device) > 0


class StageDecoder:
    """For models that find subjects first."""

    def __init__(self, model: TwoStageModel, decode: DecodeSection, labels: int, *, priors: bool) -> None:
        self.model, self.decode, self.labels, self.priors = model, decode, labels, priors

    @torch.inference_mode()
    def rows(self, features: Sequence[Features]) -> tuple[list[list[Scored]], float]:
        """As in :class:`Decoder`."""
        decode = self.decode
        device = self.model.device
        batch = TextBatch(features, device)
        encoded = self._encode(features, batch)
        p = (F.logsigmoid(encoded["subject_logits"]) + encoded["entity"]).exp().masked_fill(~batch.inside[..., None], 0)
        highest = float(p.max())
        probabilities = p.cpu().numpy()
        length = probabilities.shape[1]
        s_at, s_pos = np.nonzero(probabilities[:, :, 0] > decode.subject_start)
        e_at, e_pos = np.nonzero(probabilities[:, :, 1] > decode.subject_end)
        kept_s, kept_e, at = nearest_spans(s_pos, e_pos, s_at, e_at, length)
        score = probabilities[at, s_pos[kept_s], 0] * probabilities[at, e_pos[kept_e], 1]
        # A triple is no more probable than its subject: without some subjects the second stage has less to do.
        able = score >= decode.triple
        kept_s, kept_e, at, score = kept_s[able], kept_e[able], at[able], score[able]
        starts, ends = s_pos[kept_s], e_pos[kept_e]
        found: list[list[Scored]] = [[] for _ in features]
        step = max(1, SCORES // (length * 2 * self.labels))
        for low in range(0, len(at), step):
            part = slice(low, low + step)
            marks = None
            if self.priors:
                pairs: dict[int, list[tuple[int, int, int]]] = {}
                for n, (i, a, b) in enumerate(zip(*(x[part].tolist() for x in (at, starts, ends)), strict=True)):
                    pairs.setdefault(i, []).append((n, a, b + 1))
                numbered = [
                    mark
                    for i, mine in pairs.items()
                    for mark in prior_marks(features[i].prior, i, mine, self.labels)[1]
                ]
                pair, position, channel = columns(numbered, 3).to(device)
                marks = (pair, position, channel)
            chosen = [torch.from_numpy(x[part]).to(device) for x in (at, starts, ends)]
            logits, gates = self.model.objects(encoded, chosen[0], chosen[1], chosen[2], marks)
            joint = F.logsigmoid(logits)
            for gate in gates:
                joint = joint + gate
            joint = joint.exp().masked_fill(~batch.inside[chosen[0]][:, :, None, None], 0)
            for n, row in self._objects(joint):
                i, probability = at[low + n], float(score[low + n]) * row[3]
                if probability >= decode.triple:
                    found[i].append((int(starts[low + n]), int(ends[low + n]) + 1, *row[:3], probability))
        return found, highest

    def _encode(self, features: Sequence[Features], batch: TextBatch) -> dict[str, torch.Tensor]:
        marks = None
        if self.priors:
            rows = [mark for i, f in enumerate(features) for mark in prior_marks(f.prior, i, (), self.labels)[0]]
            at, position, side = columns(rows, 3).to(self.model.device)
            marks = (at, position, side)
        return self.model.encode(batch.ids, batch.lengths, batch.words, batch.tags, marks)

    def _objects(self, joint: torch.Tensor) -> Iterator[tuple[int, tuple[int, int, int, float]]]:
        """(pair, (label, start, end, probability)) from (P, L, 2, R) probabilities."""
        decode = self.decode
        _, length, _, r = joint.shape
        # (side, pair, label, position): nonzero then comes sorted by group and position, as nearest_spans needs it.
        joint = joint.permute(2, 0, 3, 1)
        hits = [torch.nonzero(joint[side] > t) for side, t in ((0, decode.object_start), (1, decode.object_end))]
        (s, e), values = (
            [h.cpu().numpy() for h in hits],
            [joint[side][tuple(hits[side].unbind(1))].float().cpu().numpy() for side in (0, 1)],
        )
        kept_s, kept_e, group = nearest_spans(s[:, 2], e[:, 2], s[:, 0] * r + s[:, 1], e[:, 0] * r + e[:, 1], length)
        probability: npt.NDArray[np.floating] = values[0][kept_s] * values[1][kept_e]
        columns_ = (group // r, group % r, s[kept_s, 2], e[kept_e, 2] + 1, probability)
        for pair, label, start, end, prob in zip(*(c.tolist() for c in columns_), strict=True):
            yield pair, (label, start, end, prob)
